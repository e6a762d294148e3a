"""The evaluator: a parsed PromQL expression over the history, all steps at once.

Parsing is ``promql-parser`` (a real grammar); evaluation follows upstream 2.x. What is not supported raises
``Unsupported`` (422 over HTTP), a query that cannot be parsed ``InvalidInput`` (400), and one that takes too long
``DeadlineExceeded`` (503).
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import numpy as np
import promql_parser as parser

from copilot.core.series import Float64
from copilot.errors import DeadlineExceeded, InvalidInput, Unsupported
from copilot.lab.history import History
from copilot.lab.prometheus_api import functions, windows
from copilot.lab.prometheus_api.aggregate import Grouping, aggregate
from copilot.lab.prometheus_api.binary import matching_of, operate
from copilot.lab.prometheus_api.selectors import Grid, evaluation_times, instant, matchers_of, milliseconds
from copilot.lab.prometheus_api.selectors import windows as select_windows
from copilot.lab.prometheus_api.values import (
    NAME,
    Matrix,
    Scalar,
    Value,
    Vector,
    unnamed,
)

DEFAULT_SUBQUERY_STEP_MS = 60_000
"""Step of a subquery that names none: upstream's default evaluation interval."""


@lru_cache(maxsize=512)
def parse(query: str) -> Any:
    """Return the parsed expression; raises ``InvalidInput`` with the parser's words."""
    try:
        return parser.parse(query)
    except ValueError as problem:
        raise InvalidInput(f"parse error: {problem}") from problem


def evaluate(history: History, expression: Any, grid: Grid, *, deadline: float | None = None) -> Value:
    """Return what a parsed expression is at each step of the grid; ``deadline`` is on ``time.monotonic``."""
    with np.errstate(all="ignore"):
        return Evaluation(history, grid, deadline).value(expression)


