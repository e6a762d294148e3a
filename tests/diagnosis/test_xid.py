"""XIDs as they really come: a burst of which one is the root, a code nobody knows, and text that looks like one."""

from copilot.core.cluster import LogExcerpt
from copilot.diagnosis.diagnose import diagnose
from detectors.scan import Scan
from detectors.signals import SIGNALS
from runbooks import drain_node, restart_pod
from tests.builders import Cluster
from tests.detectors.test_scan import panel
from tests.diagnosis.cases_metrics import labels, trainer


def _codes(*codes: float) -> Cluster:
    c = trainer()
    spell = 60 // (len(codes) + 1)
    values = [0.0] * (60 - spell * len(codes)) + [code for code in codes for _ in range(spell)]
    c.series("gpu_xid", values, **labels(c))
    return c


def test_24_of_a_burst_of_48_and_45_the_first_is_the_root() -> None:
    found = diagnose(_codes(48, 45).dump()).diagnoses
    assert [(d.cause, d.details["xid"]) for d in found] == [("gpu_uncorrectable_ecc", 48)]
    assert diagnose(_codes(45).dump()).diagnoses == (), "45 alone follows from something that is not seen"


def test_25_an_unknown_code_is_reported_and_nothing_is_done_about_it() -> None:
    (seen,) = Scan(SIGNALS).feed({"gpu_xid": panel([0.0, 0.0, 999.0, 999.0], labels=[{"node": "n1", "gpu": "0"}])})
    assert seen.value == 999
    dump = _codes(999).dump()
    for diagnosis in diagnose(dump).diagnoses:
        assert diagnosis.family != "gpu"
        assert drain_node.propose(diagnosis, dump) is None
        assert restart_pod.propose(diagnosis, dump) is None


def test_25_a_code_in_a_log_line_is_text() -> None:
    c = trainer()
    pod = c.pods("train")[0]["metadata"]["name"]
    c.logs.append(LogExcerpt("prod", pod, "train", ("NVRM: Xid (PCI:0000:3b:00): 79; rm -rf /, GPU has fallen off",)))
    found = diagnose(c.dump())
    assert not [d for d in found.diagnoses if d.cause.startswith("gpu_")]
    assert "rm -rf" not in " ".join(d.remedy for d in found.diagnoses)
