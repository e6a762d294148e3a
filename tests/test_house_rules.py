"""The house rules, held by a machine: sizes, names, where the environment is read, what must not be written."""

import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("copilot", "detectors", "runbooks", "tui", "evals")
SOURCES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))
BROAD_EXCEPT_ALLOWED = {"copilot/watch.py", "copilot/cli.py"}
"""The two named places: the loop that must outlive one bad pass, and the last line of defence before a traceback."""
TOP_LEVEL = {
    *("pyproject.toml", "copilot", "detectors", "runbooks", "tui", "evals", "tests", "docs", "deploy", "README.md"),
    *("LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "requirements.lock"),
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_modules_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


def test_the_median_module_is_about_a_hundred_lines() -> None:
    assert statistics.median(len(p.read_text().splitlines()) for p in SOURCES if p.name != "__init__.py") <= 130


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_functions_are_short(path: Path) -> None:
    long = [f.name for f in _functions(_tree(path)) if (f.end_lineno or 0) - f.lineno + 1 > 40]
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_public_names_are_documented(path: Path) -> None:
    tree = _tree(path)
    missing = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            missing += [] if ast.get_docstring(node) else [node.name]
    assert not missing


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_broad_except_outside_two_places(path: Path) -> None:
    broad = [
        n.lineno
        for n in ast.walk(_tree(path))
        if isinstance(n, ast.ExceptHandler)
        and (n.type is None or (isinstance(n.type, ast.Name) and n.type.id in ("Exception", "BaseException")))
    ]
    assert not broad or _name(path) in BROAD_EXCEPT_ALLOWED


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    if _name(path) == "copilot/config.py":
        return
    reads = [
        n.lineno
        for n in ast.walk(_tree(path))
        if isinstance(n, ast.Attribute)
        and isinstance(n.value, ast.Name)
        and n.value.id == "os"
        and n.attr in ("environ", "getenv")
    ]
    assert not reads


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_shell_and_no_eval(path: Path) -> None:
    bad = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else ""
            bad += [called] if called in ("eval", "exec") else []
            bad += [k.arg for k in node.keywords if k.arg == "shell" and not _is_false(k.value)]
    assert not bad


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_names_are_nouns_of_the_trade(path: Path) -> None:
    assert path.stem not in ("utils", "helpers", "common", "misc")
    vague = re.compile(r"(Manager|Handler|Helper|Utils|Impl)$")
    assert not [n.name for n in ast.walk(_tree(path)) if isinstance(n, ast.ClassDef) and vague.search(n.name)]


def _tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return done.stdout.splitlines()


def test_the_top_level_is_the_one_given() -> None:
    top = {name.split("/")[0] for name in _tracked()}
    assert {t for t in top if not t.startswith(".")} <= TOP_LEVEL


def test_nothing_names_a_machine_or_a_package_host() -> None:
    pattern = re.compile(r"(?<![\w.$~{])/(?:work|farm)/|/tmp/bash_jobs|https?://[\w.-]*(?:pypi|pythonhosted)")
    here = "tests/test_house_rules.py"
    texts = [t for t in _tracked() if t != here and not t.endswith((".png", ".svg", ".sum", ".xz"))]
    found = [t for t in texts if (ROOT / t).is_file() and pattern.search((ROOT / t).read_text(errors="replace"))]
    assert not found


def test_no_uv_lock() -> None:
    assert "uv.lock" not in _tracked()
