"""The real API server's masked answers, kept in files so that the lab can be held against them anywhere."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.conformance.exchange import HERE, Chapter
from tests.cluster.conformance.mask import Mask
from tests.cluster.conformance.runner import Target, run

FOLDER = HERE / "recorded"


def answers(chapter: Chapter, target: Target) -> dict[str, Any]:
    """Make the chapter's exchanges against `target` and return the masked answers by exchange id."""
    mask = Mask()
    return {name: mask.answer(answer) for name, answer in run(chapter, target).items()}


def read(chapter: Chapter) -> dict[str, Any]:
    """Return the recorded answers of a chapter by exchange id; empty when it was never recorded."""
    path = FOLDER / f"{chapter.name}.json"
    recorded: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return recorded


def write(chapter: Chapter, recorded: dict[str, Any]) -> None:
    """Record the answers of a chapter, one exchange a line."""
    FOLDER.mkdir(exist_ok=True)
    lines = [f"{json.dumps(name)}: {json.dumps(answer, ensure_ascii=False)}" for name, answer in recorded.items()]
    (FOLDER / f"{chapter.name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
