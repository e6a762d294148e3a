"""The generated pages say what the code says."""

from pathlib import Path

import pytest

from evals.pages import ROOT, pages


@pytest.mark.parametrize("path", sorted(pages()), ids=lambda p: p.name)
def test_page_is_up_to_date(path: Path) -> None:
    assert path.read_text() == pages()[path], f"run: make docs ({path.relative_to(ROOT)})"
