"""Prompts: files beside this package, known by name and by the digest of their bytes."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "prompts"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt; ``version`` is kept with whatever it led to."""

    name: str
    text: str
    sha256: str

    @property
    def version(self) -> str:
        """Name and the beginning of the digest."""
        return f"{self.name}@{self.sha256[:12]}"


@cache
def load(name: str) -> Prompt:
    """Return the prompt of a file ``prompts/NAME.md``."""
    raw = (_FOLDER / f"{name}.md").read_bytes()
    return Prompt(name, raw.decode(), hashlib.sha256(raw).hexdigest())
