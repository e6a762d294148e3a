"""From TARGET to advice over the read ports, with a metrics source and a cluster that answer from memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from copilot.core.ref import Ref
from copilot.core.series import Series
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput, NotFound
from copilot.scaling.advisor import Advice
from copilot.scaling.growth import MACHINE_START
from copilot.scaling.history import SIGNALS, read_history
from copilot.scaling.plot import draw_forecast, sparkline
from copilot.scaling.service import gauges, scale_advise, scale_backtest, scale_forecast
from tests.scaling.loads import wave

NOW = datetime(2026, 1, 10, tzinfo=UTC)
WEB = Ref(kind="Deployment", namespace="shop", name="web", api_version="apps/v1")


class Source:
    """Four days of a wave for queries that hold one of ``answers``' words; nothing for others."""

    def __init__(self, **answers: np.ndarray) -> None:
        self.answers = answers
        self.asked: list[tuple[str, datetime, datetime]] = []

    async def now(self) -> datetime:
        return NOW

    async def range(self, query: str, start: datetime, end: datetime, *, step: timedelta) -> list[Series]:
        self.asked.append((query, start, end))
        for word, values in self.answers.items():
            if word in query:
                times = NOW.timestamp() - 60.0 * np.arange(values.size)[::-1]
                inside = (times >= start.timestamp()) & (times <= end.timestamp())
                return [Series({}, times[inside], values[inside])]
        return []


def machine(cores: int, **annotations: str) -> JsonObject:
    labels = {"eks.amazonaws.com/nodegroup": "workers", "topology.kubernetes.io/region": "eu-west-1"}
    ready = {"type": "Ready", "status": "True"}
    status = {"allocatable": {"cpu": str(cores), "pods": "110"}, "conditions": [ready]}
    meta = {"name": f"n{cores}", "labels": labels, "annotations": annotations}
    return {"kind": "Node", "metadata": meta, "spec": {}, "status": status}


