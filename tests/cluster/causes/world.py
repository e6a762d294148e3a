"""Making every case at once on a control plane, and asking about each with the reader's credential."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from copilot.app import Depth, open_app
from copilot.config import Settings
from copilot.core.case import Diagnosis, Verdict
from tests.cluster.causes.case import COMMON, Case, manifests, node
from tests.cluster.client import ApiClient, JsonObject
from tests.cluster.control_plane import ControlPlane
from tests.cluster.play import await_account
from tests.cluster.processes import wait_until
from tests.cluster.workloads import FAULT, gpu_node

SETTLE = timedelta(seconds=35)
"""From the last change on: schedulers and controllers back off, and diagnosis has patience with what is young."""


@dataclass(frozen=True)
class Answer:
    """What was said about one case, most important first, what the newest Warning event says, and how long it took."""

    case: Case
    said: tuple[tuple[str, str, str], ...]
    """(cause, Kind/name, verdict) of each finding."""
    newest: str
    seconds: float
    confidence: float = 0.0
    """How sure the first finding is."""

    @property
    def verdict(self) -> str:
        """The verdict of the first finding; empty when nothing was said."""
        return self.said[0][2] if self.said else ""

    @property
    def right(self) -> bool:
        """Whether the cause and the object come first."""
        return bool(self.said) and self.said[0][:2] == (self.case.cause, self.case.object)

    @property
    def right_in_three(self) -> bool:
        """Whether both are among the first three."""
        return (self.case.cause, self.case.object) in [one[:2] for one in self.said[:3]]

    @property
    def baseline_right(self) -> bool:
        """Whether the newest Warning event tells the cause."""
        return bool(self.case.told) and re.search(self.case.told, self.newest) is not None


def build(cases: Sequence[Case], plane: ControlPlane) -> None:
    """Make every case, let it be well where it changes later, break it, and wait until all has settled."""
    admin = plane.client()
    common = gpu_node(COMMON)
    common["metadata"]["labels"]["pool"] = COMMON
    common["status"]["allocatable"]["pods"] = common["status"]["capacity"]["pods"] = "500"
    admin.create(common)
    for case in cases:
        labels = {"kubernetes.io/metadata.name": case.namespace} | case.labels
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": case.namespace, "labels": labels}})
        admin.create_all(node(case, number) for number in range(len(case.nodes)))
    for case in cases:
        await_account(admin, case.namespace)
        admin.create_all(manifests(case))
    for case in cases:
        if case.then:
            wait_until(lambda case=case: _all_run(admin, case), what=f"{case.name} is well")  # type: ignore[misc]
    for case in cases:
        for change in case.then:
            _send(admin, case, change)
    for case in cases:
        for report in case.kubelet:
            _report(admin, case, report)
        _break_nodes(admin, case)
    time.sleep(SETTLE.total_seconds())


def _all_run(admin: ApiClient, case: Case) -> bool:
    wanted = sum(short.get("replicas", 1) for short in case.objects if short["kind"] == "Deployment")
    found = _pods(admin, case)
    return len(found) == wanted and all(pod["status"].get("phase") == "Running" for pod in found)


def _pods(admin: ApiClient, case: Case, app: str = "") -> list[JsonObject]:
    chosen = {"labelSelector": f"app={app}"} if app else {}
    found: list[JsonObject] = admin.get(f"/api/v1/namespaces/{case.namespace}/pods", **chosen)["items"]
    return found


def _send(admin: ApiClient, case: Case, change: JsonObject) -> None:
    path = str(change["path"])
    if change.get("delete"):
        admin.delete(path)
        return
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    answer = admin.http.patch(path, json=change["patch"], headers=headers)
    assert answer.is_success, f"{case.name}: {answer.text}"


def _break_nodes(admin: ApiClient, case: Case) -> None:
    """Give the nodes their fault: one of KWOK's, or a condition written by hand."""
    for number, short in enumerate(case.nodes):
        path = f"/api/v1/nodes/{case.namespace}-{number}"
        if "fault" in short:
            admin.patch(path, {"metadata": {"annotations": {FAULT: short["fault"]}}})
        for condition in short.get("conditions", ()):
            now = _text(datetime.now(UTC))
            stamped = {"lastHeartbeatTime": now, "lastTransitionTime": now} | condition
            headers = {"Content-Type": "application/strategic-merge-patch+json"}
            answer = admin.http.patch(f"{path}/status", json={"status": {"conditions": [stamped]}}, headers=headers)
            assert answer.is_success, answer.text


