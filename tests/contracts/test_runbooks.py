"""What every runbook must do: one suite over the whole folder."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from copilot.actions import revive
from copilot.core.case import Diagnosis, Verdict
from copilot.core.cluster import ClusterDump
from copilot.core.ref import Ref
from copilot.errors import InvalidInput
from copilot.registry import entries, modules
from runbooks.base import Runbook
from tests.runbooks.worlds import EXAMPLES

RUNBOOKS = {r.name: r for r in cast(tuple[Runbook, ...], entries("runbooks", "RUNBOOK"))}
EMPTY = ClusterDump(taken_at=datetime(2026, 1, 5, tzinfo=UTC), objects={})
every = pytest.mark.parametrize("name", sorted(RUNBOOKS))


def diagnosis(cause: str, **fields: Any) -> Diagnosis:
    given = {"verdict": Verdict.CONFIRMED, "family": "f", "object": None, "confidence": 1.0, "summary": "s"}
    return Diagnosis(cause=cause, **(given | fields))  # type: ignore[arg-type]


def test_every_runbook_has_an_example() -> None:
    assert EXAMPLES.keys() == RUNBOOKS.keys()


def test_each_is_named_after_its_file_and_explains_itself() -> None:
    for module in modules("runbooks"):
        found = getattr(module, "RUNBOOK", None)
        if found is not None:
            assert found.name == module.__name__.rpartition(".")[2]
            assert len((module.__doc__ or "").splitlines()) >= 3, "the docstring is the page that people read"
            assert found.summary.endswith(".")


@every
def test_its_causes_are_in_the_catalogue(name: str) -> None:
    known = {str(getattr(c, "name", "")) for c in entries("copilot.diagnosis.causes", "CAUSES")}
    assert set(RUNBOOKS[name].causes) <= known


@every
def test_it_proposes_nothing_where_there_is_nothing(name: str) -> None:
    refs = [
        None,
        *(Ref(kind=k, namespace="shop", name="gone") for k in ("Deployment", "Node", "GPU", "Pod", "Service")),
    ]
    for cause in RUNBOOKS[name].causes:
        for ref in refs:
            assert RUNBOOKS[name].propose(diagnosis(cause, object=ref), EMPTY) is None


@every
def test_untrusted_details_never_break_it(name: str) -> None:
    junk: list[Any] = ["--all", "$(id)", "x" * 300, 10**9, -1, None, ["a", 1], {"a": 1}, "../x", "\u202e", True]
    example = EXAMPLES[name]
    for key in {*example.diagnosis.details, "container", "variable", "expected", "port", "node", "pod", "taint"}:
        for value in junk:
            details = {**example.diagnosis.details, key: value}
            try:
                found = RUNBOOKS[name].propose(example.diagnosis.model_copy(update={"details": details}), example.dump)
            except InvalidInput:
                continue  # An action refused its arguments: that is the one way out that the agent expects.
            for call in found.actions if found else ():
                revive(call)


@every
def test_its_proposal_is_valid_and_says_who_and_why(name: str) -> None:
    example = EXAMPLES[name]
    found = RUNBOOKS[name].propose(example.diagnosis, example.dump)
    assert found is not None
    assert found.proposed_by == f"runbook:{name}"
    assert found.reason == example.diagnosis.summary
    assert [c.action for c in found.actions] == list(example.actions)
    assert found == RUNBOOKS[name].propose(example.diagnosis, example.dump), "the same again"
    seen = {Ref.of(o).key: o for objects in example.dump.objects.values() for o in objects} | example.cloud
    for call in found.actions:
        action = revive(call)
        if call.action != "drain":
            assert action.changes(seen)
