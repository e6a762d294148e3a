"""Data for a model: without secrets, inert, without orders, cut to size, and fenced by a mark that none can guess."""

import json
import re
import secrets
from collections.abc import Iterable

from copilot.agent.injection import withheld
from copilot.core.case import Evidence, Trust
from copilot.core.text import inert, redact

LONGEST = 6_000
_LONGEST_FINDING = 300
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\bppa:\S+", re.IGNORECASE)
_PATH = re.compile(r"(?<=[\s\"'(])/[^\s\"')]{2,}|(?<=^)/[^\s\"')]{2,}")
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{48,}")
_QUOTED = re.compile(r"\"[^\"\n]{2,}\"|'[^'\n]{2,}'")


def clean(text: str, limit: int = LONGEST) -> str:
    """Return untrusted text as data: no secrets, no escapes, no chat tokens, no lines that give orders."""
    return inert(redact(withheld(text)), limit)


def abstracted(text: str, limit: int = _LONGEST_FINDING) -> str:
    """Return what a workload wrote without the parts that a stranger chooses: addresses, paths, quotes, blobs."""
    shown = _URL.sub("<url>", clean(text, limit))
    return _BLOB.sub("<blob>", _QUOTED.sub("<text>", _PATH.sub("<path>", shown)))


def finding(evidence: Evidence) -> str:
    """Return what evidence says, abstracted when a workload may have written it."""
    workload = evidence.trust is Trust.WORKLOAD
    return abstracted(evidence.finding) if workload else clean(evidence.finding, _LONGEST_FINDING)


def quoted(text: str, evidence: Iterable[Evidence] = (), *, limit: int = LONGEST) -> str:
    """Return data between two lines with the same random mark, so that no data can pretend to end."""
    mark = secrets.token_hex(6)
    cited = [
        {
            "id": e.id,
            "finding": finding(e),
            "subject": str(e.subject) if e.subject else "",
            "trust": e.trust.value,
            "query": clean(e.query, 200),
        }
        for e in evidence
    ]
    body = json.dumps({"evidence": cited[:30]}, ensure_ascii=False) if cited else ""
    return f"<<data {mark}>>\n{clean(text, limit)}\n{body}\n<<end {mark}>>"