def _report(admin: ApiClient, case: Case, report: JsonObject) -> None:
    """Say of every pod of an app what its node agent would."""
    app = str(report["app"])
    wait_until(lambda: bool(_pods(admin, case, app)), what=f"pods of {case.name}/{app}")
    if "status" in report:
        wait_until(
            lambda: all(pod["spec"].get("nodeName") for pod in _pods(admin, case, app)), what=f"{case.name}: node"
        )
    for pod in _pods(admin, case, app):
        if "status" in report:
            path = f"/api/v1/namespaces/{case.namespace}/pods/{pod['metadata']['name']}/status"
            admin.patch(path, {"status": _complete(report["status"])})
        for event in report.get("events", ()):
            admin.create(_event(pod, event))


def _complete(status: JsonObject) -> JsonObject:
    """Return a pod's status with its times and the conditions that follow from its containers."""
    now = _text(datetime.now(UTC) - timedelta(seconds=20))
    containers = [{"name": "app", "image": "", "imageID": "", "ready": False, "restartCount": 0} | one
                  for one in status.get("containers", ())]  # fmt: skip
    ready = bool(containers) and all(one["ready"] for one in containers)
    told = {"status": str(ready), "lastTransitionTime": now}
    why = {} if ready else {"reason": "ContainersNotReady", "message": "containers with unready status: [app]"}
    conditions = [{"type": kind} | told | why for kind in ("Ready", "ContainersReady")]
    rest = {key: value for key, value in status.items() if key != "containers"}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
    always = {"phase": "Running", "startTime": now, "podIP": "10.244.9.9", "conditions": [scheduled, *conditions]}
    complete: JsonObject = always | {"containerStatuses": _timed(containers, now)} | _timed(rest, now)
    return complete


def _timed(value: Any, now: str) -> Any:
    """Return a value with `now` in its texts replaced by the time."""
    if isinstance(value, dict):
        return {key: _timed(one, now) for key, one in value.items()}
    if isinstance(value, list):
        return [_timed(one, now) for one in value]
    return now if value == "now" else value


def _event(pod: JsonObject, short: JsonObject) -> JsonObject:
    about = {"apiVersion": "v1", "kind": "Pod"} | {key: pod["metadata"][key] for key in ("namespace", "name", "uid")}
    last = datetime.now(UTC) - timedelta(minutes=short.get("minutes_ago", 0))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "said-", "namespace": about["namespace"]},
        "involvedObject": about,
        "type": short.get("type", "Warning"),
        "reason": short["reason"],
        "message": str(short["message"]).replace("{pod}", about["name"]),
        "count": short.get("count", 1),
        "firstTimestamp": _text(last - timedelta(minutes=1)),
        "lastTimestamp": _text(last),
        "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
    }


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ask(
    cases: Sequence[Case],
    plane: ControlPlane,
    folder: Path,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Answer]:
    """Diagnose every case's namespace, one after the other, with reader rights, Prometheus and no model."""
    return asyncio.run(_ask(cases, plane, folder, progress))


async def _ask(
    cases: Sequence[Case], plane: ControlPlane, folder: Path, progress: Callable[[int, int], None]
) -> list[Answer]:
    assert plane.prometheus is not None
    settings = Settings(
        environment="causes", state_home=folder, kubeconfig=plane.kubeconfig("reader"), prometheus=plane.prometheus.url
    )
    answers = []
    async with open_app(settings, Depth.LOOK) as app:
        for case in cases:
            started = time.perf_counter()
            found = await app.copilot.diagnose(namespace=case.namespace)
            spent = time.perf_counter() - started
            accused = [one for one in found.diagnoses if one.verdict is not Verdict.NO_FAULT]
            newest = newest_warning(plane.client("reader"), case)
            sure = accused[0].confidence if accused else 0.0
            answers.append(Answer(case, tuple(_said(one) for one in accused), newest, spent, sure))
            progress(len(answers), len(cases))
    return answers


def _said(one: Diagnosis) -> tuple[str, str, str]:
    what = f"{one.object.kind}/{one.object.name}" if one.object else ""
    return one.cause, what, one.verdict.value


def newest_warning(reader: ApiClient, case: Case) -> str:
    """Return the newest Warning event of a case's namespace, as text: the trivial diagnosis."""
    events = reader.get(f"/api/v1/namespaces/{case.namespace}/events", fieldSelector="type=Warning")["items"]
    newest = max(events, key=_last, default=None)
    return f"{newest['reason']}: {newest.get('message', '')}" if newest else ""


def _last(event: JsonObject) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max(str(at)[:19] for at in (*times, event["metadata"]["creationTimestamp"]) if at)
