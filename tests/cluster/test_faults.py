"""Each fault shows on the real control plane, and its remedy, sent with the shipped executor role, makes it go away."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.faults import FAULTS, Fault, node_name
from tests.cluster.play import begin, inject, send
from tests.cluster.processes import ClusterError, wait_until
from tests.cluster.workloads import gpu_node

pytestmark = pytest.mark.cluster

PRODUCT = Path(sys.executable).parent / "infra-copilot"


@pytest.fixture(scope="module")
def ground(cluster: ControlPlane) -> Iterator[ControlPlane]:
    """The cluster with a node that has room for everything that needs no node of its own."""
    cluster.client().create(gpu_node("common"))
    yield cluster
    cluster.client().delete("/api/v1/nodes/common")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_shows_is_named_and_its_remedy_heals(fault: Fault, ground: ControlPlane, tmp_path: Path) -> None:
    admin = ground.client()
    begin(fault, ground)
    assert not fault.shows(admin, fault.namespace), "it must be well before it breaks"
    inject(fault, ground)
    wait_until(lambda: fault.shows(admin, fault.namespace), what=f"{fault.name} shows")
    if fault.cause:
        _is_diagnosed(fault, ground, tmp_path)
    if fault.remedy:
        send(ground.client("executor"), fault, fault.remedy)
        wait_until(lambda: not fault.shows(admin, fault.namespace), what=f"{fault.name} is healed")
    if fault.own_node:
        # A broken node would be found again by every diagnosis that follows.
        admin.delete(f"/api/v1/nodes/{node_name(fault.namespace)}")


def _is_diagnosed(fault: Fault, ground: ControlPlane, folder: Path) -> None:
    """Ask the product, with the reader's credentials and Prometheus, until it names the fault."""
    assert ground.prometheus is not None
    where = ["--kubeconfig", str(ground.kubeconfig("reader")), "--prometheus", ground.prometheus.url]
    argv = [str(PRODUCT), "diagnose", "--namespace", fault.namespace, *where, "--json"]
    named: set[tuple[str, str]] = set()

    def diagnosed() -> bool:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env={"HOME": str(folder)}, timeout=60)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)["findings"]
        named.update((each["cause"], each["object"]["kind"]) for each in found if each["object"])
        return (fault.cause, fault.kind) in named

    try:
        wait_until(diagnosed, what=f"{fault.cause} is named", within=timedelta(seconds=45))
    except ClusterError:
        pytest.fail(f"{fault.name}: {fault.cause} of a {fault.kind} was not found, but {sorted(named)}")
