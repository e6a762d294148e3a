"""Text that tries to give orders: a small detector over what others wrote. It marks and withholds; it decides nothing.

Disguises are taken off first: compatibility forms, invisible characters, Cyrillic and Greek look-alikes, base64. What
is caught: chat-template tokens, orders to drop or change instructions (six languages), a pretended system turn, and
remedies with a command or package in a place where only errors belong (arXiv 2508.06394).
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump
from copilot.core.value import JsonObject

FLAG = "injection_suspected"
WITHHELD = "[withheld: this text gives orders]"
_MOST_TEXT = 2_000_000
_LONGEST = 20_000
_SHORT = 1_000
"""Shorter texts are also read as one line, so that a line break hides nothing."""
_ALIKE = str.maketrans("аеорсухіјѕԁһкмтвнοανιρτεκ", "aeopcyxijsdhkmtbhoaviptek")
_BASE64 = re.compile(r"\b[A-Za-z0-9+/]{24,}={0,2}")
_TOKENS = r"<\|[\w ]{1,40}\|>|\[/?inst\]|<</?sys>>|<\|?(?:im_start|im_end|endoftext)\|?>"
_DROP = (
    r"\b(?:ignore|disregard|forget|override|bypass|skip)\b"
    r"(?: (?:all|any|every\w*|of|the|your|you|my|our|previous|prior|earlier|above|other|these|those|safety|were|was|"
    r"have|been|human|and)){0,6} "
    r"(?:instructions?|rules|prompts?|guidelines|polic(?:y|ies)|approvals?|told|(?:said |written )?(?:above|before))\b"
)
_ROLE = r"(?:^|[\"'\s\]}>=/,;])(?:system|assistant|developer)(?: (?:prompt|message|note))?\s*[:>\]]\s*.{0,60}?\b"
_ORDERS = (
    r"(?:you (?:must|are|should|will)|ignore|run|execute|delete|approve|drain|scale|do not|reply|answer|obey|"
    r"mark|tell)\b"
)
_IDENTITY = (
    r"\byou are (?:now|no longer|an? (?:ai|assistant|sre|admin|root|unrestricted))\b|\bnew instructions?\s*:|"
    r"\b(?:as an?|dear|attention|hey|note to(?: the)?) (?:ai|assistant|copilot|language model|llm|agent)\b|"
    r"\b(?:reveal|print|repeat|leak) (?:your|the) (?:system )?(?:prompt|instructions|api key|secrets?)\b"
)
_REMEDY = (
    r"\b(?:to (?:fix|resolve|repair|solve)|fix(?:ed)? (?:it |this )?by|due to|caused by|solution|remedy|workaround|"
    r"please|urgent\w*)\b.{0,80}\b(?:add|install|run|execute|apply|delete|use|switch to|upgrade|downgrade)\b.{0,60}"
)
_MEANS = r"(?:ppa:|curl |wget |https?://|apt(?:-get)? |pip install|kubectl |helm |docker |terraform |\brm -)"
_MEANS_FIRST = rf"{_MEANS}.{{0,80}}\b(?:add|install|run|apply|use) (?:it|this|that)\b"
_COMMAND = (
    r"\b(?:run|execute|call|invoke|issue)\b[:\s\"'`]{1,4}(?:kubectl|terraform|helm|aws|rm -|sudo|curl|bash|sh -c)\b"
)
_FOREIGN = (
    r"\bignorier\w*\b.{0,40}\b(?:anweisung|regel|vorgabe)\w*|\bignora\w*\b.{0,40}\b(?:instruccion|regla|istruzion)\w*|"
    r"\bignore[rz]?\b.{0,40}\b(?:consigne|règle|instruction)\w*|"
    r"(?:忽略|无视|無視).{0,12}(?:指令|指示|规则|規則|说明)|игнорир\w*.{0,40}(?:инструкц|правил)\w*"
)
_COMMANDS = ("kubectl", "terraform", "helm", "aws", "rm -", "sudo", "curl", "bash", "sh -c")
_INSTALLERS = (
    "ppa:",
    "curl ",
    "wget ",
    "http",
    "apt",
    "pip install",
    "kubectl ",
    "helm ",
    "docker ",
    "terraform ",
    "rm -",
)
_ADDRESS = (
    "you are",
    "instructions",
    " ai",
    "copilot",
    "model",
    "llm",
    "agent",
    "assistant",
    "prompt",
    "secret",
    "key",
)
_RULES = tuple(
    (keys, re.compile(pattern))
    for keys, pattern in (
        (("<|", "inst]", "sys>>", "<im_", "<endof"), _TOKENS),
        (("ignore", "disregard", "forget", "override", "bypass", "skip"), _DROP),
        (("system", "assistant", "developer"), _ROLE + _ORDERS),
        (_ADDRESS, _IDENTITY),
        (_INSTALLERS, _REMEDY + _MEANS),
        (_INSTALLERS, _MEANS_FIRST),
        (_COMMANDS, _COMMAND),
        (("ignor", "忽略", "无视", "無視", "игнорир"), _FOREIGN),
    )
)
"""Each pattern is tried only where one of its words occurs: most lines have none, and that is cheap to see."""


def suspicious(text: str) -> bool:
    """Return whether a text gives orders to whoever reads it."""
    shown = text[:_LONGEST]
    return any(_gives_orders(form) for form in _forms(shown))


def withheld(text: str) -> str:
    """Return a text with each line that gives orders replaced by a mark."""
    lines = [WITHHELD if suspicious(line) else line for line in text.split("\n")]
    joined = "\n".join(lines)
    return WITHHELD if joined == text and suspicious(text) else joined


def suspects(
    dump: ClusterDump, anomalies: Iterable[Anomaly] = (), *, namespaces: Collection[str] = ()
) -> tuple[str, ...]:
    """Return where text gives orders, as ``what of which object``, each place once and at most ten.

    ``namespaces`` narrows what is read (what has no namespace is always read); all when empty.
    """
    found: dict[str, None] = {}
    budget = _MOST_TEXT
    for where, text in _written(dump, anomalies, frozenset(namespaces)):
        budget -= len(text)
        if budget < 0 or len(found) >= 10:
            break
        if where not in found and suspicious(text):
            found[where] = None
    return tuple(found)


def _gives_orders(text: str) -> bool:
    low = text.lower()
    return any(pattern.search(low) for keys, pattern in _RULES if any(key in low for key in keys))


def _forms(text: str) -> Iterator[str]:
    """Yield a text as it reads once disguises are off, and what its base64 parts say."""
    plain = text
    if not text.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    yield plain
    if "\n" in plain and len(plain) < _SHORT:
        yield " ".join(plain.split())
    if not plain.isascii():
        yield plain.casefold().translate(_ALIKE)
    for part in _BASE64.findall(plain)[:20]:
        try:
            yield base64.b64decode(part + "=" * (-len(part) % 4), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue


def _written(dump: ClusterDump, anomalies: Iterable[Anomaly], within: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield every text that somebody other than the control plane may have written."""
    for anomaly in anomalies:
        yield f"alert {anomaly.fingerprint[:40]}", " ".join((anomaly.summary, *anomaly.labels.values()))
    for one in (log for log in dump.logs if not within or log.namespace in within):
        yield f"log of pod/{one.pod} -n {one.namespace}", "\n".join(one.lines)
    for seen in dump.observations:
        yield f"what a check of {seen.subject or seen.object} printed", seen.text
    for kind, objects in dump.objects.items():
        for obj in objects:
            namespace = (obj.get("metadata") or {}).get("namespace")
            if not (within and namespace) or namespace in within:
                yield from _of(kind, obj)


def _of(kind: str, obj: JsonObject) -> Iterator[tuple[str, str]]:
    meta = obj.get("metadata") or {}
    name = f"{kind.lower()}/{meta.get('name', '')}"
    for what in ("annotations", "labels"):
        said = meta.get(what)
        if said:
            yield f"{what} of {name}", "\n".join(f"{k} {v}" for k, v in said.items())
    if kind == "ConfigMap":
        yield f"data of {name}", "\n".join(str(v) for v in (obj.get("data") or {}).values())
    elif kind == "Event":
        yield f"message of {name}", str(obj.get("message") or "")
    elif kind == "Pod":
        containers = (obj.get("spec") or {}).get("containers") or ()
        yield f"image of {name}", " ".join(str(c.get("image") or "") for c in containers)
        states = (obj.get("status") or {}).get("containerStatuses") or ()
        yield f"last words of {name}", "\n".join(_last_words(s) for s in states)


def _last_words(status: JsonObject) -> str:
    ends = ((status.get(which) or {}).get("terminated") or {} for which in ("state", "lastState"))
    return " ".join(str(end.get("message") or "") for end in ends)
