"""What the exporters of the world expose right now, in Prometheus' text format."""

import re

from copilot.lab.history import Family, History, escape, exposed

_COUNTER_PARTS = ("_bucket", "_sum", "_count")


def exposition(history: History, *, job: str = "") -> str:
    """Return the newest samples of one job, or of all, as ``text/plain; version=0.0.4`` without timestamps."""
    families: dict[str, list[str]] = {}
    for labels, value in history.latest():
        if job in ("", labels.get("job", "")) and labels["__name__"] != "up":
            families.setdefault(history.family_of(labels["__name__"]), []).append(f"{exposed(labels)} {_number(value)}")
    lines: list[str] = []
    for name in sorted(families):
        family = history.families.get(name, Family(name, "unknown", ""))
        kind = "untyped" if family.kind == "unknown" else family.kind
        lines += [f"# HELP {name} {escape(family.help)}", f"# TYPE {name} {kind}", *_ordered(families[name])]
    return "\n".join(lines) + "\n" if lines else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


_LE = re.compile(r'le="([^"]+)",?')


def _ordered(lines: list[str]) -> list[str]:
    """Histogram lines grouped by label set with ascending buckets; everything else as it is."""
    if not any("_bucket{" in line for line in lines):
        return lines
    return sorted(lines, key=_place)


def _place(line: str) -> tuple[str, int, float]:
    found = _LE.search(line)
    head = line.rsplit(" ", 1)[0]
    part = next((i for i, suffix in enumerate(_COUNTER_PARTS) if f"{suffix}{{" in head), 0)
    group = _LE.sub("", head).replace(_COUNTER_PARTS[part], "", 1)
    return group, part, float(found.group(1)) if found else 0.0
