"""Metrics that programs expose themselves: training, connection pools, the queue, CoreDNS."""

import numpy as np

from copilot.lab.history import History
from copilot.lab.world.flows import Flows
from copilot.lab.world.graph import Edge
from copilot.lab.world.runtime import PodRun
from copilot.lab.world.scrape.base import Targets, declare
from copilot.lab.world.training import Gang

_TRAINING = {
    "training_step_seconds": "Duration of the last training step.",
    "training_data_wait_seconds": "Time of the last step spent waiting for data.",
    "training_collective_seconds": "Time of the last step spent in collectives.",
    "training_last_checkpoint_timestamp_seconds": "When the last checkpoint was written, unix time.",
    "training_step": "Steps done so far.",
}
_POOL = {
    "db_client_connection_count": "Connections that are in the state described by the state attribute.",
    "db_client_connection_max": "The maximum number of open connections allowed.",
    "db_client_connection_pending_requests": "Pending requests for an open connection.",
}
_QUEUE = {
    "rabbitmq_queue_messages_ready": "Messages ready to be delivered to consumers.",
    "rabbitmq_queue_messages_unacked": "Messages delivered to consumers but not yet acknowledged.",
    "rabbitmq_queue_consumers": "Consumers on a queue.",
}
_DNS = "coredns_dns_responses_total"


class AppScraper:
    """Gauges with changing label sets: what was exposed last time and is not now becomes absent."""

    def __init__(self, history: History, flows: Flows, gang: Gang, targets: Targets) -> None:
        self.history = history
        self.flows = flows
        self.gang = gang
        self.targets = targets
        for family in (_TRAINING, _POOL, _QUEUE):
            declare(history, {name: ("gauge", text) for name, text in family.items()})
        declare(history, {_DNS: ("counter", "Counter of response status codes.")})
        self._before: set[int] = set()
        self._now: set[int] = set()
        self._dns = dict.fromkeys(("NOERROR", "NXDOMAIN", "SERVFAIL"), 0.0)

    def count(self, dt: float) -> None:
        """Count the name lookups of the last ``dt`` seconds."""
        if self.flows.dns == "down":
            return
        lookups = 0.15 * sum(edge.rate for edge in self.flows.edges) * dt
        failing = sum(edge.rate for edge in self.flows.edges if "no such host" in edge.route.why) * 0.15 * dt
        self._dns["NXDOMAIN"] += failing * 3 + lookups * 0.02
        self._dns["NOERROR"] += max(lookups - failing, 0.0)
        self._dns["SERVFAIL"] += lookups * 0.0002

    def scrape(self, now: float) -> None:
        """Expose everything."""
        self._now = set()
        self._training(now)
        for edge in self.flows.edges:
            if edge.call.pool_env:
                self._pool(edge)
        self._queue(now)
        self._lookups(now)
        self.history.retire(self._before - self._now)
        self._before = self._now

    def _put(self, name: str, labels: dict[str, str], value: float) -> None:
        one = self.history.register(name, labels)
        self.history.current[one] = value
        self._now.add(one)

    def _training(self, now: float) -> None:
        for run in self.gang.members():
            rank = self.gang.ranks.get(run.uid)
            if rank is None or not self.targets.check("training", f"{run.ip}:9500", True, now):
                continue
            base = {"namespace": run.namespace, "pod": run.name, "rank": str(run.index)}
            base |= {"job": self.gang.workload.name, "instance": f"{run.ip}:9500"}
            values = (rank.step, rank.data_wait, rank.collective, self.gang.checkpoint_at, np.floor(self.gang.steps))
            for name, value in zip(_TRAINING, values, strict=True):
                self._put(name, base, float(value))

    def _pool(self, edge: Edge) -> None:
        pods: list[PodRun] = self.flows.stages[edge.source].pods
        for run in pods:
            share = edge.pool_size / len(pods)
            used = min(edge.pool_used / len(pods), share)
            base = {"namespace": run.namespace, "pod": run.name, "workload": edge.source.split("/")[1]}
            base |= {"db_client_connection_pool_name": edge.callee.split("/")[1], "job": "otel"}
            state = "db_client_connection_state"
            self._put("db_client_connection_count", base | {state: "used"}, float(np.round(used, 1)))
            self._put("db_client_connection_count", base | {state: "idle"}, float(np.round(share - used, 1)))
            self._put("db_client_connection_max", base, share)
            self._put("db_client_connection_pending_requests", base, float(np.round(edge.pool_waiting / len(pods), 1)))

    def _queue(self, now: float) -> None:
        stage = self.flows.stages[self.flows.queue_key]
        alive = stage.serving > 0
        space, name = self.flows.queue_key.split("/")
        instance = f"{stage.pods[0].ip}:15692" if stage.pods else f"{name}:15692"
        if not self.targets.check("rabbitmq", instance, alive, now):
            return
        base = {"namespace": space, "queue": "orders", "vhost": "/", "job": "rabbitmq", "instance": instance}
        worker = self.flows.stages[self.flows.worker_key]
        self._put("rabbitmq_queue_messages_ready", base, float(np.floor(self.flows.backlog)))
        self._put("rabbitmq_queue_messages_unacked", base, float(np.floor(worker.inflight)))
        self._put("rabbitmq_queue_consumers", base, float(worker.serving * worker.threads))

    def _lookups(self, now: float) -> None:
        if not self.targets.check("coredns", "kube-dns:9153", self.flows.dns != "down", now):
            return
        for code, total in self._dns.items():
            labels = {"rcode": code, "server": "dns://:53", "zone": ".", "job": "coredns", "instance": "kube-dns:9153"}
            self._put(_DNS, labels, float(np.floor(total)))
