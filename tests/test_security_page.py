"""``docs/security.md`` does not rot: each of the 79 cases is there once, and every test that it names exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "security.md"
CASES = 79
ROWS = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
NAMED = sorted({name for *_, tests in ROWS for name in re.findall(r"`([^`]+)`", tests)})


@cache
def functions(path: str) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse((TESTS / path).read_text())
    return {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_case_is_there_once_with_an_answer_and_a_test() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, CASES + 1))
    for number, case, answer, tests in ROWS:
        assert case.strip(), number
        assert answer.strip(), number
        assert re.fullmatch(r"(`[\w/]+\.py::test_\w+` ?)+", tests), number


@pytest.mark.parametrize("name", NAMED)
def test_what_it_names_is_a_test_that_asserts_something(name: str) -> None:
    path, _, function = name.partition("::")
    assert function in functions(path)
    body = ast.unparse(functions(path)[function])
    assert re.search(r"\bassert\b|pytest\.raises|\b(finish|at_cases)\(", body), "it shows nothing"


def test_a_number_in_a_tests_name_is_its_case() -> None:
    for number, *_, tests in ROWS:
        said = re.findall(r"::test_(\d+)_", tests)
        assert set(said) <= {number}, tests
