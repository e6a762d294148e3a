"""The indented text of ``kubectl describe`` as a tree, and the small value formats that it prints."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_KEY = re.compile(r"^([^\s:][^:]*(?::[^\s:]+)*?):(?:[ \t]+(.*))?$")
_AGE = re.compile(r"(\d+)(y|d|h|m|s)")
_SECONDS = {"y": 31_536_000, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_NOTHING = {"", "<none>", "<unset>", "<nil>", "<unknown>", "none"}


@dataclass(slots=True)
class Entry:
    """One ``Key:  value`` line with the deeper-indented lines that follow it."""

    key: str
    value: str = ""
    rest: list[str] = field(default_factory=list)

    @property
    def children(self) -> "list[Entry]":
        """Entries one level deeper."""
        return entries(self.rest)

    def child(self, key: str) -> "Entry":
        """Return the first child with that key, or an empty entry."""
        return find(self.children, key)

    def lines(self) -> list[str]:
        """Return the value and its continuation lines, stripped, without ``<none>``."""
        return [line.strip() for line in (self.value, *self.rest) if line.strip() not in _NOTHING]

    def pairs(self) -> dict[str, str]:
        """Return ``k=v`` (labels) or ``k: v`` (annotations) lines as a mapping."""
        found: dict[str, str] = {}
        for line in self.lines():
            cut = line.find("=") if "=" in line and ": " not in line.split("=", 1)[0] else line.find(":")
            if cut > 0:
                found[line[:cut].strip()] = line[cut + 1 :].strip()
        return found


def entries(lines: list[str]) -> list[Entry]:
    """Split lines at the smallest indent into entries; deeper lines belong to the entry above them."""
    kept = [line.replace("\t", "    ").rstrip() for line in lines]
    indents = [len(line) - len(line.lstrip()) for line in kept if line.strip()]
    if not indents:
        return []
    base, found = min(indents), list[Entry]()
    for line in kept:
        text = line.strip()
        matched = _KEY.match(text) if line.strip() and len(line) - len(line.lstrip()) == base else None
        if matched:
            found.append(Entry(matched[1].strip(), (matched[2] or "").strip()))
        elif found:
            found[-1].rest.append(line)
    return found


def find(among: list[Entry], key: str) -> Entry:
    """Return the first entry with that key, or an empty one."""
    return next((e for e in among if e.key == key), Entry(key))


def text_value(value: str) -> str:
    """Return the value, with kubectl's words for nothing as an empty string."""
    return "" if value.strip() in _NOTHING else value.strip()


def age_seconds(text: str) -> float | None:
    """Return the seconds of an age such as ``2m41s``, ``3d4h``; None when it is not an age."""
    parts = _AGE.findall(text)
    if not parts or "".join(f"{n}{u}" for n, u in parts) != text:
        return None
    return float(sum(int(n) * _SECONDS[u] for n, u in parts))


def ago(age: str, now: datetime) -> str:
    """Return the RFC 3339 moment that lies ``age`` before ``now``; empty when the age cannot be read."""
    seconds = age_seconds(age)
    return "" if seconds is None else (now - timedelta(seconds=seconds)).isoformat()


def moment(text: str) -> str:
    """Return ``Fri, 14 Nov 2025 21:54:11 +0800`` as RFC 3339; other text is returned empty."""
    try:
        return datetime.strptime(text.strip(), "%a, %d %b %Y %H:%M:%S %z").isoformat()
    except ValueError:
        return ""


def table(lines: list[str]) -> list[dict[str, str]]:
    """Read a table with a header row, cut by the columns' starting positions; ``---`` rows are skipped."""
    rows = [line for line in lines if line.strip() and set(line.strip()) - set("- ")]
    if len(rows) < 2:
        return []
    starts = [m.start() for m in re.finditer(r"(?<!\S)\S(?:\S| (?! ))*", rows[0])]
    names = [rows[0][a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
    return [
        {name: row[a:b].strip() for name, a, b in zip(names, starts, [*starts[1:], None], strict=True)}
        for row in rows[1:]
    ]
