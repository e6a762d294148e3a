"""Call graphs."""

from copilot.diagnosis.callgraph import CallGraph


def test_below_survives_cycles() -> None:
    graph = CallGraph.of([("a", "b"), ("b", "c"), ("c", "a"), ("d", "a"), ("b", "b")])
    assert graph.below("a") == {"a", "b", "c"}
    assert graph.callers("a") == ("c", "d")
    assert graph.entries() == ("d",)
    assert graph.callees["b"] == ("c",)
