"""Metrics that programs expose themselves: training, connection pools, the queue, CoreDNS."""

from collections.abc import Callable, Sequence
from functools import partial

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
Named = tuple[str, dict[str, str]]
"""A metric name and the labels of one series."""
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
        self._before: dict[tuple[str, ...], list[int]] = {}
        self._now: dict[tuple[str, ...], list[int]] = {}
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
        self._now = {}
        self._training(now)
        for edge in self.flows.edges:
            if edge.call.pool_env:
                self._pool(edge)
        self._queue(now)
        self._lookups(now)
        gone = {one for key in self._before.keys() - self._now.keys() for one in self._before[key]}
        self.history.retire(gone - {one for ids in self._now.values() for one in ids})
        self._before = self._now

    def _put(self, key: tuple[str, ...], values: Sequence[float], series: Callable[[], list[Named]]) -> None:
        """Expose one target's ``values``; ``series`` names them and is asked only for a ``key`` not there before."""
        ids = self._before.get(key) or [self.history.register(name, labels) for name, labels in series()]
        self._now[key] = ids
        for one, value in zip(ids, values, strict=True):
            self.history.current[one] = value

    def _training(self, now: float) -> None:
        for run in self.gang.members():
            rank = self.gang.ranks.get(run.uid)
            if rank is None or not self.targets.check("training", f"{run.ip}:9500", True, now):
                continue
            steps = (rank.step, rank.data_wait, rank.collective, self.gang.checkpoint_at, np.floor(self.gang.steps))
            self._put(("training", run.uid, run.ip), steps, partial(self._rank_series, run))

    def _rank_series(self, run: PodRun) -> list[Named]:
        labels = {"namespace": run.namespace, "pod": run.name, "rank": str(run.index)}
        labels |= {"job": self.gang.workload.name, "instance": f"{run.ip}:9500"}
        return [(name, labels) for name in _TRAINING]

    def _pool(self, edge: Edge) -> None:
        pods: list[PodRun] = self.flows.stages[edge.source].pods
        for run in pods:
            share = edge.pool_size / len(pods)
            used = min(edge.pool_used / len(pods), share)
            waiting = edge.pool_waiting / len(pods)
            gauges = (_tenths(used), _tenths(share - used), share, _tenths(waiting))
            self._put(("pool", edge.callee, run.uid), gauges, partial(_pool_series, edge, run))

    def _queue(self, now: float) -> None:
        stage = self.flows.stages[self.flows.queue_key]
        alive = stage.serving > 0
        space, name = self.flows.queue_key.split("/")
        instance = f"{stage.pods[0].ip}:15692" if stage.pods else f"{name}:15692"
        if not self.targets.check("rabbitmq", instance, alive, now):
            return
        labels = {"namespace": space, "queue": "orders", "vhost": "/", "job": "rabbitmq", "instance": instance}
        worker = self.flows.stages[self.flows.worker_key]
        gauges = (np.floor(self.flows.backlog), np.floor(worker.inflight), worker.serving * worker.threads)
        self._put(("queue", instance), gauges, lambda: [(name, labels) for name in _QUEUE])

    def _lookups(self, now: float) -> None:
        if not self.targets.check("coredns", "kube-dns:9153", self.flows.dns != "down", now):
            return
        labels = {"server": "dns://:53", "zone": ".", "job": "coredns", "instance": "kube-dns:9153"}
        totals = [float(np.floor(total)) for total in self._dns.values()]
        self._put(("dns",), totals, lambda: [(_DNS, labels | {"rcode": code}) for code in self._dns])


def _pool_series(edge: Edge, run: PodRun) -> list[Named]:
    base = {"namespace": run.namespace, "pod": run.name, "workload": edge.source.split("/")[1]}
    base |= {"db_client_connection_pool_name": edge.callee.split("/")[1], "job": "otel"}
    states = [base | {"db_client_connection_state": state} for state in ("used", "idle")]
    counts = [("db_client_connection_count", labels) for labels in states]
    return [*counts, ("db_client_connection_max", base), ("db_client_connection_pending_requests", base)]


def _tenths(value: float) -> float:
    return round(value * 10) / 10
