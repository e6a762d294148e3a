"""The scheduled mode as in docs/watch.md: lab up, a policy that lets one runbook act, a fault; nobody touches a key."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from copilot.core.case import Case, CaseStatus
from copilot.core.plan import StepState
from copilot.core.ref import Ref
from tests.e2e.processes import Command, store_of, until

POLICY = Path(__file__).parents[2] / "deploy" / "policies" / "act-on-services.toml"
LAB = ("lab", "up", "--history", "2h", "--speed", "20")


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Path]:
    """Yield the home of a running lab in which a Service loses its pods after a while."""
    with Command(tmp_path, *LAB, "--fault", "service_selector_mismatch", "--after", "3m") as lab:
        lab.line("The lab is up")
        yield tmp_path


@pytest.mark.slow
async def test_a_fault_is_found_fixed_and_verified_without_a_person(broken: Path) -> None:
    words = ("watch", "-e", "lab", "--every", "2s", "--http", "--policy", str(POLICY))
    store = store_of(broken, "lab")
    with Command(broken, *words) as watch:
        port = watch.port()

        async def ended() -> list[Case]:
            return [c for c in await store.list() if not c.status.open]

        (case,) = await until(ended)
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert watch.terminate() == 0
    assert case.status is CaseStatus.RESOLVED
    assert case.diagnosis is not None
    assert case.diagnosis.cause == "service_selector_mismatch"
    assert [r.state for r in case.results] == [StepState.APPLIED]
    assert [a.by for a in case.approvals] == ["policy"]
    assert case.outcome is not None
    assert case.outcome.verification is not None
    assert case.outcome.verification.verified
    assert "copilot_passes_total" in metrics
    assert await store.verify_chain() > 0
    assert await selected(broken, case)
    await store.close()


async def selected(home: Path, case: Case) -> bool:
    """Return whether the Service has pods again, as the API server says."""
    from copilot.adapters.kubernetes_config import KubernetesOptions
    from copilot.adapters.kubernetes_read import KubernetesCluster

    kubeconfig = home / "state" / "infra-copilot" / "lab" / "kubeconfig"
    cluster = KubernetesCluster(KubernetesOptions(kubeconfig=kubeconfig, context="reader"))
    assert case.diagnosis is not None
    found = case.diagnosis.object
    assert isinstance(found, Ref)
    chosen = f"kubernetes.io/service-name={found.name}"
    slices = await cluster.all("EndpointSlice", namespace=found.namespace, selector=chosen)
    await cluster.close()
    return any(one.get("endpoints") for one in slices)


@pytest.mark.slow
async def test_what_the_policy_does_not_let_act_waits_for_a_person(broken: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('default_mode = "act"\n[[rules]]\nrunbook = "fix_service"\nmode = "ask"\n')
    store = store_of(broken, "lab")
    with Command(broken, "watch", "-e", "lab", "--every", "2s", "--policy", str(policy)) as watch:

        async def waiting() -> list[Case]:
            return [c for c in await store.list() if c.status is CaseStatus.WAITING]

        (case,) = await until(waiting)
        assert watch.terminate() == 0
    assert not case.results
    assert not case.approvals
    assert not await selected(broken, case)
    await store.close()
