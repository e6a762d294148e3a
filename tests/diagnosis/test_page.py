"""docs/causes.md says what the declarations say."""

from pathlib import Path

from copilot.diagnosis.diagnose import catalogue
from copilot.diagnosis.mechanisms import MECHANISMS
from copilot.diagnosis.page import page

PAGE = Path(__file__).parents[2] / "docs" / "causes.md"


def test_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: python -m copilot.diagnosis.page > docs/causes.md"


def test_mechanisms_name_known_causes() -> None:
    known = {c.name for c in catalogue()}
    assert {n for _, _, names in MECHANISMS for n in names} <= known
