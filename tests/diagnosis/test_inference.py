"""How many replicas a surge needs, from what arrives and what is served at most."""

from datetime import timedelta

import pytest

from copilot.core.case import Anomaly, Severity
from copilot.core.ref import Ref
from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster


def _surge(requests: list[float], tokens: list[float]) -> Cluster:
    c = Cluster()
    c.app("llm", port=8000, image="vllm/vllm-openai:0.33", replicas=3)
    c.series("request_rate", requests, namespace="prod", workload="llm")
    for pod in c.pods("llm"):
        where = {"namespace": "prod", "pod": pod["metadata"]["name"], "model_name": "m"}
        c.step("llm_waiting", 0.0, 280.0, **where)
        c.series("llm_tokens_rate", tokens, **where)
    return c


def _needed(c: Cluster, *anomalies: Anomaly) -> object:
    (found,) = (d for d in diagnose(c.dump(), anomalies=anomalies).diagnoses if d.cause == "inference_surge")
    return found.details.get("replicas_needed")


def test_settled_rates_say_how_many() -> None:
    assert _needed(_surge([4.0] * 30 + [32.0] * 30, [270.0] * 30 + [880.0] * 30)) == 9


def test_what_is_served_grows_as_much_as_what_arrives() -> None:
    assert _needed(_surge([4.0] * 30 + [8.0] * 30, [270.0] * 30 + [600.0] * 30)) is None


@pytest.mark.parametrize("minutes", [2, 3, 4])
def test_a_mean_over_five_minutes_that_still_rises_is_looked_through(minutes: int) -> None:
    def rising(before: float, now: float) -> list[float]:
        since = [before + (now - before) * (i + 1) / 5 for i in range(minutes)]
        return [before] * (60 - minutes) + since

    c = _surge(rising(4.0, 32.0), rising(270.0, 880.0))
    onset = c.dump().taken_at - timedelta(minutes=minutes)
    one = Anomaly(
        fingerprint="f",
        signal="llm_ttft_p95",
        resource=Ref(kind="Deployment", name="llm", namespace="prod"),
        onset=onset,
        seen=c.dump().taken_at,
        severity=Severity.CRITICAL,
    )
    assert _needed(c, one) == 9
