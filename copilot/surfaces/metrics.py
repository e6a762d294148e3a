"""``copilot_*`` metrics: rate, errors and duration of the copilot's own work; no label without a bound.

Names follow Prometheus' conventions (base units, ``_total``, ``_seconds``). Case ids, pod names and the like are never
labels.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from copilot import __version__
from copilot.core.case import CaseStatus

_OUTCOMES = ("taken", "refused", "deferred", "unauthorised")
_FORECASTS = {
    "copilot_forecast_load_peak": "Load not exceeded over the lead time with probability 0.99, in the signal's unit.",
    "copilot_forecast_replicas": "Replicas that the forecast asks for one lead time ahead.",
    "copilot_forecast_replicas_wanted": "Replicas advised: forecast and present load, within bounds.",
    "copilot_forecast_replica_capacity": "Load that one replica carries, in the signal's unit.",
    "copilot_forecast_lead_seconds": "Start-up time of a replica plus a buffer.",
}


class CopilotMetrics:
    """All metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._register_work()
        self._register_state()
        ProcessCollector(registry=self.registry)
        Info("copilot_build", "Version of the copilot.", registry=self.registry).info({"version": __version__})

    def _register_work(self) -> None:
        registry = self.registry
        self.passes = Counter("copilot_passes_total", "Passes of the watch loop.", ["result"], registry=registry)
        self.pass_seconds = Histogram("copilot_pass_duration_seconds", "Duration of a pass.", registry=registry)
        self.alerts = Counter("copilot_alerts_total", "Alerts received.", ["outcome"], registry=registry)
        self.events = Counter("copilot_case_events_total", "Transitions of cases.", ["status"], registry=registry)
        self.decisions = Counter("copilot_decisions_total", "Decisions on plans.", ["decision"], registry=registry)
        self.fix_seconds = Histogram(
            "copilot_time_to_verified_fix_seconds",
            "From the opening of a case to its verified fix.",
            registry=registry,
            buckets=(15, 30, 60, 120, 300, 600, 1200, 3600, 14400),
        )
        self.tokens = Counter("copilot_llm_tokens_total", "Tokens used by the chat model.", registry=registry)
        for outcome in _OUTCOMES:
            self.alerts.labels(outcome=outcome)

    def _register_state(self) -> None:
        registry = self.registry
        self.open_cases = Gauge("copilot_cases_open", "Cases that are open.", registry=registry)
        self.suspended = Gauge("copilot_suspended", "1 while everything is suspended.", registry=registry)
        self.leader = Gauge("copilot_leader", "1 in the process that leads.", registry=registry)
        self._forecasts = {
            name: Gauge(name, text, ["namespace", "workload"], registry=registry) for name, text in _FORECASTS.items()
        }

    def count_case(self, status: CaseStatus) -> None:
        """Count a transition of a case."""
        self.events.labels(status=status.value).inc()

    def forecast(self, workload: tuple[str, str], values: Mapping[str, float]) -> None:
        """Publish a forecast: ``workload`` is (namespace, name), ``values`` by metric name; unknown names are left out.

        Only workloads that the settings name come here, so the labels have a bound.
        """
        for name, value in values.items():
            if name in self._forecasts:
                self._forecasts[name].labels(*workload).set(value)

    def exposition(self) -> bytes:
        """Return the text exposition."""
        return generate_latest(self.registry)
