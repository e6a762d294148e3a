"""A case that says the same in other names, another order, fewer outputs and other words.

Names keep their length, so that printed tables stay aligned; a misspelt name becomes the same slip of the new name.
What Kubernetes and systemd print keeps their words; what the recording's own tools and the applications print is
reworded.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import DamerauLevenshtein, Levenshtein

from evals.exams._cloudops.calls import KINDS, Call, calls

_NAMED = (
    "services",
    "deployments",
    "statefulsets",
    "daemonsets",
    "persistentvolumeclaims",
    "persistentvolumes",
    "nodes",
)
_TOKEN = re.compile(r"(?<![a-zA-Z0-9_])[a-z][a-z0-9]*(?:-[a-z0-9]+)*(?![a-zA-Z0-9_])")
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxz"
_KEPT = re.compile(r"role(?:=|\"?: \"?)$")
_SLIP = 0.85
_DROPPED = {"serviceaccounts", "rolebindings", "jobs"}
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"Connection Succeeded", ("probe went through", "target answered", "handshake done")),
    (r"Connection Failed", ("connect failed", "target refused or timed out", "connection refused")),
    (r"Debug Pod test results deployed on", ("probe from", "seen on", "checked from node")),
    (r"=== Service (\S+) Connectivity test report ===", (r"--- \1 ---", r"report about \1")),
    (r"LATENCY_DEGRADATION \[Slow Response\]", ("responses became slower", "SLOW")),
    (r"THROUGHPUT_DROP \[RPS\]", ("fewer requests", "LESS TRAFFIC")),
    (r"TRAFFIC_ANOMALY \[[^\]]*\]", ("packets changed", "ODD TRAFFIC")),
    (r"ERROR_SPIKE \[[^\]]*\]", ("more failures", "FAILING")),
    (r"RESOURCE_SATURATION \[cpu_cfs\]", ("throttling", "CFS")),
    (r"RESOURCE_SATURATION \[cpu core\]", ("more CPU used", "CPU")),
    (r"NETWORK_QUALITY_DEGRADED \[TCP Retransmission\]", ("segments sent again", "RETRANSMITS")),
    (r"Normal=", ("before=", "usual=")),
    (r"(?:Current|Cur)=", ("now=", "seen=")),
    (r"\[Upstream \(Called By\)\]", ("[Callers]", "[Used by]")),
    (r"\[Downstream \(Calls\)\]", ("[Callees]", "[Uses]")),
    (r"failed to (?:get|retrieve) (\w+)", (r"no \1 came back", r"fetching \1 went wrong")),
    (r"could not retrieve (\w+)", (r"no \1 could be had", r"\1 is not available")),
    (r"request error", ("request went wrong", "problem with request")),
)


@dataclass(frozen=True, slots=True)
class Changed:
    """A perturbed case; ``original`` gives an object's former name."""

    recorded: dict[str, Any]
    alert: dict[str, Any]
    csv: str
    namespace: str
    original: Callable[[str], str]


def perturbed(recorded: dict[str, Any], alert: dict[str, Any], csv: str, namespace: str, *, seed: str) -> Changed:
    """Return the case under other names and words; the same seed gives the same change."""
    draw = random.Random(seed)
    found = list(calls(recorded))
    names = _names(found, namespace)
    renamed = _renaming(names, found, draw)
    pattern = re.compile(
        r"(?<![a-zA-Z0-9_])(?:"
        + "|".join(map(re.escape, sorted(renamed, key=len, reverse=True)))
        + r")(?![a-zA-Z0-9_])"
    )

    def change(text: str) -> str:
        return pattern.sub(lambda m: m[0] if _KEPT.search(text[: m.start()][-9:]) else renamed[m[0]], text)

    kept = {k: v for k, v in recorded.items() if _relevant(k, draw)}
    items = [
        (change(k), _shuffled(k, _reworded(change(v if isinstance(v, str) else json.dumps(v)), draw), draw))
        for k, v in kept.items()
    ]
    draw.shuffle(items)
    back = {new: old for old, new in renamed.items()}
    return Changed(
        recorded=dict(items),
        alert=json.loads(_reworded(change(json.dumps(alert)), draw)),
        csv=_columns(csv, renamed),
        namespace=renamed.get(namespace, namespace),
        original=lambda name: back.get(name, name),
    )


