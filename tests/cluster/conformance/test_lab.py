"""The lab's API answers as the real API server was recorded to answer, but for the differences that are meant."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.cluster.conformance import recording, tour
from tests.cluster.conformance.compare import Difference, compare, differences
from tests.cluster.conformance.exchange import Exchange, chapters, exchanges
from tests.cluster.conformance.lab import lab
from tests.cluster.conformance.runner import SetupError, Target

CHAPTERS = {chapter.name: chapter for chapter in chapters()}
MEANT = differences()
COMMANDS = tour.commands()
RECORDED_TOUR = tour.read()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """One lab for all chapters: they keep to namespaces of their own."""
    with lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="module")
def answers(target: Target) -> dict[str, Any]:
    """The lab's masked answers to every exchange; a chapter that could not begin answers nothing."""
    found: dict[str, Any] = {}
    for chapter in CHAPTERS.values():
        try:
            found |= recording.answers(chapter, target)
        except SetupError as error:
            found[chapter.name] = str(error)
    return found


@cache
def _recorded(chapter: str) -> dict[str, Any]:
    return recording.read(CHAPTERS[chapter])


@pytest.mark.parametrize("exchange", exchanges(), ids=lambda exchange: exchange.id)
def test_the_lab_answers_as_the_real_api_server(exchange: Exchange, answers: dict[str, Any]) -> None:
    assert exchange.id in answers, answers.get(exchange.chapter)
    real = _recorded(exchange.chapter)[exchange.id]
    mismatches, _ = compare(exchange.id, real, answers[exchange.id], meant=MEANT)
    assert not mismatches, "\n".join(str(each) for each in mismatches)


@pytest.fixture(scope="module")
def printed(target: Target, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What kubectl prints about the lab."""
    return tour.run(target, tmp_path_factory.mktemp("kubectl"))


@pytest.mark.parametrize("place", range(len(COMMANDS)), ids=lambda place: COMMANDS[place].id)
def test_stock_kubectl_prints_the_same(place: int, printed: list[dict[str, Any]]) -> None:
    mismatches, _ = compare(f"tour/{COMMANDS[place].id}", RECORDED_TOUR[place], printed[place], meant=MEANT)
    assert not mismatches, "\n".join(str(each) for each in mismatches)


@pytest.mark.parametrize("difference", MEANT, ids=lambda difference: difference.title)
def test_every_difference_in_the_table_is_there(
    difference: Difference, answers: dict[str, Any], printed: list[dict[str, Any]]
) -> None:
    pairs = [(each.id, _recorded(each.chapter)[each.id], answers.get(each.id)) for each in exchanges()]
    pairs += [(f"tour/{each['command']}", was, each) for was, each in zip(RECORDED_TOUR, printed, strict=True)]
    needed = [
        name for name, real, ours in pairs if difference.title in compare(name, real, ours, meant=[difference])[1]
    ]
    assert needed, "no exchange and no command needs it: take it out of differences.yaml"
