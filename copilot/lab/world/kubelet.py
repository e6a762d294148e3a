"""The kubelets of all nodes: they turn Pod objects into running processes and report what became of them."""

import heapq
from collections.abc import Callable
from datetime import timedelta

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import controller_of
from copilot.lab.world import app_logs
from copilot.lab.world.container_config import ConfigMissing, environment, missing_volume, pull_refusal
from copilot.lab.world.devices import allocate, strike
from copilot.lab.world.images import MIB, App
from copilot.lab.world.pod_status import pod_status, terminated
from copilot.lab.world.processes import Launch, launch
from copilot.lab.world.quantities import cores, size_of
from copilot.lab.world.runtime import Container, PodRun
from copilot.lab.world.site import Site

PULL_RATE = 220 * MIB
FIRST_BACKOFF = 10.0
LAST_BACKOFF = 300.0
BACKOFF_RESET = 600.0
_DRAIN_TIME = 4.0


class Kubelet:
    """All pods that have a node, by uid; acts on changes of objects and on its own timers."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.pods: dict[str, PodRun] = {}
        self._timers: list[tuple[float, int, str, int]] = []
        self._counter = 0
        self.generation = 0

    # -- objects ------------------------------------------------------------------------------------------------------

    def pod_changed(self, obj: JsonObject, *, deleted: bool) -> None:
        """Take notice of a pod that was written or removed."""
        uid = obj["metadata"]["uid"]
        run = self.pods.get(uid)
        if deleted:
            if run is not None:
                self._forget(run)
            return
        node = obj["spec"].get("nodeName")
        if run is None:
            if node in self.site.nodes and (obj.get("status") or {}).get("phase", "Pending") == "Pending":
                self._admit(obj)
        elif "deletionTimestamp" in obj["metadata"] and not run.deleting:
            self._terminate(run, obj)

    def _admit(self, obj: JsonObject) -> None:
        meta, spec = obj["metadata"], obj["spec"]
        site = self.site
        containers = [Container(one["name"], one, init=True) for one in spec.get("initContainers") or ()]
        containers += [Container(one["name"], one) for one in spec["containers"]]
        run = PodRun(
            meta["uid"],
            meta["namespace"],
            meta["name"],
            spec["nodeName"],
            self._owner(obj),
            spec,
            containers,
            dict(meta.get("labels") or {}),
            started=site.now,
        )
        self.pods[run.uid] = run
        self.generation += 1
        trouble = allocate(site.fleet, run)
        if trouble:
            run.phase, run.reason, run.message = "Failed", "UnexpectedAdmissionError", trouble
            self.tell(run, "Warning", "UnexpectedAdmissionError", trouble)
            return
        self._schedule(run, 0, "start", 0.6)

    def _owner(self, obj: JsonObject) -> str:
        owner = controller_of(obj)
        space = obj["metadata"]["namespace"]
        if owner is None:
            return f"{space}/{obj['metadata']['name']}"
        name = owner["name"]
        if owner["kind"] == "ReplicaSet":
            parent = self.site.store.peek("ReplicaSet", space, name)
            above = controller_of(parent) if parent else None
            name = above["name"] if above else name
        return f"{space}/{name}"

    def _terminate(self, run: PodRun, obj: JsonObject) -> None:
        run.deleting = True
        grace = float(obj["metadata"].get("deletionGracePeriodSeconds", 30))
        hung = any(one.process is not None and one.process.hung for one in run.containers)
        run.gone_at = self.site.now + (grace if hung else min(grace, _DRAIN_TIME))
        for one in run.containers:
            if one.state == "running":
                self.tell(run, "Normal", "Killing", f"Stopping container {one.name}")
            one.ready = False
        run.dirty = True
        self.generation += 1
        self._schedule(run, -1, "gone", run.gone_at - self.site.now)

    def _forget(self, run: PodRun) -> None:
        self.site.fleet.release(run.uid)
        self.pods.pop(run.uid, None)
        self.generation += 1

    # -- time ---------------------------------------------------------------------------------------------------------

    def _schedule(self, run: PodRun, index: int, action: str, delay: float) -> None:
        due = self.site.now + delay
        self._counter += 1
        if index >= 0:
            run.containers[index].next, run.containers[index].due = action, due
        heapq.heappush(self._timers, (due, self._counter, run.uid, index))

    @property
    def next_due(self) -> float:
        """When the next timer fires (unix seconds), infinity when none is set."""
        return self._timers[0][0] if self._timers else float("inf")

    def tick(self) -> None:
        """Run every due timer, then write the statuses that changed."""
        now = self.site.now
        held: list[tuple[float, int, str, int]] = []
        while self._timers and self._timers[0][0] <= now:
            entry = heapq.heappop(self._timers)
            run = self.pods.get(entry[2])
            if run is None:
                continue
            if not self.site.nodes[run.node].kubelet_up:
                held.append((now + 10.0, *entry[1:]))
                continue
            self._fire(run, entry[3], entry[0])
        for entry in held:
            heapq.heappush(self._timers, entry)

    def _fire(self, run: PodRun, index: int, due: float) -> None:
        if index < 0:
            self.site.store.delete("Pod", run.namespace, run.name, uid=run.uid, grace=_ZERO)
            return
        one = run.containers[index]
        if one.due != due or run.deleting:
            return
        action, one.next = one.next, ""
        _ACTIONS[action](self, run, index)

    def write_statuses(self) -> None:
        """Write the status of every pod that changed since the last call."""
        store, now = self.site.store, self.site.now
        for run in list(self.pods.values()):
            node = self.site.nodes[run.node]
            if not run.dirty or not node.kubelet_up:
                continue
            run.dirty = False
            obj = store.peek("Pod", run.namespace, run.name)
            if obj is not None and obj["metadata"]["uid"] == run.uid:
                store.set_status("Pod", run.namespace, run.name, pod_status(run, node, now, obj.get("status") or {}))

    def tell(self, run: PodRun, level: str, reason: str, message: str) -> None:
        """Record an event about a pod."""
        obj = self.site.store.peek("Pod", run.namespace, run.name)
        if obj is not None:
            self.site.events.record(
                obj,
                level="Warning" if level == "Warning" else "Normal",
                reason=reason,
                message=message,
                component="kubelet",
                host=run.node,
            )

    # -- starting -----------------------------------------------------------------------------------------------------

    def _start(self, run: PodRun, index: int) -> None:
        one = run.containers[index]
        complaint = missing_volume(self.site.store, run.namespace, run.spec)
        if complaint:
            self.tell(run, "Warning", "FailedMount", complaint)
            self._schedule(run, index, "start", 30.0)
            return
        if not run.ip:
            run.ip = self.site.nodes[run.node].pod_ip()
            run.dirty = True
        ref = one.spec["image"]
        node = self.site.nodes[run.node]
        image = self.site.design.catalog.find(ref)
        if ref in node.images and image is not None:
            if not one.pulled:
                self.tell(run, "Normal", "Pulled", f'Container image "{ref}" already present on machine')
            one.pulled = True
            self._schedule(run, index, "create", 0.4)
            return
        self.tell(run, "Normal", "Pulling", f'Pulling image "{ref}"')
        refusal = pull_refusal(self.site, run, ref)
        if refusal or image is None:
            self._pull_failed(run, index, refusal)
        else:
            one.reason, one.message = "ContainerCreating", ""
            run.dirty = True
            self._schedule(run, index, "pulled", 1.0 + image.size / PULL_RATE)

    def _pull_failed(self, run: PodRun, index: int, refusal: str) -> None:
        one = run.containers[index]
        ref = one.spec["image"]
        text = f"rpc error: code = NotFound desc = {refusal}"
        if "authorization" in refusal:
            text = f"rpc error: code = Unknown desc = {refusal}"
        self.tell(run, "Warning", "Failed", f'Failed to pull image "{ref}": {text}')
        self.tell(run, "Warning", "Failed", "Error: ErrImagePull")
        one.reason, one.message = "ErrImagePull", text
        run.dirty = True
        self._schedule(run, index, "pull_backoff", 12.0)

    def _pull_backoff(self, run: PodRun, index: int) -> None:
        one = run.containers[index]
        one.reason, one.message = "ImagePullBackOff", f'Back-off pulling image "{one.spec["image"]}": {one.message}'
        self.tell(run, "Normal", "BackOff", f'Back-off pulling image "{one.spec["image"]}"')
        self.tell(run, "Warning", "Failed", "Error: ImagePullBackOff")
        one.attempts += 1
        run.dirty = True
        self._schedule(run, index, "start", _backoff(one.attempts))

    def _pulled(self, run: PodRun, index: int) -> None:
        one = run.containers[index]
        ref = one.spec["image"]
        self.site.nodes[run.node].images.add(ref)
        image = self.site.design.catalog.find(ref)
        size = image.size if image else 0.0
        took = 1.0 + size / PULL_RATE
        self.tell(
            run, "Normal", "Pulled", f'Successfully pulled image "{ref}" in {took:.3f}s. Image size: {size:.0f} bytes.'
        )
        one.pulled, one.attempts = True, 0
        self._schedule(run, index, "create", 0.2)

    def _create(self, run: PodRun, index: int) -> None:
        one, store = run.containers[index], self.site.store
        try:
            env = environment(store, run.namespace, one.spec)
        except ConfigMissing as missing:
            one.reason, one.message = "CreateContainerConfigError", str(missing)
            self.tell(run, "Warning", "Failed", f"Error: {missing}")
            run.dirty = True
            self._schedule(run, index, "create", 15.0)
            return
        image = self.site.design.catalog.find(one.spec["image"])
        self._run(run, index, env, image.app if image else App())

    def _run(self, run: PodRun, index: int, env: dict[str, str], app: App) -> None:
        one, site = run.containers[index], self.site
        one.restarts += one.last is not None and one.state != "running"
        limits = (one.spec.get("resources") or {}).get("limits") or {}
        cpu = cores(limits.get("cpu")) or 64.0
        stretch = max(1.0, 0.25 / max(cpu, 0.01)) if app.role != "batch" else max(1.0, app.idle_cpu / cpu)
        args = tuple(one.spec.get("args") or ())
        given = Launch(
            app, env, args, size_of(limits.get("memory")), site.fleet, run.gpus, site.now, stretch, one.restarts
        )
        one.process = launch(given)
        one.state, one.reason, one.message = "running", "", ""
        one.started, one.failing_live, one.failing_ready = site.now, 0.0, 0.0
        run.dirty = True
        if run.phase == "Pending" and not one.init:
            run.phase = "Running"
        self.generation += 1
        self.tell(run, "Normal", "Created", f"Created container: {one.name}")
        self.tell(run, "Normal", "Started", f"Started container {one.name}")
        app_logs.starting(one, site.now)
        if one.process.dies_at:
            self._schedule(run, index, "exit", one.process.dies_at - site.now)
        else:
            self._schedule(run, index, "up", one.process.serving_from - site.now)
        if one.process.dies_at:
            return
        if not one.init and index + 1 < len(run.containers):
            self._schedule(run, index + 1, "start", 0.2)

    def _up(self, run: PodRun, index: int) -> None:
        """Its process finished starting: it listens from now on."""
        self.generation += 1

    # -- ending -------------------------------------------------------------------------------------------------------

    def _exit(self, run: PodRun, index: int) -> None:
        process = run.containers[index].process
        if process is not None:
            for line in process.last_words:
                run.containers[index].say(self.site.now, line)
            self.end(run, index, process.exit_code, process.reason)

    def end(self, run: PodRun, index: int, code: int, reason: str) -> None:
        """A container's process ended; restart it as the pod's policy says, with back-off."""
        one, now = run.containers[index], self.site.now
        lived = now - one.started
        one.state, one.exit_code, one.reason, one.finished, one.ready = "terminated", code, reason, now, False
        one.process = None
        run.dirty = True
        self.generation += 1
        policy = run.spec.get("restartPolicy", "Always")
        if code == 0 and (one.init or policy != "Always"):
            self._completed(run, index)
            return
        if policy == "Never":
            run.phase = "Failed"
            return
        one.attempts = 1 if lived > BACKOFF_RESET else one.attempts + 1
        self._schedule(run, index, "backoff", 1.0)

    def devices_failed(self, run: PodRun) -> None:
        """End a process whose device failed, or leave it broken where the error was contained."""
        index = run.containers.index(run.main)
        if strike(self.site.fleet, run, self.site.now):
            self.end(run, index, 1, "Error")

    def spoil(self, run: PodRun, *, hung: bool = False, broken: str = "") -> None:
        """Give a pod's program an inner defect that lasts until it is restarted."""
        if run.main.process is not None:
            run.main.process.hung, run.main.process.broken = hung, broken
            self.generation += 1

    def fail(self, run: PodRun, reason: str, message: str) -> None:
        """The kubelet gives a pod up: its processes are killed, the pod stays as failed."""
        run.phase, run.reason, run.message, run.dirty = "Failed", reason, message, True
        for one in run.containers:
            if one.state == "running":
                one.state, one.reason, one.exit_code, one.finished = "terminated", "Error", 137, self.site.now
            one.ready, one.process, one.due = False, None, 0.0
        self.site.fleet.release(run.uid)
        self.generation += 1

    def _completed(self, run: PodRun, index: int) -> None:
        one = run.containers[index]
        if one.init:
            self._schedule(run, index + 1, "start", 0.3)
        elif all(other.state == "terminated" and other.exit_code == 0 for other in run.containers):
            run.phase = "Succeeded"
            self.site.fleet.release(run.uid)

    def _backoff(self, run: PodRun, index: int) -> None:
        one = run.containers[index]
        one.last = terminated(one)
        one.previous_log, one.log = one.log, type(one.log)(maxlen=one.log.maxlen)
        delay = 0.0 if one.attempts <= 1 else _backoff(one.attempts - 1)
        if delay:
            one.state, one.reason = "waiting", "CrashLoopBackOff"
            one.message = (
                f"back-off {_duration(delay)} restarting failed container={one.name} "
                f"pod={run.name}_{run.namespace}({run.uid})"
            )
            self.tell(
                run,
                "Warning",
                "BackOff",
                f"Back-off restarting failed container {one.name} in pod {run.name}_{run.namespace}({run.uid})",
            )
        run.dirty = True
        self._schedule(run, index, "start", max(delay, 0.5))


def _backoff(attempt: int) -> float:
    return min(FIRST_BACKOFF * 2.0 ** (attempt - 1), LAST_BACKOFF)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


_ZERO = timedelta()
_ACTIONS: dict[str, Callable[[Kubelet, PodRun, int], None]] = {
    "start": Kubelet._start,
    "pulled": Kubelet._pulled,
    "pull_backoff": Kubelet._pull_backoff,
    "create": Kubelet._create,
    "up": Kubelet._up,
    "exit": Kubelet._exit,
    "backoff": Kubelet._backoff,
}