def _names(found: list[Call], namespace: str) -> set[str]:
    names = {namespace}
    for call in found:
        names |= {
            str(call.args[k])
            for k in ("app_name", "service_name", "node_name")
            if call.tool != "CheckNodeServiceStatus" and call.args.get(k)
        }
        if call.tool == "DescribeResource" and call.args.get("resource_type") in _NAMED:
            names.add(call.name)
        if call.tool == "CheckNodeServiceStatus":
            names.add(str(call.args.get("node_name")))
    return {n for n in names if len(n) >= 4}


def _renaming(names: set[str], found: list[Call], draw: random.Random) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for name in sorted(names):
        word = _word(name, draw)
        while word in renamed.values() or word in names:
            word = _word(name, draw)
        renamed[name] = word
    for call in found:
        if call.tool == "GetAppYAML":
            for token in set(_TOKEN.findall(call.text)) - set(renamed) - {k.lower() for k in KINDS}:
                near = max(sorted(names), key=lambda n: DamerauLevenshtein.normalized_similarity(n, token))
                if DamerauLevenshtein.normalized_similarity(near, token) >= _SLIP and len(token) >= 5:
                    renamed.setdefault(token, _same_slip(near, token, renamed[near]))
    return renamed


def _word(name: str, draw: random.Random) -> str:
    """A pronounceable word of the same length, hyphens and digits kept in place."""
    letters = [_CONSONANTS, _VOWELS]
    return "".join(c if not c.isalpha() else draw.choice(letters[i % 2]) for i, c in enumerate(name))


def _same_slip(name: str, slip: str, new: str) -> str:
    """Apply to ``new`` the edits that turn ``name`` into ``slip``."""
    result, offset = list(new), 0
    for one in _ops(name, slip):
        tag, src, dest = one[0], one[1], one[2]
        if tag == "delete":
            del result[src + offset]
            offset -= 1
        elif tag == "insert":
            result.insert(src + offset, slip[dest])
            offset += 1
        else:
            result[src + offset] = slip[dest] if slip[dest] != result[src + offset] else "q"
    return "".join(result)


def _ops(name: str, slip: str) -> list[tuple[str, int, int]]:
    return [(o.tag, o.src_pos, o.dest_pos) for o in Levenshtein.editops(name, slip)]


def _relevant(key: str, draw: random.Random) -> bool:
    """Drop repeated views of the same list, kinds that no one needs, and half of the ConfigMaps."""
    tool, _, rest = key.partition(":")
    try:
        args = json.loads(rest)
    except ValueError:
        return True
    if tool == "GetResources":
        return not (args.get("name") or args.get("label_selector") or args.get("resource_type") in _DROPPED)
    return not (tool == "DescribeResource" and args.get("resource_type") == "configmaps" and draw.random() < 0.5)


def _shuffled(key: str, text: str, draw: random.Random) -> str:
    """Put the rows of a list in another order."""
    if not key.startswith("GetResources"):
        return text
    lines = [line for line in text.split("\n") if line.strip()]
    header, rows = (lines[:1], lines[1:]) if lines and lines[0].startswith(("NAME", "LAST SEEN")) else ([], lines)
    draw.shuffle(rows)
    return "\n".join([*header, *rows]) + "\n"


def _reworded(text: str, draw: random.Random) -> str:
    for pattern, choices in _WORDS:
        if re.search(pattern, text):
            text = re.sub(pattern, draw.choice(choices), text)
    return text


def _columns(csv: str, renamed: dict[str, str]) -> str:
    header, newline, rest = csv.partition("\n")
    names = []
    for column in header.split(","):
        name, dash, what = column.rpartition("-")
        names.append(f"{renamed.get(name, name)}{dash}{what}")
    return ",".join(names) + newline + rest
