"""The exam of causes on the real control plane meets its musts, and its cases are what they claim to be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from evals.exam import missed
from evals.exams.realcauses import EXAM, report
from tests.cluster.causes.case import cases
from tests.cluster.causes.world import ask, build
from tests.cluster.conftest import PARTS
from tests.cluster.control_plane import control_plane


def test_there_are_enough_cases() -> None:
    found = cases()
    assert len({case.cause for case in found if case.cause}) >= 40
    assert sum(not case.cause for case in found) >= 10
    assert len({case.name for case in found}) == len(found)
    assert all(bool(case.cause) == bool(case.object) for case in found)


@pytest.mark.cluster
@pytest.mark.timeout(400)
def test_causes_are_named_and_what_is_well_is_left_alone(
    needs_programs: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.perf_counter()
    found = cases()
    with control_plane(tmp_path / "plane", PARTS) as plane:
        build(found, plane)
        answers = ask(found, plane, tmp_path / "state")
    result = report(answers, seconds=time.perf_counter() - begun)
    with capsys.disabled():
        values = ", ".join(f"{name} {figure.value:.3g}" for name, figure in result.figures.items())
        print(f"\nrealcauses ({result.n}): {values}; beside {result.baselines}")
    assert not missed(result.figures, EXAM.must), result.config
