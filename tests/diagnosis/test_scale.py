"""A cluster of 10,000 pods and 1,000 Services is diagnosed in seconds (issue: under 5 s)."""

import time

from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster


def test_ten_thousand_pods() -> None:
    c = Cluster(workers=50)
    for index in range(1000):
        c.app(f"app-{index}", port=8000, replicas=10, env={"NEXT_URL": f"http://app-{(index + 1) % 1000}:8000"})
    c.get("Service", "app-500")["spec"]["selector"] = {"application": "app-500"}
    dump = c.dump()
    began = time.process_time()
    found = diagnose(dump)
    seconds = time.process_time() - began
    assert [d.cause for d in found.diagnoses] == ["service_selector_mismatch"]
    assert seconds < 5, f"took {seconds:.1f} s"
