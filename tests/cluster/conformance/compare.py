"""Compare two masked answers field by field, and take the deliberate differences out."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster.conformance.exchange import HERE

ABSENT = "(absent)"


@dataclass(frozen=True)
class Mismatch:
    """One field in which the lab's answer is not the real one's."""

    exchange: str
    path: str
    real: Any
    lab: Any

    def __str__(self) -> str:
        """One line for a test report."""
        return f"{self.path}: real {_short(self.real)}, lab {_short(self.lab)}"


@dataclass(frozen=True)
class Difference:
    """A difference that is meant: where it may show, and why the lab does not do as the API server does.

    `exchange` and `path` are patterns with `*` (of `path` several may be given). With `subset`, `path` names lists of
    which the lab may hold fewer entries, but no others, and those are equal. Entries are told apart by the field that
    `subset` names, or by themselves when it is empty.
    """

    title: str
    reason: str
    exchange: str
    path: str
    subset: str | None = None

    def covers(self, mismatch: Mismatch) -> bool:
        """Say whether this is about the mismatch."""
        return self.about(mismatch.exchange) and self.at(mismatch.path)

    def about(self, exchange: str) -> bool:
        """Say whether this is about the exchange."""
        return fnmatch.fnmatchcase(exchange, self.exchange)

    def at(self, path: str) -> bool:
        """Say whether one of the patterns, separated by spaces, matches the path."""
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self.path.split())


def differences() -> list[Difference]:
    """Return the table of deliberate differences."""
    return [Difference(**entry) for entry in yaml.safe_load((HERE / "differences.yaml").read_text()) or []]


def compare(exchange: str, real: Any, lab: Any, *, meant: Sequence[Difference]) -> tuple[list[Mismatch], set[str]]:
    """Return the mismatches that no difference covers, and the titles of the differences that were needed."""
    needed: set[str] = set()
    for difference in meant:
        if difference.subset is not None and difference.about(exchange):
            real, narrowed = _narrow(real, lab, difference, "")
            needed |= {difference.title} if narrowed else set()
    left = []
    for mismatch in _mismatches(exchange, real, lab, ""):
        covering = [each.title for each in meant if each.subset is None and each.covers(mismatch)]
        needed |= set(covering[:1])
        left += [] if covering else [mismatch]
    return left, needed


def _mismatches(exchange: str, real: Any, lab: Any, path: str) -> Iterator[Mismatch]:
    if isinstance(real, dict) and isinstance(lab, dict):
        for key in [*real, *(key for key in lab if key not in real)]:
            there = f"{path}.{key}" if path else key
            yield from _mismatches(exchange, real.get(key, ABSENT), lab.get(key, ABSENT), there)
    elif isinstance(real, list) and isinstance(lab, list):
        for index in range(max(len(real), len(lab))):
            pair = [each[index] if index < len(each) else ABSENT for each in (real, lab)]
            yield from _mismatches(exchange, pair[0], pair[1], f"{path}[{index}]")
    elif type(real) is not type(lab) or real != lab:
        yield Mismatch(exchange, path, real, lab)


def _narrow(real: Any, lab: Any, difference: Difference, path: str) -> tuple[Any, bool]:
    """Return `real` with its lists at the difference's path reduced to the entries that the lab has as well."""
    if isinstance(real, list) and isinstance(lab, list):
        keys = [_key(each, difference) for each in lab]
        if difference.at(path):
            kept = sorted(
                (each for each in real if _key(each, difference) in keys), key=lambda e: keys.index(_key(e, difference))
            )
        else:
            kept = real
        pairs = [_narrow(a, b, difference, f"{path}[{i}]") for i, (a, b) in enumerate(zip(kept, lab, strict=False))]
        whole = [pair[0] for pair in pairs] + kept[len(pairs) :]
        return whole, len(kept) < len(real) or any(pair[1] for pair in pairs)
    if isinstance(real, dict) and isinstance(lab, dict):
        results = {
            key: _narrow(value, lab[key], difference, f"{path}.{key}" if path else key)
            if key in lab
            else (value, False)
            for key, value in real.items()
        }
        return {key: value for key, (value, _) in results.items()}, any(flag for _, flag in results.values())
    return real, False


def _key(entry: Any, difference: Difference) -> Any:
    for part in (difference.subset or "").split(".") if isinstance(entry, dict) else ():
        entry = (entry or {}).get(part)
    return entry


def _short(value: Any) -> str:
    text = value if value is ABSENT else repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
