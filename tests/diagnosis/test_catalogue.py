"""Every cause: the smallest cluster that shows it names it first, and what refutes it silences it."""

import gc

import pytest

from copilot.core.case import Verdict
from copilot.core.cluster import ClusterDump
from copilot.diagnosis.diagnose import catalogue, diagnose
from copilot.diagnosis.facts import Facts
from tests.builders import Cluster
from tests.diagnosis.cases import CASES


@pytest.mark.parametrize("name", sorted(CASES))
def test_shows(name: str) -> None:
    found = diagnose(CASES[name][0].dump(), anomalies=CASES[name][0].alarms)
    assert found.diagnoses, f"{name} was not found"
    first = found.diagnoses[0]
    assert first.cause == name
    assert first.rests_on and all(found.cited(first))
    assert all(e.query for e in found.cited(first)), "each piece of evidence can be looked at again"
    assert first.verdict != Verdict.NO_FAULT and 0 < first.confidence <= 1


@pytest.mark.parametrize("name", sorted(CASES))
def test_refuted(name: str) -> None:
    found = diagnose(CASES[name][1].dump(), anomalies=CASES[name][1].alarms)
    assert name not in [d.cause for d in found.diagnoses]


def test_every_cause_has_a_case() -> None:
    assert {c.name for c in catalogue()} == set(CASES)


def test_declarations_are_whole() -> None:
    for cause in catalogue():
        assert cause.title and cause.summary and cause.remedy and cause.family, cause.name
        assert cause.must_see and cause.refuted_by, cause.name


def test_hint_is_never_more_than_inconclusive() -> None:
    found = diagnose(CASES["crash_loop"][0].dump()).diagnoses[0]
    assert found.verdict == Verdict.INCONCLUSIVE
    assert found.next_look


def test_details_are_documented() -> None:
    causes = {c.name: c for c in catalogue()}
    for name, (shown, _) in CASES.items():
        given = diagnose(shown.dump(), anomalies=shown.alarms).diagnoses[0].details
        assert set(given) <= set(causes[name].details), name


@pytest.mark.parametrize("workers", [1, 3])
def test_healthy_cluster_has_no_findings(workers: int) -> None:
    c = Cluster(workers=workers)
    c.app("db", port=5432, image="postgres:16")
    c.app("front", env={"DB_HOST": "db", "DB_PORT": "5432"}, replicas=2)
    assert diagnose(c.dump()).diagnoses == ()


def test_a_diagnosis_leaves_nothing_of_the_dump_behind() -> None:
    """Not even until the next full collection: circles would hold one dump for each diagnosis since the last one."""
    gc.collect()
    gc.disable()
    try:
        others = {id(one) for one in held()}
        for name, (shown, _) in CASES.items():
            diagnose(shown.dump(), anomalies=shown.alarms)
            assert not [one for one in held() if id(one) not in others], name
    finally:
        gc.enable()


def held() -> list[ClusterDump | Facts]:
    return [one for one in gc.get_objects() if isinstance(one, (ClusterDump, Facts))]
