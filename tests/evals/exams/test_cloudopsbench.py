"""The exam's adapter on a small recorded case of our own: what the tools print becomes the same dump."""

import argparse
import json
from pathlib import Path

import pytest

from copilot.errors import CopilotError
from evals.exams._cloudops.calls import Call
from evals.exams._cloudops.checks import connectivity, daemon, dependencies
from evals.exams._cloudops.signals import alert_windows, csv_windows
from evals.exams.cloudopsbench import EXAM, TAXONOMY
from tests.builders import NOW

POD = """Name:             billing-7d9c6bdf5c-x2x2x
Namespace:        shop
Node:             node-a/10.0.0.4
Start Time:       Fri, 14 Nov 2025 21:54:11 +0800
Labels:           app=billing
                  pod-template-hash=7d9c6bdf5c
Status:           Pending
Controlled By:    ReplicaSet/billing-7d9c6bdf5c
Containers:
  server:
    Image:          ghcr.io/acme/billing:v9
    Port:           8080/TCP
    State:          Waiting
      Reason:       ImagePullBackOff
    Ready:          False
    Restart Count:  0
    Environment:
      LEDGER_ADDR:  ledger:7000
Conditions:
  Type           Status
  PodScheduled   True
  Ready          False
Events:
  Type     Reason  Age                From     Message
  ----     ------  ----               ----     -------
  Warning  Failed  15s (x2 over 30s)  kubelet  Failed to pull image "ghcr.io/acme/billing:v9": not found
"""
MANIFEST = """apiVersion: apps/v1
kind: Deployment
metadata: {name: billing, namespace: shop, labels: {app: billing}}
spec:
  selector: {matchLabels: {app: billing}}
  template:
    metadata: {labels: {app: billing}}
    spec:
      containers:
      - {name: server, image: "ghcr.io/acme/billing:v9", ports: [{containerPort: 8080}]}
"""


def case(folder: Path, cause: str = "incorrect_image_reference") -> None:
    folder.mkdir(parents=True)
    result = {"fault_taxonomy": TAXONOMY[cause], "fault_object": "app/billing", "root_cause": cause}
    (folder / "metadata.json").write_text(json.dumps({"namespace": "shop", "query": "It is down.", "result": result}))
    listed = (
        "NAME                       READY   STATUS             RESTARTS   AGE\nbilling-7d9c6bdf5c-x2x2x   0/1 "
        "    ImagePullBackOff   0          40s\n"
    )
    recorded = {
        "collection_timestamp": "2025-11-14T21:55:53",
        'DescribeResource:{"resource_type":"pods","name":"billing-7d9c6bdf5c-x2x2x","namespace":"shop"}': POD,
        'GetResources:{"resource_type":"pods","name":"","namespace":"shop"}': listed,
        'GetAppYAML:{"app_name":"billing"}': MANIFEST,
        'GetErrorLogs:{"namespace":"shop","service_name":"billing"}': '{"patterns": [{"count": 2, "sample": "x"}]}',
    }
    (folder / "tool_cache.json").write_text(json.dumps(recorded))


def test_exam_scores_cases_anywhere_below(tmp_path: Path) -> None:
    case(tmp_path / "a" / "other-system" / "startup" / "1")
    case(tmp_path / "b" / "deeper" / "system" / "startup" / "2", "missing_image_pull_secret")
    args = argparse.Namespace(data=tmp_path, perturb=7, misses=True)
    report = EXAM.run(args, lambda done, total: None)
    assert report.n == 2
    assert report.figures["a_at_1"].value == 0.5
    assert report.figures["loss"].value == 0.0
    assert report.figures["confirmed_share"].value == 1.0
    misses = report.config["misses"]
    assert isinstance(misses, list) and "missing_image_pull_secret" in misses[0]["truth"]
    assert set(report.baselines) == {"most_frequent", "newest_warning_event"}


def test_no_case_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CopilotError, match="no case below"):
        EXAM.run(argparse.Namespace(data=tmp_path, perturb=None, misses=False), lambda done, total: None)


@pytest.mark.parametrize(
    ("text", "ok"),
    [("billing (10.0.0.9:8080) open\nConnection Succeeded", True), ("Connection Failed", False),
     ("target refused or timed out", False), ("billing (10.0.0.9:8080) answers", True)],
)  # fmt: skip
def test_connectivity(text: str, ok: bool) -> None:
    found = list(connectivity(Call("CheckServiceConnectivity", {"service_name": "billing", "port": 8080}, text)))
    assert [(o.object, o.ok) for o in found] == [("billing:8080", ok)]


def test_connectivity_from_several_nodes() -> None:
    text = (
        "=== report ===\nDebug Pod test results deployed on node-a: Connection Failed\nDebug Pod test results "
        "deployed on node-b: x (10.0.0.9:80) open\n"
    )
    found = list(connectivity(Call("CheckServiceConnectivity", {"service_name": "x", "port": 80}, text)))
    assert [(o.subject, o.ok) for o in found] == [("node-a", False), ("node-b", True)]


def test_daemon() -> None:
    dead = Call(
        "CheckNodeServiceStatus", {"node_name": "n", "service_name": "kubelet"}, "  Active: inactive (dead) since Fri"
    )
    assert [o.ok for o in daemon(dead)] == [False]


def test_dependencies() -> None:
    text = "[Service]: a\n[Downstream (Calls)]:\na\n├── b\n│   └── c          <-- (Database)\n└── d\n"
    found = list(dependencies(Call("GetServiceDependencies", {"service_name": "a"}, text)))
    assert [(o.subject, o.object) for o in found] == [("a", "b"), ("b", "c"), ("a", "d")]


def test_alert_numbers_become_windows() -> None:
    evidence = [
        "SLOW | billing-p50latency: Normal=2.5ms -> Current=1200.0ms (+4%)",
        "FAILING | Normal=100.0% -> Cur=25.0%",
    ]
    alerts = {"alerts": [{"type": "Service", "name": "billing", "evidence": evidence}]}
    found = {signal: tuple(w.values) for signal, w in alert_windows(alerts, "shop", NOW)}
    assert found == {"latency_p50": (0.0025, 1.2), "error_ratio": (0.0, 0.75)}


def test_metric_table() -> None:
    text = "time,billing-p90latency,node-a-tcp_retans\n2025-01-01 00:00:00,5,0\n2025-01-01 00:00:05,7,\n"
    found = dict(csv_windows(text, "shop", {"node-a"}))
    assert tuple(found["latency_p90"].values) == (0.005, 0.007)
    assert found["node_retransmits"].labels == {"node": "node-a"}


def test_all_49_causes_have_a_taxonomy() -> None:
    assert len(TAXONOMY) == 49
