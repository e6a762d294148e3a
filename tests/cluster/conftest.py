"""Fixtures of the tests on the real control plane; they skip by name where a program is not built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.control_plane import BARE, ControlPlane, Parts, control_plane
from tests.cluster.programs import missing
from tests.cluster.shipped import FENCE

PARTS = Parts(kube_state_metrics=True, prometheus=True, shipped=FENCE)


@pytest.fixture(scope="session")
def needs_programs() -> None:
    """Skip when a program of the control plane is not there, and say which."""
    absent = missing()
    if absent:
        pytest.skip(f"not built: {', '.join(absent)} (make test-cluster builds them)")


@pytest.fixture(scope="session")
def cluster(needs_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with controllers, fake kubelets, kube-state-metrics and Prometheus, shared by a test session."""
    with control_plane(tmp_path_factory.mktemp("cluster"), PARTS) as plane:
        yield plane


@pytest.fixture(scope="session")
def bare_api_server(needs_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server with nobody working behind it: every answer follows from the requests alone."""
    with control_plane(tmp_path_factory.mktemp("api-server"), BARE) as plane:
        yield plane
