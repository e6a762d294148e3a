"""Every command line of the README and of the pages one follows is run, against a lab; what never ends is bounded."""

import re
import shlex
from pathlib import Path

import pytest

from tests.commands.conftest import Run, bare, lab, lab_home

__all__ = ["bare", "lab", "lab_home"]
ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/quickstart.md", "docs/lab.md", "docs/chat.md", "docs/watch.md")
EXPECTED = {0, 1}
"""Done, or a problem exists: the lab is sick on purpose."""
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_MAKE = re.compile(r"^([a-z-]+):.*##", re.MULTILINE)


def lines() -> list[str]:
    """Return the distinct lines of all console blocks."""
    found = [
        line for page in PAGES for block in _BLOCK.findall((ROOT / page).read_text()) for line in block.splitlines()
    ]
    return list(dict.fromkeys(found))


def bounded(words: list[str], home: Path, prometheus: str) -> tuple[list[str], str]:
    """Return the arguments and the input that make a line end, and point it at the lab in place of a real cluster."""
    kubeconfig = str(home / "state" / "infra-copilot" / "lab" / "kubeconfig")
    stand_ins = {"~/.kube/config": kubeconfig, "http://localhost:9090": prometheus}
    words = [stand_ins.get(word, word) for word in words]
    if words[0] == "chat":
        return [*words, "--plain", "--no-watch"], "quit\n"
    if words[0] == "demo":
        return [*words, "--headless"], ""
    if words[0] == "watch" and "--replay" in words:
        words[words.index("--replay") + 1] = "2h"
    if words[0] in ("check", "diagnose", "ask", "watch") and not {"-e", "--kubeconfig"} & set(words):
        return [*words, "-e", "lab"], ""
    return words, ""


@pytest.mark.parametrize("line", [one for one in lines() if one.startswith("infra-copilot ")])
def test_it_runs(line: str, lab: Run, lab_home: tuple[Path, object]) -> None:
    home, running = lab_home
    arguments, typed = bounded(shlex.split(line)[1:], home, running.addresses.prometheus)  # type: ignore[attr-defined]
    done = lab(*arguments, stdin=typed, seconds=240)
    assert done.returncode in EXPECTED, done.stderr
    assert "Traceback" not in done.stderr


def test_the_other_lines_are_targets_and_an_installation() -> None:
    others = [one for one in lines() if not one.startswith("infra-copilot ")]
    targets = set(_MAKE.findall((ROOT / "Makefile").read_text()))
    for line in others:
        name, _, rest = line.partition(" ")
        assert (name == "make" and rest in targets) or line == "python3 -m pip install .", line


def test_every_link_and_picture_is_there() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
