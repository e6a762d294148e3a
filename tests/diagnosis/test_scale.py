"""A cluster of 10,000 pods and 1,000 Services is diagnosed; how fast is what ``make bench`` prints."""

from copilot.core.cluster import ClusterDump
from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster


def large_cluster() -> ClusterDump:
    """Return 10,000 pods behind 1,000 Services, one of which selects nothing."""
    c = Cluster(workers=50)
    for index in range(1000):
        c.app(f"app-{index}", port=8000, replicas=10, env={"NEXT_URL": f"http://app-{(index + 1) % 1000}:8000"})
    c.get("Service", "app-500")["spec"]["selector"] = {"application": "app-500"}
    return c.dump()


def test_one_fault_among_ten_thousand_pods_is_the_only_one_named() -> None:
    found = diagnose(large_cluster())
    assert [d.cause for d in found.diagnoses] == ["service_selector_mismatch"]
