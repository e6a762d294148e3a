"""What a plan says to people, and what of it is signed."""

from datetime import UTC, datetime

import pytest

from copilot.core.plan import Check, Plan

AT = datetime(2026, 3, 1, tzinfo=UTC)
ERRORS = Check(query="errors", title="error_ratio of workload/api -n shop", below=0.05)


def plan(check: Check) -> Plan:
    return Plan(
        title="t",
        reason="r",
        proposed_by="runbook:x",
        environment="lab",
        policy_version="p",
        steps=(),
        checks=(check,),
        created=AT,
        expires=AT,
    )


def test_plans_signed_before_checks_had_units_keep_their_digest() -> None:
    signed = "3239fe36fa175b5bc29e64bb89c612f7e70936d154b37b55392b71c6cd5022a4"
    assert plan(ERRORS).digest == signed
    assert Plan.model_validate_json(plan(ERRORS).model_dump_json()).digest == signed


def test_a_unit_is_signed_and_survives_the_store() -> None:
    shown = plan(ERRORS.model_copy(update={"unit": "ratio"}))
    assert shown.digest != plan(ERRORS).digest
    stored = Plan.model_validate_json(shown.model_dump_json())
    assert stored == shown
    assert stored.digest == shown.digest


@pytest.mark.parametrize(
    ("bound", "unit", "said"),
    [
        ({"below": 0.05}, "ratio", "below 5 %"),
        ({"above": 12.0}, "1/s", "above 12/s"),
        ({"below": 0.25}, "s", "below 250 ms"),
        ({"below": 0.05}, "", "below 0.05"),
        ({}, "s", ""),
    ],
)
def test_bounds_are_said_in_their_unit(bound: dict[str, float], unit: str, said: str) -> None:
    assert Check(query="q", title="t", unit=unit, **bound).limit == said


@pytest.mark.parametrize(
    ("title", "halves"),
    [
        ("share of failed requests of workload/api -n shop", ("share of failed requests", "workload/api -n shop")),
        ("memory used of its limit of pod/a -n b", ("memory used of its limit", "pod/a -n b")),
        ("deployment/api -n shop is ready", ("deployment/api -n shop is ready", "")),
    ],
)
def test_a_title_names_the_metric_and_the_object(title: str, halves: tuple[str, str]) -> None:
    assert Check(query="q", title=title).metric_and_object == halves
