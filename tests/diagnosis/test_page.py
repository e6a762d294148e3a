"""docs/causes.md says what the declarations say."""

from pathlib import Path

import pytest

from copilot.diagnosis.diagnose import catalogue, diagnose
from copilot.diagnosis.mechanisms import MECHANISMS, TRACELESS
from copilot.diagnosis.page import page
from tests.builders import Cluster

PAGE = Path(__file__).parents[2] / "docs" / "causes.md"


def test_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m copilot.diagnosis.page > docs/causes.md"


def test_mechanisms_name_known_causes() -> None:
    known = {c.name for c in catalogue()}
    assert {n for _, _, names in MECHANISMS for n in names} <= known


def test_every_mechanism_has_one_row_with_its_status() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| ") and line.count("|") == 4]
    named = [m for m, _, names in MECHANISMS if names]
    assert len(rows) - 1 == len(MECHANISMS) + len(TRACELESS) == len({r.split("|")[1] for r in rows}) - 1
    assert sum("`" in row.split("|")[3] for row in rows) == len(named)
    assert all(sum(f"| {m} |" in row for row in rows) == 1 for m in named)


@pytest.mark.parametrize(
    "line",
    [
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOAUTH Authentication required.",
        "server returned error on SASL authentication step: Authentication failed.",
        'not authorized on rate-db to execute command { find: "inventory" }',
        "UserNotFound: Could not find user admin@rate-db",
    ],
)
def test_stores_that_refuse_a_client_are_named_whatever_they_are(line: str) -> None:
    c = Cluster()
    c.app("rates", port=27017, image="mongo:7")
    c.app("orders", env={"STORE_ADDR": "rates:27017"})
    c.log("orders", *[line] * 9)
    found = diagnose(c.dump()).diagnoses
    assert [d.cause for d in found] == ["database_credentials_rejected"]
