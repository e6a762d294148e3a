"""Fleet health: counts, and sparklines of what users feel."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Sparkline, Static

from copilot.core.fleet import Fleet, Trend
from copilot.core.text import one_line, quantity

_MOST_TRENDS = 4


class FleetHealth(Vertical):
    """Nodes, GPUs and pods in one line each; up to four trends."""

    def compose(self) -> ComposeResult:
        """Counts first, then pairs of a label and a sparkline."""
        yield Static("", id="counts", markup=False)
        for place in range(_MOST_TRENDS):
            yield Static("", id=f"trend-{place}", classes="trend-name hidden", markup=False)
            yield Sparkline([], id=f"spark-{place}", classes="hidden")

    def show(self, fleet: Fleet) -> None:
        """Draw the newest state; a problem is shown in place of counts."""
        self.query_one("#counts", Static).update(_counts(fleet))
        for place in range(_MOST_TRENDS):
            trend = fleet.trends[place] if place < len(fleet.trends) else Trend(name="")
            label = self.query_one(f"#trend-{place}", Static)
            label.update(_label(trend))
            spark = self.query_one(f"#spark-{place}", Sparkline)
            spark.data = list(trend.values)
            label.set_class(not trend.values, "hidden")
            spark.set_class(not trend.values, "hidden")


def _counts(fleet: Fleet) -> str:
    if fleet.problem:
        return one_line(fleet.problem, 300)
    lines = [f"nodes {fleet.nodes_ready}/{fleet.nodes} ready"]
    if fleet.gpus:
        lines.append(f"GPUs  {fleet.gpus_busy}/{fleet.gpus} in use")
    pending = f", {fleet.pods_pending} pending" if fleet.pods_pending else ""
    lines.append(f"pods  {fleet.pods}{pending}")
    return "\n".join(lines)


def _label(trend: Trend) -> str:
    return f"{one_line(trend.name, 40)}  {quantity(trend.values[-1], trend.unit)}" if trend.values else ""
