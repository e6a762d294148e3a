"""Probes: what the spec asks for, compared with what the process listens on and how fast it answers."""

from collections.abc import Mapping

from copilot.core.value import JsonObject
from copilot.lab.world.kubelet import Kubelet
from copilot.lab.world.runtime import Container, PodRun, Process

_TELL_EVERY = 60.0
_CALM_SLOWNESS = 50.0


class Prober:
    """Judges every running container; unready ones leave their endpoints, unhealthy ones are restarted."""

    def __init__(self, kubelet: Kubelet) -> None:
        self.kubelet = kubelet
        self._checked = (-1, 0.0)

    def tick(self, slowness: Mapping[str, float]) -> None:
        """Probe all containers; ``slowness`` is by what factor a workload answers slower than unloaded (default 1)."""
        site = self.kubelet.site
        for run in list(self.kubelet.pods.values()):
            if run.deleting or run.phase != "Running" or not site.nodes[run.node].kubelet_up:
                continue
            slow = slowness.get(run.workload, 1.0)
            for index, one in enumerate(run.containers):
                process = one.process
                if process is None or one.init or _is_calm(one, process, slow):
                    continue
                self._judge(run, index, one, process, slow)
                one.calm = process if one.ready and not one.failing_live and not one.failing_ready else None

    def _judge(self, run: PodRun, index: int, one: Container, process: Process, slowness: float) -> None:
        now = self.kubelet.site.now
        up = now >= process.serving_from
        startup = one.spec.get("startupProbe")
        if startup is not None and not up:
            self._starting(run, index, one, startup)
            return
        self._readiness(run, one, process, slowness, up)
        live = one.spec.get("livenessProbe")
        if live is not None:
            self._liveness(run, index, one, process, (live, slowness, up))

    def _starting(self, run: PodRun, index: int, one: Container, probe: JsonObject) -> None:
        patience = probe.get("initialDelaySeconds", 0) + probe.get("periodSeconds", 10) * probe.get(
            "failureThreshold", 3
        )
        if self.kubelet.site.now - one.started >= patience:
            self._kill(run, index, one, "startup", probe)

    def _readiness(self, run: PodRun, one: Container, process: Process, slowness: float, up: bool) -> None:
        now = self.kubelet.site.now
        probe = one.spec.get("readinessProbe")
        why = failure(probe, process, run.ip, slowness, up) if probe else ""
        if not why:
            one.failing_ready = 0.0
            self._set_ready(run, one, probe is None or now - one.started >= probe.get("initialDelaySeconds", 0))
            return
        one.failing_ready = one.failing_ready or now
        assert probe is not None
        patience = probe.get("periodSeconds", 10) * (probe.get("failureThreshold", 3) - 1)
        if one.ready and now - one.failing_ready >= patience:
            self._set_ready(run, one, False)
        self._complain(run, one, "Readiness", why)

    def _set_ready(self, run: PodRun, one: Container, ready: bool) -> None:
        if one.ready != ready:
            one.ready = ready
            run.dirty = True
            run.ready_since = self.kubelet.site.now
            self.kubelet.generation += 1

    def _liveness(
        self, run: PodRun, index: int, one: Container, process: Process, given: tuple[JsonObject, float, bool]
    ) -> None:
        probe, slowness, up = given
        now = self.kubelet.site.now
        if now - one.started < probe.get("initialDelaySeconds", 0):
            return
        why = failure(probe, process, run.ip, slowness, up)
        if not why:
            one.failing_live = 0.0
            return
        first = one.started + probe.get("initialDelaySeconds", 0)
        one.failing_live = one.failing_live or max(first, min(now, first + probe.get("periodSeconds", 10)))
        self._complain(run, one, "Liveness", why)
        patience = probe.get("periodSeconds", 10) * max(probe.get("failureThreshold", 3) - 1, 0)
        if now - one.failing_live >= patience:
            self._kill(run, index, one, "liveness", probe)

    def _complain(self, run: PodRun, one: Container, kind: str, why: str) -> None:
        now = self.kubelet.site.now
        if now - one.told >= _TELL_EVERY:
            one.told = now
            self.kubelet.tell(run, "Warning", "Unhealthy", f"{kind} probe failed: {why}")

    def _kill(self, run: PodRun, index: int, one: Container, kind: str, probe: JsonObject) -> None:
        process = one.process
        assert process is not None
        why = failure(probe, process, run.ip, 1.0, False) or "timeout"
        self.kubelet.tell(run, "Warning", "Unhealthy", f"{kind.capitalize()} probe failed: {why}")
        self.kubelet.tell(run, "Normal", "Killing", f"Container {one.name} failed {kind} probe, will be restarted")
        one.say(self.kubelet.site.now, 'level=info msg="received SIGTERM, shutting down"')
        self.kubelet.end(run, index, 137 if process.hung else 143, "Error")


def _is_calm(one: Container, process: Process, slowness: float) -> bool:
    """Whether nothing can have changed since all probes of a container passed."""
    return one.calm is process and slowness < _CALM_SLOWNESS and not process.hung and not process.broken


def failure(probe: JsonObject, process: Process, ip: str, slowness: float, up: bool) -> str:
    """Return why a probe fails now, in the kubelet's words, or the empty string."""
    http = probe.get("httpGet")
    target = http or probe.get("tcpSocket") or probe.get("grpc")
    if target is None:
        return ""
    port = _port(target["port"], process)
    url = f'Get "http://{ip}:{port}{http.get("path", "/")}": ' if http else ""
    if port not in process.listens or not up:
        return f"{url}dial tcp {ip}:{port}: connect: connection refused"
    if not http:
        return ""  # a hung program's kernel still accepts connections
    if process.hung or process.app.health_latency * slowness > probe.get("timeoutSeconds", 1):
        return f"{url}context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if http.get("path", "/") not in process.app.paths:
        return "HTTP probe failed with statuscode: 404"
    return "HTTP probe failed with statuscode: 503" if process.broken else ""


def _port(value: int | str, process: Process) -> int:
    """A named port means the one the container declares first, which is what the program listens on."""
    if isinstance(value, int):
        return value
    return min(process.listens) if process.listens else 0
