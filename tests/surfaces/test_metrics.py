"""The copilot's own metrics follow Prometheus' conventions."""

from copilot.core.case import CaseStatus
from copilot.surfaces.metrics import CopilotMetrics


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
