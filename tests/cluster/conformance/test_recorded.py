"""The committed recording is what the real API server answers today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conformance import recording, tour
from tests.cluster.conformance.compare import compare
from tests.cluster.conformance.exchange import Chapter, chapters
from tests.cluster.conformance.record import target_of
from tests.cluster.control_plane import ControlPlane

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.name)
def test_the_real_api_server_answers_as_recorded(chapter: Chapter, bare_api_server: ControlPlane) -> None:
    recorded = recording.read(chapter)
    answered = recording.answers(chapter, target_of(bare_api_server))
    assert set(recorded) == set(answered), "record anew: python -m tests.cluster.conformance.record"
    mismatches = [found for name in recorded for found in compare(name, recorded[name], answered[name], meant=[])[0]]
    assert not mismatches, "\n".join(f"{each.exchange} {each}" for each in mismatches)


def test_stock_kubectl_prints_as_recorded(bare_api_server: ControlPlane, tmp_path: Path) -> None:
    printed = tour.run(target_of(bare_api_server), tmp_path)
    recorded = tour.read()
    assert [each["command"] for each in recorded] == [each["command"] for each in printed]
    differing = [(was, now) for was, now in zip(recorded, printed, strict=True) if was != now]
    assert not differing
