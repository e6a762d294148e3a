"""Names in a phrase against what there is: exact, nearly so, or "did you mean"."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from copilot.core.ref import Ref

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "Node", "Namespace", "Pod")
"""What an inventory lists; of equal names the earlier kind is meant."""
_KIND_WORDS = {
    "deployment": "Deployment", "deploy": "Deployment", "statefulset": "StatefulSet", "sts": "StatefulSet",
    "daemonset": "DaemonSet", "ds": "DaemonSet", "job": "Job", "cronjob": "CronJob", "service": "Service",
    "svc": "Service", "node": "Node", "namespace": "Namespace", "ns": "Namespace", "pod": "Pod",
}  # fmt: skip
_BEFORE = frozenset({"of", "restart", "restarting", "delete", "deleting", "drain", "draining", "kill", "scale"})
"""What a name follows, even one that is a plain word."""
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
_SURE = 88.0
_CLOSE = 75.0
_PART = 90.0
"""Score of a name that contains the word ("llama" for llama-70b)."""
_LONG = 4
_LEAD = 6.0


@dataclass(frozen=True, slots=True)
class Inventory:
    """All objects that can be asked about."""

    refs: tuple[Ref, ...] = ()

    def called(self, name: str, *, kind: str = "", namespace: str = "") -> tuple[Ref, ...]:
        """Return the objects with exactly this name (case ignored), the likeliest kind first."""
        found = [
            r
            for r in self.refs
            if r.name.lower() == name.lower() and kind in ("", r.kind) and namespace in ("", r.namespace)
        ]
        return tuple(sorted(found, key=lambda r: (_order(r.kind), r.namespace)))


@dataclass(frozen=True, slots=True)
class Named:
    """A name found in a phrase. ``refs`` has one object when it is clear, several to choose from when it is not,
    none when nothing is called anything like it; ``said`` is the word used."""

    said: str
    refs: tuple[Ref, ...]
    exact: bool

    @property
    def clear(self) -> bool:
        """Whether one object is meant."""
        return len(self.refs) == 1


def words(text: str) -> list[str]:
    """Return the words of a phrase that could be names, in order."""
    return _WORD.findall(text)


def find(text: str, inventory: Inventory, *, ignore: Iterable[str] = (), namespace: str = "") -> list[Named]:
    """Return the names in a phrase, in the order said; words in ``ignore`` (lower case) are no names.

    Exact names win over similar ones; a similar one must lead the next by a margin, else all are offered.
    """
    said = words(text)
    within = _namespace(said, inventory) or namespace
    skip = set(ignore) | set(_KIND_WORDS) | {"namespaces", "nodes", "pods"}
    exact: list[Named] = []
    spans = _scopes(said, inventory)
    for i, word in enumerate(said):
        if i in spans and len(said) > 1 and _others(said, spans, inventory, skip):
            continue
        kind = _hint(said, i)
        found = _exact(word, inventory, kind, within)
        # "p99 of site" and "restart cache" mean the object, "the site is slow" need not.
        named = kind or (i and said[i - 1].lower() in _BEFORE)
        if found and (word.lower() not in skip or named):
            exact.append(Named(word, _one_kind(found), exact=True))
    if exact:
        return _unique(exact)
    return _unique([n for w in said if w.lower() not in skip if (n := similar(w, inventory, namespace=within))])


def similar(word: str, inventory: Inventory, *, namespace: str = "") -> Named | None:
    """Return what a misspelt or shortened name may mean, or None."""
    from rapidfuzz import fuzz, process

    if len(word) < 3 or not any(c.isalpha() for c in word):
        return None
    names = sorted({r.name for r in inventory.refs if r.kind != "Pod" and namespace in ("", r.namespace, r.name)})
    low = word.lower()
    scored = [
        (name, max(score, _PART if len(low) >= _LONG and low in name.lower() else 0.0))
        for name, score, _ in process.extract(low, names, scorer=fuzz.ratio, limit=None, processor=str.lower)
    ]
    scored.sort(key=lambda pair: (-pair[1], pair[0]))
    close = [(n, s) for n, s in scored if s >= _CLOSE][:5]
    if not close:
        return None
    sure = close[0][1] >= _SURE and (len(close) == 1 or close[0][1] - close[1][1] >= _LEAD)
    kept = close[:1] if sure else close
    refs = [r for name, _ in kept for r in _one_kind(inventory.called(name, namespace=""))]
    return Named(word, tuple(refs), exact=False)


def _exact(word: str, inventory: Inventory, kind: str, namespace: str) -> tuple[Ref, ...]:
    if "/" in word:
        first, _, name = word.partition("/")
        if first.lower() in _KIND_WORDS:
            return inventory.called(name, kind=_KIND_WORDS[first.lower()])
        return inventory.called(name, namespace=first)
    in_scope = inventory.called(word, kind=kind, namespace=namespace)
    return in_scope or inventory.called(word, kind=kind)


def _hint(said: Sequence[str], at: int) -> str:
    """A kind said just before or just after a name ("node gpu-1", "the shop namespace")."""
    before = _KIND_WORDS.get(said[at - 1].lower(), "") if at else ""
    after = _KIND_WORDS.get(said[at + 1].lower(), "") if at + 1 < len(said) else ""
    return before or after


def _namespace(said: Sequence[str], inventory: Inventory) -> str:
    known = {r.name.lower(): r.name for r in inventory.refs if r.kind == "Namespace"}
    for i in _scopes(said, inventory):
        if said[i].lower() in known:
            return known[said[i].lower()]
    return ""


def _scopes(said: Sequence[str], inventory: Inventory) -> set[int]:
    """Return the positions of namespaces said as a scope: "in shop", "the shop namespace", "-n shop"."""
    known = {r.name.lower() for r in inventory.refs if r.kind == "Namespace"}
    found = set()
    for i, word in enumerate(said):
        before = said[i - 1].lower() if i else ""
        after = said[i + 1].lower() if i + 1 < len(said) else ""
        if word.lower() in known and (
            before in ("in", "namespace", "ns", "n", "inside", "within") or after == "namespace"
        ):
            found.add(i)
    return found


def _others(said: Sequence[str], spans: set[int], inventory: Inventory, skip: set[str]) -> bool:
    """Whether the phrase names something besides its scopes."""
    rest = [w for i, w in enumerate(said) if i not in spans and w.lower() not in skip]
    return any(_exact(w, inventory, "", "") for w in rest)


def _one_kind(found: tuple[Ref, ...]) -> tuple[Ref, ...]:
    """Of one name in one namespace keep the likeliest kind; a Service and its Deployment are asked about as one."""
    best: dict[str, Ref] = {}
    for ref in found:
        best.setdefault(ref.namespace, ref)
    refs = tuple(best.values())
    kinds = {_order(r.kind) for r in refs}
    return tuple(r for r in refs if _order(r.kind) == min(kinds)) if refs else ()


def _unique(found: list[Named]) -> list[Named]:
    seen: set[tuple[Ref, ...]] = set()
    return [n for n in found if n.refs not in seen and not seen.add(n.refs)]  # type: ignore[func-returns-value]


def _order(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)
