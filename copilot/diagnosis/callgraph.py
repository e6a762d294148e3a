"""Who calls whom: declared, read from a mesh, or learned from measures that name both ends."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallGraph:
    """Directed calls. ``callees[a]`` are the nodes that ``a`` calls, sorted; cycles are allowed."""

    callees: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, edges: Iterable[tuple[str, str]]) -> "CallGraph":
        """Build from (caller, callee) pairs; self-calls are dropped."""
        found: dict[str, set[str]] = {}
        for caller, callee in edges:
            if caller != callee:
                found.setdefault(caller, set()).add(callee)
        return cls({caller: tuple(sorted(called)) for caller, called in sorted(found.items())})

    @property
    def nodes(self) -> frozenset[str]:
        """All callers and callees."""
        return frozenset(self.callees) | frozenset(c for called in self.callees.values() for c in called)

    def below(self, node: str) -> frozenset[str]:
        """Return the node and everything it reaches by calls."""
        seen = {node}
        waiting = [node]
        while waiting:
            for callee in self.callees.get(waiting.pop(), ()):
                if callee not in seen:
                    seen.add(callee)
                    waiting.append(callee)
        return frozenset(seen)

    def callers(self, node: str) -> tuple[str, ...]:
        """Return the nodes that call ``node``, sorted."""
        return tuple(caller for caller, called in self.callees.items() if node in called)

    def entries(self) -> tuple[str, ...]:
        """Return the nodes that nobody calls, sorted."""
        called = {c for callees in self.callees.values() for c in callees}
        return tuple(sorted(self.nodes - called))
