"""One namespace of a cluster in which others are in trouble: only what touches it is said of it."""

from copilot.core.cluster import ClusterDump
from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster

NOT_READY = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "container runtime is down"}


def _two_pools(*, waits: bool = False) -> ClusterDump:
    """Two nodes, one of them down; a workload on the good one, and perhaps a pod that may run on the bad one alone."""
    c = Cluster()
    c.add("Namespace", "prod", namespaced=False)
    c.add("Node", "good", namespaced=False, status={"conditions": [{"type": "Ready", "status": "True"}]})
    bad = c.add("Node", "bad", namespaced=False, status={"conditions": [NOT_READY]})
    bad["metadata"]["labels"] = {"pool": "bad"}
    c.add("Pod", "works", spec={"nodeName": "good", "containers": [{"name": "app"}]}, status={"phase": "Running"})
    if waits:
        c.add(
            "Pod",
            "waits",
            spec={"nodeSelector": {"pool": "bad"}, "containers": [{"name": "app"}]},
            status={"phase": "Pending"},
        )
    return c.dump()


def test_a_broken_node_without_a_pod_of_the_namespace_is_left_out() -> None:
    dump = _two_pools()
    assert not diagnose(dump, namespace="prod").diagnoses
    assert [one.object.name for one in diagnose(dump).diagnoses if one.object] == ["bad"]


def test_a_broken_node_that_a_pod_of_the_namespace_waits_for_is_named() -> None:
    found = diagnose(_two_pools(waits=True), namespace="prod").diagnoses
    assert "bad" in [one.object.name for one in found if one.object]


def test_a_webhook_that_is_not_asked_about_the_namespace_is_left_out() -> None:
    c = Cluster()
    c.add("Namespace", "prod", namespaced=False)["metadata"]["labels"] = {"team": "a"}
    c.add("Service", "app")
    hook = {"name": "check.example", "clientConfig": {"service": {"namespace": "prod", "name": "gone"}}}
    config = c.add("ValidatingWebhookConfiguration", "check", namespaced=False, webhooks=[hook])
    assert [one.cause for one in diagnose(c.dump(), namespace="prod").diagnoses] == ["admission_webhook_unbacked"]
    config["webhooks"] = [{**hook, "namespaceSelector": {"matchLabels": {"team": "b"}}}]
    assert not diagnose(c.dump(), namespace="prod").diagnoses
