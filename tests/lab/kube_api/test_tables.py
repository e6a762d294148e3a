"""Table cells: pod states as ``kubectl get`` prints them, and ages."""

from datetime import UTC, datetime, timedelta

import pytest

from copilot.core.value import JsonObject
from copilot.lab.kube_api.kinds import RESOURCES
from copilot.lab.kube_api.tables import columns, row
from copilot.lab.kube_api.tables.pods import status_text
from copilot.lab.kube_api.tables.text import duration

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (3599, "59m"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (50 * 3600, "2d2h"),
        (100 * 86400, "100d"),
        (3 * 365 * 86400, "3y"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def waiting(reason: str) -> JsonObject:
    return {"name": "c", "ready": False, "state": {"waiting": {"reason": reason}}}


def ended(**how: object) -> JsonObject:
    return {"name": "c", "ready": False, "state": {"terminated": how}}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff")]}, "CrashLoopBackOff"),
        ({"phase": "Pending", "containerStatuses": [waiting("ImagePullBackOff")]}, "ImagePullBackOff"),
        ({"phase": "Failed", "containerStatuses": [ended(reason="OOMKilled", exitCode=137)]}, "OOMKilled"),
        ({"phase": "Failed", "containerStatuses": [ended(exitCode=3)]}, "ExitCode:3"),
        ({"phase": "Failed", "containerStatuses": [ended(signal=9)]}, "Signal:9"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {"phase": "Pending", "initContainerStatuses": [waiting("CrashLoopBackOff") | {"name": "i"}]},
            "Init:CrashLoopBackOff",
        ),
        ({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]}, "Init:0/1"),
    ],
)
def test_pod_states(status: JsonObject, text: str) -> None:
    spec = {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]}
    assert status_text({"metadata": {"name": "p"}, "spec": spec, "status": status}) == text


def test_a_deleting_pod_is_terminating() -> None:
    meta = {"name": "p", "deletionTimestamp": "2026-03-02T12:00:00Z"}
    assert status_text({"metadata": meta, "spec": {}, "status": {"phase": "Running"}}) == "Terminating"


def test_every_row_has_as_many_cells_as_columns() -> None:
    template = {"spec": {"containers": []}}
    spec = {
        "template": template,
        "replicas": 1,
        "type": "ClusterIP",
        "schedule": "* * * * *",
        "jobTemplate": {"spec": {"template": template}},
        "scaleTargetRef": {"kind": "Deployment", "name": "x"},
        "maxReplicas": 3,
    }
    extra = {
        "addressType": "IPv4",
        "revision": 1,
        "value": 5,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
        "roleRef": {"kind": "Role", "name": "r"},
    }
    for resource in RESOURCES:
        meta = {"name": "x", "namespace": "a", "creationTimestamp": "2026-03-02T11:00:00Z"}
        obj = {"kind": resource.kind, "metadata": meta, "spec": spec, "status": {}, **extra}
        made = row(resource, obj, now=NOW, include="None")
        assert len(made["cells"]) == len(columns(resource)), resource.kind
