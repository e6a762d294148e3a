"""Why a pod has no node, where nodes that it may not use are in the scheduler's count as well."""

import pytest

from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster

TAINT = {"taints": [{"key": "maintenance", "effect": "NoSchedule"}]}


def _pending(message: str) -> Cluster:
    c = Cluster()
    c.add("Node", "a", namespaced=False, spec=TAINT)["metadata"]["labels"] = {"pool": "a"}
    c.add("Node", "b", namespaced=False)["metadata"]["labels"] = {"pool": "b"}
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    c.add(
        "Pod",
        "p",
        spec={"nodeSelector": {"pool": "c"}, "containers": [{"name": "app"}]},
        status={"phase": "Pending", "conditions": [told]},
    )
    return c


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
            "1 node(s) had untolerated taint {maintenance: }.",
            "node_selector_unsatisfied",
        ),
        (
            "0/2 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity, "
            "1 node(s) didn't match Pod's node affinity/selector.",
            "volume_node_affinity_conflict",
        ),
    ],
)
def test_the_reason_is_that_of_the_nodes_that_the_pod_may_use(message: str, cause: str) -> None:
    assert cause in [one.cause for one in diagnose(_pending(message).dump()).diagnoses]