class Objects:
    """A cluster of one Deployment of one core a pod, its autoscaler if any, and one pod that took two minutes."""

    def __init__(
        self, *nodes: JsonObject, replicas: int = 8, autoscaler: tuple[int, int] | None = None, used: str = "1"
    ) -> None:
        self.replicas, self.autoscaler, self.used = replicas, autoscaler, used
        self.nodes = nodes or (machine(500),)

    async def get(self, ref: Ref) -> JsonObject:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [_asks("1")]}}
        spec = {"replicas": self.replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
        return {"kind": ref.kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}

    async def all(self, kind: str, *, namespace: str = "", selector: str = "") -> Sequence[JsonObject]:
        if kind == "Node":
            return self.nodes
        if kind == "Pod" and not namespace:
            spec = {"nodeName": self.nodes[0]["metadata"]["name"], "containers": [_asks(self.used)]}
            return [{"metadata": {"namespace": "shop"}, "spec": spec, "status": {"phase": "Running"}}]
        if kind == "Pod":
            assert selector == "app=web"
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:02:00Z"}
            return [{"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}, "status": {"conditions": [ready]}}]
        if self.autoscaler is None:
            return []
        least, most = self.autoscaler
        aim = {"kind": "Deployment", "name": "web"}
        spec = {"scaleTargetRef": aim, "minReplicas": least, "maxReplicas": most}
        return [{"kind": kind, "metadata": {"name": "web-hpa", "namespace": "shop"}, "spec": spec}]


def _asks(cores: str) -> JsonObject:
    return {"resources": {"requests": {"cpu": cores}}}


class Groups:
    """A cloud that knows the size of every group, or says that it does not."""

    def __init__(self, desired: int, most: int, *, refuse: bool = False) -> None:
        self.size, self.refuse = {"DesiredCapacity": desired, "MaxSize": most}, refuse

    async def describe(self, service: str, target: Ref, *, region: str) -> JsonObject:
        assert (service, target.name, region) == ("autoscaling", "workers", "eu-west-1")
        if self.refuse:
            raise NotFound("There is no such group.")
        return dict(self.size)


def mesh() -> Source:
    load = wave(4 + 1 / 24)
    return Source(
        istio_requests_total=load,
        istio_request_duration=np.full(load.size, 20.0),
        kube_deployment=np.full(load.size, 8.0),
    )


async def test_advice_from_the_mesh() -> None:
    history, advice = await scale_advise(mesh(), Objects(replicas=5), WEB)  # type: ignore[arg-type]
    assert history.signal.name == "requests"
    assert advice.verdict == "scale_out"
    assert advice.lead == timedelta(minutes=7)
    assert advice.capacity == pytest.approx(wave(4).max() / 8, rel=0.1)
    assert advice.proposal is not None
    assert [check.kind for check in advice.proposal.checks] == ["ready"]
    assert gauges(advice)["copilot_forecast_replicas_wanted"] == advice.wanted


@pytest.mark.parametrize(("minutes", "verdict"), [(2, "hold"), (30, "scale_out")])
async def test_replicas_that_changed_a_moment_ago_are_given_time(minutes: int, verdict: str) -> None:
    source = mesh()
    source.answers["kube_deployment"][-minutes:] = 5.0
    _, advice = await scale_advise(source, Objects(replicas=5), WEB)  # type: ignore[arg-type]
    assert advice.verdict == verdict
    assert any("ago: waiting" in note for note in advice.notes) is (verdict == "hold")


async def test_idle_processors_count_for_capacity() -> None:
    load = wave(4 + 1 / 24)
    source = mesh()
    source.answers["container_cpu"] = 8.0 * 0.1 * load / load.max()
    source.answers["istio_request_duration"] = np.full(load.size, 20.0)
    plain = (await scale_advise(mesh(), Objects(replicas=5), WEB))[1]  # type: ignore[arg-type]
    _, advice = await scale_advise(source, Objects(replicas=5), WEB)  # type: ignore[arg-type]
    assert advice.capacity == pytest.approx(3 * plain.capacity)
    assert (advice.verdict, advice.wanted) == ("hold", 5)


async def test_an_autoscaled_workload() -> None:
    _, advice = await scale_advise(mesh(), Objects(replicas=5, autoscaler=(2, 9)), WEB)  # type: ignore[arg-type]
    assert advice.proposal is not None
    assert advice.proposal.actions[0].action == "set_hpa"
    assert advice.wanted <= 9
    assert advice.wanted > 5
    ready, number = advice.proposal.checks
    assert ready.kind == "ready"
    assert "kube_deployment_status_replicas_available" in number.query
    assert number.above == advice.wanted - 1, "that the autoscaler followed is looked at"


async def advised(objects: Objects, cloud: Groups | None) -> Advice:
    _, advice = await scale_advise(mesh(), objects, WEB, cloud=cloud)  # type: ignore[arg-type]
    return advice


async def test_replicas_that_fit_nowhere_bring_their_machines() -> None:
    plain = await advised(Objects(replicas=3), Groups(1, 9))
    advice = await advised(Objects(machine(2), replicas=3, used="1"), Groups(1, 9))
    assert advice.verdict == "scale_out"
    assert advice.lead == plain.lead + MACHINE_START
    assert advice.wanted >= plain.wanted
    assert advice.proposal is not None
    grow, scale = advice.proposal.actions
    needed = -(-(advice.wanted - 3 - 1) // 2)
    assert grow.action == "set_asg_capacity"
    assert grow.arguments == {"group": "workers", "region": "eu-west-1", "desired": 1 + needed}
    assert scale.arguments["replicas"] == advice.wanted
    assert "node group workers" in advice.proposal.title
    assert any("room for 1 more replica " in note for note in advice.notes)
    assert advice.proposal.checks[0].within >= 2 * advice.lead


async def test_machines_of_a_terraform_project_come_from_there() -> None:
    mark = {"infra-copilot.io/terraform": 'cluster#workers#aws_group.g["workers"]'}
    for cloud in (Groups(3, 9), None):
        advice = await advised(Objects(machine(4, **mark), replicas=5, used="4"), cloud)
        assert advice.proposal is not None
        grow = advice.proposal.actions[0]
        now = 3 if cloud else 1
        assert grow.action == "terraform_apply"
        assert grow.arguments["before"] == {"workers": now}
        assert grow.arguments["resource"] == 'aws_group.g["workers"]'


@pytest.mark.parametrize(
    ("cloud", "said"),
    [
        (Groups(2, 2), "at its maximum of 2"),
        (Groups(1, 1, refuse=True), "There is no such group"),
        (None, "no cloud is configured"),
    ],
)
async def test_what_nothing_can_place_is_not_asked_for(cloud: Groups | None, said: str) -> None:
    full = await advised(Objects(machine(4), replicas=5, used="4"), cloud)
    assert (full.verdict, full.wanted, full.proposal) == ("hold", 5, None)
    assert any(said in note for note in full.notes)
    some = await advised(Objects(machine(4), replicas=5, used="3"), cloud)
    assert (some.verdict, some.wanted) == ("scale_out", 6)
    assert some.proposal is not None
    assert [one.action for one in some.proposal.actions] == ["scale"]


async def test_a_group_that_can_give_some_gives_those() -> None:
    advice = await advised(Objects(machine(2), replicas=3, used="2"), Groups(1, 2))
    assert advice.wanted == 5
    assert any("its maximum is 2" in note for note in advice.notes)


async def test_an_autoscaled_workload_keeps_its_hands_off_the_replicas() -> None:
    objects = Objects(machine(4), replicas=5, autoscaler=(2, 40), used="4")
    advice = await advised(objects, Groups(1, 9))
    assert advice.proposal is not None
    assert [one.action for one in advice.proposal.actions] == ["set_asg_capacity", "set_hpa"]


async def test_inference_scales_by_tokens_before_anything_else() -> None:
    values = wave(4)
    source = Source(**{"vllm:generation_tokens_total": values, "istio": values, "container_cpu": values})
    history = await read_history(source, WEB)  # type: ignore[arg-type]
    assert (history.signal.name, history.signal.unit) == ("tokens", "tokens/s")
    assert "num_requests_waiting" in history.query


async def test_a_long_history_is_asked_for_a_week_at_a_time() -> None:
    source = Source(istio_requests_total=wave(15))
    history = await read_history(source, WEB, signal="requests")  # type: ignore[arg-type]
    assert history.load.values.size == 15 * 1440
    assert not history.load.notes
    assert all(end - start <= timedelta(days=7) for _, start, end in source.asked)
    assert np.isnan(history.replicas).all()


async def test_what_cannot_be_read_is_said() -> None:
    nothing = Source()
    with pytest.raises(NotFound, match="No load"):
        await read_history(nothing, WEB)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="cannot be scaled"):
        await read_history(nothing, WEB.model_copy(update={"kind": "Job"}))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="not a Kubernetes name"):
        await read_history(nothing, WEB.model_copy(update={"name": 'x"} or vector(1)'}))  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="signal"):
        await read_history(nothing, WEB, signal="gpu")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="Bounds"):
        await scale_advise(nothing, Objects(), WEB, bounds=(5, 2))  # type: ignore[arg-type]


def test_every_query_is_promql() -> None:
    from promql_parser import parse

    from copilot.scaling.history import _REPLICAS, _fill

    for template in (*_REPLICAS.values(), *(q for s in SIGNALS for q in (s.load, s.latency) if q)):
        parse(_fill(template, WEB.model_copy(update={"name": "web.v2"})))


async def test_forecast_backtest_and_pictures(tmp_path: Path) -> None:
    source = mesh()
    history, found = await scale_forecast(source, WEB, horizon=timedelta(hours=1))  # type: ignore[arg-type]
    _, rows = await scale_backtest(source, WEB)  # type: ignore[arg-type]
    assert found.forecaster == rows[0].forecaster
    draw_forecast(tmp_path / "forecast.png", history, found)
    assert (tmp_path / "forecast.png").read_bytes().startswith(b"\x89PNG")


def test_a_sparkline() -> None:
    assert sparkline(np.array([0.0, 5.0, 10.0, np.nan])) == "▁▅█▁"
    assert len(sparkline(np.arange(1000.0), 40)) == 40
    assert sparkline(np.zeros(3)) == "▁▁▁"
    assert sparkline(np.empty(0)) == ""
