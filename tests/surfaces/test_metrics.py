"""The copilot's own metrics follow Prometheus' conventions."""

from datetime import UTC, datetime

from copilot.copilot import Health
from copilot.core.case import Case, CaseStatus
from copilot.errors import NotFound
from copilot.ports.store import Event
from copilot.surfaces.follow import refresh
from copilot.surfaces.metrics import CopilotMetrics

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def test_the_exposition_has_what_a_dashboard_needs() -> None:
    metrics = CopilotMetrics()
    metrics.count_case(CaseStatus.RESOLVED)
    metrics.alerts.labels(outcome="taken").inc(3)
    metrics.forecast(("shop", "cart"), {"copilot_forecast_replicas": 7.0, "copilot_forecast_unheard_of": 1.0})
    text = metrics.exposition().decode()
    assert 'copilot_case_events_total{status="resolved"} 1.0' in text
    assert 'copilot_alerts_total{outcome="taken"} 3.0' in text
    assert 'copilot_forecast_replicas{namespace="shop",workload="cart"} 7.0' in text
    assert "unheard_of" not in text
    assert "process_resident_memory_bytes" in text


def test_every_metric_is_ours_or_the_process() -> None:
    names = {
        line.split()[2] for line in CopilotMetrics().exposition().decode().splitlines() if line.startswith("# TYPE")
    }
    assert all(name.startswith(("copilot_", "process_")) for name in names)


def test_two_processes_worth_of_metrics_do_not_collide() -> None:
    assert CopilotMetrics().exposition() != b""
    assert CopilotMetrics().exposition() != b""


class Forgetful:
    """A store whose cases are over and gone, while their events are still there."""

    async def events(self, after: int, *, limit: int) -> list[Event]:
        kept = [Event(n, DAY, "ended", "C-1", {"status": "failed"}) for n in (1, 2)]
        return [one for one in kept if one.number > after]

    async def get(self, case_id: str) -> Case:
        raise NotFound(f"There is no case {case_id}.")

    async def setting(self, name: str) -> object:
        return self.kept

    async def put_setting(self, name: str, value: object) -> None:
        self.kept = value

    kept: object = None


async def test_events_of_cases_that_are_gone_are_counted_once() -> None:
    metrics, store = CopilotMetrics(), Forgetful()
    for _ in range(2):
        await refresh(Healthy(), store, metrics, leads=True)  # type: ignore[arg-type]
    assert 'copilot_case_events_total{status="failed"} 2.0' in metrics.exposition().decode()


class Healthy:
    """A copilot with nothing to do."""

    async def health(self) -> Health:
        return Health(open_cases=0, suspended="", may_execute=True, unfinished_steps=0)
