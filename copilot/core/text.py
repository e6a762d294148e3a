"""Untrusted text made inert, secrets taken out, and small formatting shared by every surface."""

import re
import unicodedata

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-_])")
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_CHAT_TOKENS = re.compile(r"<\|[^|>]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>")
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        "[private key]",
    ),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), "[aws key id]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), "[token]"),
    (re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}|\bxapp-[A-Za-z0-9-]{8,}"), "[slack token]"),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"), "[token]"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{20,}"), "[api key]"),
    (
        re.compile(
            r"(?i)(\b[\w-]*(?:password|passwd|secret|token|api[_-]?key|client-key-data)[\w-]*[\"']?\s*[:=]\s*)(\"[^\"]{3,}\"|'[^']{3,}'|[^\s,;\"'&]{3,})"
        ),
        r"\1[redacted]",
    ),
    (re.compile(r"(?i)(authorization:\s*(?:bearer|basic)\s+)\S+"), r"\1[redacted]"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)[^\s@/]+@"), r"\1[redacted]@"),
)


def inert(text: str, limit: int = 2000) -> str:
    """Return text that cannot steer a terminal, a renderer or a chat template: escapes and control characters go.

    Newlines and tabs stay. Text longer than ``limit`` characters is cut, and says so.
    """
    plain = _CHAT_TOKENS.sub(" ", _ANSI.sub("", text))
    kept = "".join(c for c in plain if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs"))
    return kept if len(kept) <= limit else f"{kept[:limit]}… ({len(kept) - limit} more characters)"


def redact(text: str) -> str:
    """Return text without secrets: keys, tokens, passwords in assignments and in URLs."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def one_line(text: str, limit: int = 200) -> str:
    """Return inert text on a single line, cut at ``limit`` characters."""
    return inert(" ".join(text.split()), limit)


def human_seconds(seconds: float) -> str:
    """Return a duration as people say it: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    whole = round(abs(seconds))
    for unit, size, lower, lower_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // lower_size
            return f"{whole // size} {unit} {rest} {lower}" if rest else f"{whole // size} {unit}"
    return f"{whole} s" if whole or not seconds else f"{abs(seconds) * 1000:.0f} ms"


def quantity(value: float, unit: str = "") -> str:
    """Return a value as people say it: ``99.9 %`` for a ratio, ``180 ms`` or ``2 min 30 s`` for seconds, ``1.2 GB/s``.

    Nanoseconds a second (DCGM's throttling counters) are a share of the time. Other units follow the number as they
    are (``12/s``); thousands are grouped.
    """
    if value != value or abs(value) == float("inf"):
        return f"{value} {unit}".rstrip()
    if unit in ("ratio", "ns/s"):
        share = value if unit == "ratio" else value / 1e9
        return f"{float(f'{100 * share:.3g}'):g} %"
    if unit in ("s", "ms"):
        return _seconds(value if unit == "s" else value / 1000)
    if unit in ("B", "B/s"):
        size, prefix = next(((s, p) for s, p in _PREFIXES if abs(value) >= s), (1.0, ""))
        return f"{value / size:.3g} {prefix}{unit}"
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{number}{unit[1:]}" if unit.startswith("1/") else f"{number} {unit}".rstrip()


def _seconds(seconds: float) -> str:
    if abs(seconds) >= 100:
        return human_seconds(seconds)
    return f"{seconds:.3g} s" if abs(seconds) >= 1 or not seconds else f"{seconds * 1000:.3g} ms"


def in_words(name: str) -> str:
    """Return a name as people write it: ``bad_release`` as ``bad release``."""
    return name.replace("_", " ")


def plural(count: int, noun: str) -> str:
    """Return ``1 pod``, ``3 pods``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
