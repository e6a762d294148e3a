"""Calibration: counted right, merged from saved reports, and printed so that a person can read it."""

import json
from pathlib import Path
from typing import Any

import pytest

from copilot.errors import InvalidInput
from evals import figures as page
from evals.__main__ import main
from evals.calibration import bins, figures, table
from evals.exam import RANKED, Given, Said, tally
from evals.exams.calibration import saved

SAID = tally(
    [
        *[Given("CONFIRMED", 0.97, True)] * 97,
        *[Given("CONFIRMED", 0.97, False)] * 3,
        *[Given("LIKELY", 0.8, True)] * 15,
        *[Given("LIKELY", 0.8, False)] * 5,
        *[Given("", 0.0, False)] * 5,
    ]
)


def report(path: Path, name: str, said: tuple[Said, ...] = SAID, **changes: Any) -> Path:
    told = [{"verdict": s.verdict, "confidence": s.confidence, "n": s.n, "right": s.right} for s in said]
    found = {"exam": name, "n": 125, "seconds": 1.0, "figures": {"right": {"value": 0.9, "ci95": [0.8, 1.0]}},
             "baselines": {}, "below_must": [], "said": told, "command": f"python -m evals {name}",
             "config": {"folder": "/somewhere"}}  # fmt: skip
    path.write_text(json.dumps(found | changes))
    return path


def test_answers_are_counted_by_verdict_and_confidence() -> None:
    assert (Said("", 0.0, 5, 0), Said("CONFIRMED", 0.97, 100, 97), Said("LIKELY", 0.8, 20, 15)) == SAID


def test_share_of_confirmed_counts_cases_without_an_answer_and_precision_does_not() -> None:
    found = figures(SAID)
    assert found["confirmed_right"].value == pytest.approx(0.97)
    assert found["confirmed_share"].value == pytest.approx(100 / 125)
    assert found["calibration_error"].value == pytest.approx(20 * 0.05 / 120)
    assert found["brier"].value == pytest.approx((97 * 0.03**2 + 3 * 0.97**2 + 15 * 0.2**2 + 5 * 0.8**2) / 120)


def test_bins_hold_every_answer_once_and_the_surest_too() -> None:
    edges = tally(Given("LIKELY", c, True) for c in (0.0, 0.5, 0.7, 0.85, 0.95, 1.0))
    found = bins(edges)
    assert sum(b.n for b in found) == 6 and [b.n for b in found] == [1, 1, 1, 1, 2]


def test_a_ranking_is_shown_and_is_no_diagnosis() -> None:
    ranked = tally([Given(RANKED, 0.6, True)])
    assert figures((*SAID, *ranked)) == figures(SAID)
    rows = table({"lab": SAID, "petshop": ranked}).splitlines()
    assert sum("petshop" in row for row in rows) == 1 and sum("all diagnoses" in row for row in rows) == 2


def test_one_command_prints_reliability_of_saved_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(report(tmp_path / "lab.json", "lab")), str(report(tmp_path / "real.json", "realcauses"))]
    assert main(["calibration", "--reports", *paths]) == 0
    told = capsys.readouterr().out
    assert "| all diagnoses | 0.95 to 1.00 | 200 | 0.970 | 0.970 |" in told
    assert "realcauses.confirmed_right" in told and ">= 0.97" in told


def test_below_the_must_is_exit_1_and_no_report_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tally([*[Given("CONFIRMED", 0.97, True)] * 9, Given("CONFIRMED", 0.97, False)])
    assert main(["calibration", "--reports", str(report(tmp_path / "a.json", "lab", wrong))]) == 1
    (tmp_path / "b.json").write_text("no report")
    assert main(["calibration", "--reports", str(tmp_path / "b.json")]) == 2
    assert main(["calibration"]) == 2
    assert "Save what --json prints" in capsys.readouterr().err


def test_the_json_says_the_command_without_this_machines_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = report(tmp_path / "lab.json", "lab")
    main(["calibration", "--reports", str(path), "--json"])
    assert json.loads(capsys.readouterr().out)["command"] == "python -m evals calibration --reports FILE"


def test_the_page_takes_saved_reports_in_and_tells_calibration(tmp_path: Path) -> None:
    kept = {name: page.saved(report(tmp_path / name, name)) for name in ("lab", "realcauses")}
    assert "config" not in kept["lab"]
    text = page.page(kept)
    assert "## lab" in text and "`python -m evals lab`: n = 125" in text and "| right | 0.9 | 0.8 to 1 |" in text
    assert "## Calibration" in text and "| all diagnoses | 0.95 to 1.00 | 200 |" in text
    assert "/somewhere" not in text


def test_reports_of_expensive_exams_are_merged_into_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DOCS", tmp_path)
    lab, real = (str(report(tmp_path / f"{name}.saved", name)) for name in ("lab", "realcauses"))
    for merged in (lab, real):
        monkeypatch.setattr("sys.argv", ["figures", "--merge", merged])
        assert page.main() == 0
    text = (tmp_path / "figures.md").read_text()
    assert "## lab" in text and "## realcauses" in text
    assert set(json.loads((tmp_path / "figures.json").read_text())) == {"lab", "realcauses"}


def test_what_is_no_report_is_refused(tmp_path: Path) -> None:
    for text in ("", "{}", "[]", '{"exam": "lab"}'):
        (tmp_path / "x").write_text(text)
        for read in (saved, page.saved):
            with pytest.raises(InvalidInput):
                read(tmp_path / "x")