class Evaluation:
    """One evaluation of one query."""

    def __init__(self, history: History, grid: Grid, deadline: float | None = None) -> None:
        self._history = history
        self._grid = grid
        self._deadline = deadline

    def value(self, node: Any) -> Value:
        """Return the value of any node."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise DeadlineExceeded("query timed out in expression evaluation")
        return _NODES[type(node)](self, node)

    def vector(self, node: Any) -> Vector:
        """Return a node's value where an instant vector is due."""
        return cast(Vector, self.value(node))

    def scalar(self, node: Any) -> Float64:
        """Return float64[t]: a node's value where a scalar is due."""
        return cast(Scalar, self.value(node)).values

    def matrix(self, node: Any) -> Matrix:
        """Return a node's value where a range vector is due."""
        while isinstance(node, parser.ParenExpr):
            node = node.expr
        if isinstance(node, parser.MatrixSelector):
            return select_windows(self._history, node, self._grid)
        return self._subquery(node)

    def number(self, node: Any) -> Scalar:
        """Return a literal at every step."""
        return Scalar(np.full(len(self._grid.times), node.val))

    def text(self, node: Any) -> str:
        """Return a string literal."""
        return str(node.val)

    def inside(self, node: Any) -> Value:
        """Return what the parentheses hold."""
        return self.value(node.expr)

    def minus(self, node: Any) -> Value:
        """Return the negation."""
        value = self.value(node.expr)
        return Scalar(-value.values) if isinstance(value, Scalar) else functions.negated(cast(Vector, value))

    def selection(self, node: Any) -> Vector:
        """Return the vector of the latest samples."""
        return instant(self._history, node, self._grid)[0]

    def aggregation(self, node: Any) -> Vector:
        """Return an aggregation."""
        grouping: Grouping = (False, ())
        if node.modifier is not None:
            grouping = (str(node.modifier.type).endswith("Without"), tuple(node.modifier.labels))
        operator = str(node.op)
        if operator == "count_values":
            raise Unsupported("aggregation operator count_values is not supported here")
        parameter = self.scalar(node.param) if node.param is not None else np.empty(0)
        return aggregate(operator, self.vector(node.expr), grouping, parameter)

    def binary(self, node: Any) -> Value:
        """Return a binary operation."""
        left, right = self.value(node.lhs), self.value(node.rhs)
        return operate(str(node.op), cast(Any, left), cast(Any, right), matching_of(node.modifier))

    def call(self, node: Any) -> Value:
        """Return a function call; ``Unsupported`` when the function is not one of ours."""
        name = node.func.name
        if name in windows.FUNCTIONS:
            return self._over_range(name, node.args)
        if name in functions.ELEMENTWISE:
            vector = self.vector(node.args[0])
            return unnamed(vector, functions.ELEMENTWISE[name](vector.values))
        if name not in _CALLS:
            raise Unsupported(f"function {name} is not supported here; see the list of supported functions")
        return _CALLS[name](self, node.args)

    def _over_range(self, name: str, args: list[Any]) -> Vector:
        matrix, argument = args[0], np.zeros(len(self._grid.times))
        if name == "quantile_over_time":
            matrix, argument = args[1], self.scalar(args[0])
        elif name == "predict_linear":
            argument = self.scalar(args[1])
        return windows.over(self.matrix(matrix), name, self._grid.times, argument)

    def _subquery(self, node: Any) -> Matrix:
        ends = evaluation_times(self._grid, node.at, node.offset)
        starts = ends - milliseconds(node.range)
        step = milliseconds(node.step) or DEFAULT_SUBQUERY_STEP_MS
        first = -(-int(starts.min()) // step) * step
        times = np.arange(first, int(ends.max()) + 1, step, dtype=np.int64)
        inner = Evaluation(self._history, Grid(times, self._grid.start, self._grid.end), self._deadline)
        value = inner.value(node.expr)
        vector = (
            Vector([{}], value.values[None, :], np.ones((1, len(times)), np.bool_))
            if isinstance(value, Scalar)
            else value
        )
        vector = cast(Vector, vector)
        return Matrix(vector.labels, times, vector.values, vector.present, starts, ends)

    def time(self, args: list[Any]) -> Scalar:
        """Return ``time()``."""
        return Scalar(self._grid.times / 1000.0)

    def timestamp(self, args: list[Any]) -> Vector:
        """Return the samples' own times for a selector, the evaluation time for anything else."""
        node = args[0]
        while isinstance(node, parser.ParenExpr):
            node = node.expr
        if isinstance(node, parser.VectorSelector):
            return unnamed(*instant(self._history, node, self._grid))
        vector = self.vector(node)
        return unnamed(vector, np.broadcast_to(self._grid.times / 1000.0, vector.values.shape))

    def as_vector(self, args: list[Any]) -> Vector:
        """Return ``vector(s)``."""
        values = self.scalar(args[0])
        return Vector([{}], values[None, :], np.ones((1, len(values)), np.bool_))

    def as_scalar(self, args: list[Any]) -> Scalar:
        """Return ``scalar(v)``."""
        return functions.scalar(self.vector(args[0]))

    def absent(self, args: list[Any]) -> Vector:
        """Return ``absent(v)``."""
        vector = self.vector(args[0])
        return functions.absent(_labels_for_absent(args[0]), vector.present.any(axis=0))

    def absent_over_time(self, args: list[Any]) -> Vector:
        """Return ``absent_over_time(m)``."""
        there = windows.occupied(self.matrix(args[0]))
        return functions.absent(_labels_for_absent(args[0]), there.any(axis=0))

    def clamp(self, args: list[Any]) -> Vector:
        """Return ``clamp(v, min, max)``."""
        return functions.clamp(self.vector(args[0]), self.scalar(args[1]), self.scalar(args[2]))

    def clamp_min(self, args: list[Any]) -> Vector:
        """Return ``clamp_min(v, min)``."""
        return functions.clamp(self.vector(args[0]), self.scalar(args[1]), None)

    def clamp_max(self, args: list[Any]) -> Vector:
        """Return ``clamp_max(v, max)``."""
        return functions.clamp(self.vector(args[0]), None, self.scalar(args[1]))

    def round(self, args: list[Any]) -> Vector:
        """Return ``round(v, to_nearest)``."""
        nearest = self.scalar(args[1]) if len(args) > 1 else np.ones(len(self._grid.times))
        return functions.rounded(self.vector(args[0]), nearest)

    def sort(self, args: list[Any]) -> Vector:
        """Return ``sort(v)``."""
        return functions.ordered(self.vector(args[0]), descending=False)

    def sort_desc(self, args: list[Any]) -> Vector:
        """Return ``sort_desc(v)``."""
        return functions.ordered(self.vector(args[0]), descending=True)

    def label_replace(self, args: list[Any]) -> Vector:
        """Return ``label_replace(v, dst, replacement, src, regex)``."""
        target, replacement, source, pattern = (self.value(one) for one in args[1:5])
        return functions.label_replace(self.vector(args[0]), str(target), str(replacement), str(source), str(pattern))

    def label_join(self, args: list[Any]) -> Vector:
        """Return ``label_join(v, dst, separator, src...)``."""
        target, separator, *sources = (str(self.value(one)) for one in args[1:])
        return functions.label_join(self.vector(args[0]), target, separator, sources)

    def histogram_quantile(self, args: list[Any]) -> Vector:
        """Return ``histogram_quantile(q, buckets)``."""
        return functions.histogram_quantile(self.scalar(args[0]), self.vector(args[1]))


def _labels_for_absent(node: Any) -> dict[str, str]:
    if isinstance(node, parser.MatrixSelector):
        node = node.vector_selector
    if not isinstance(node, parser.VectorSelector):
        return {}
    matchers = [one for one in matchers_of(node) if one.label != NAME]
    names = [one.label for one in matchers]
    return {one.label: one.value for one in matchers if one.op == "=" and names.count(one.label) == 1 and one.value}


_NODES: dict[type, Callable[[Evaluation, Any], Value]] = {
    parser.NumberLiteral: Evaluation.number,
    parser.StringLiteral: Evaluation.text,
    parser.ParenExpr: Evaluation.inside,
    parser.UnaryExpr: Evaluation.minus,
    parser.VectorSelector: Evaluation.selection,
    parser.MatrixSelector: Evaluation.matrix,
    parser.SubqueryExpr: Evaluation.matrix,
    parser.AggregateExpr: Evaluation.aggregation,
    parser.BinaryExpr: Evaluation.binary,
    parser.Call: Evaluation.call,
}

_CALLS: dict[str, Callable[[Evaluation, list[Any]], Value]] = {
    name: getattr(Evaluation, name)
    for name in (
        *("time", "timestamp", "absent", "absent_over_time", "clamp", "clamp_min", "clamp_max", "round"),
        *("sort", "sort_desc", "label_replace", "label_join", "histogram_quantile"),
    )
} | {"vector": Evaluation.as_vector, "scalar": Evaluation.as_scalar}

SUPPORTED_FUNCTIONS = tuple(sorted({*windows.FUNCTIONS, *functions.ELEMENTWISE, *_CALLS}))
"""Every function that can be called; the documentation lists the same names."""
