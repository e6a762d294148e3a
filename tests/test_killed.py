"""kill -9 at every edge of the journal and at random moments: nothing twice, nothing lost, judged by the server."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.api_server import ApiServer, Request, Script
from tests.agent.world import FakeCluster, deployment, node

STEP = (
    *("intent:before", "intent:after", "leased:before", "leased:after"),
    *("send", "sent", "applied:before", "applied:after"),
)
CHECKPOINTS = 30
"""How often something is kept for LangGraph, each counted before and after."""
EDGES = ("covered", "fresh", "checked", *STEP, *STEP)


@pytest.fixture(scope="module")
def processes() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.killed"])
    return context


def start(processes: Any, directory: Path, url: str, deadly: int = 0, checkpoint: int = 0) -> Any:
    child = processes.Process(target=_run, args=(str(directory), url, deadly, checkpoint))
    child.start()
    return child


def _run(directory: str, url: str, deadly: int, checkpoint: int) -> None:
    from tests.killed import run

    run(directory, url, deadly, checkpoint)


def server() -> ApiServer:
    return ApiServer(FakeCluster(deployment(), node("n1")))


def finish(processes: Any, directory: Path, api: ApiServer) -> None:
    """Start a second process and require that it ends the case with each write made exactly once."""
    child = start(processes, directory, api.url)
    child.join(60)
    assert child.exitcode == 0
    assert (directory / "outcome").read_text() == "resolved", (directory / "said").read_text()
    done = [r for r in api.writes if r.method == "PATCH"]
    kept = api.cluster.objects["Deployment", "shop", "api"]
    assert kept["spec"]["replicas"] == 3
    assert kept["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/api:0.9"
    assert kept["metadata"]["generation"] == 3, "each of two changes was made exactly once"
    assert len(done) == 2, [r.body for r in done]


def test_the_edges_are_those_that_are_swept(processes: Any, tmp_path: Path) -> None:
    with server() as api:
        finish(processes, tmp_path, api)
    assert tuple((tmp_path / "edges").read_text().split()) == EDGES
    assert len((tmp_path / "checkpoints").read_text().split()) == CHECKPOINTS


@pytest.mark.parametrize("deadly", range(1, len(EDGES) + 1), ids=lambda n: f"{n}-{EDGES[n - 1]}")
def test_killed_at_an_edge(processes: Any, tmp_path: Path, deadly: int) -> None:
    with server() as api:
        child = start(processes, tmp_path, api.url, deadly)
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        finish(processes, tmp_path, api)


@pytest.mark.parametrize("deadly", range(1, CHECKPOINTS + 1))
def test_killed_at_a_checkpoint(processes: Any, tmp_path: Path, deadly: int) -> None:
    with server() as api:
        child = start(processes, tmp_path, api.url, checkpoint=deadly)
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        finish(processes, tmp_path, api)


@pytest.mark.parametrize("which", [0, 1])
def test_killed_between_request_and_answer(processes: Any, tmp_path: Path, which: int) -> None:
    with server() as api:
        child: Any = None

        def kill(request: Request) -> None:
            if not request.dry and len(api.writes) == which + 1 and child.is_alive():
                os.kill(child.pid, signal.SIGKILL)
                child.join(10)

        api.script = Script(before_answer=kill)
        child = start(processes, tmp_path, api.url)
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        api.script = Script()
        finish(processes, tmp_path, api)


@pytest.mark.slow
def test_killed_at_random_moments(processes: Any, tmp_path: Path) -> None:
    moments = random.Random(7)
    for number in range(20):
        directory = tmp_path / str(number)
        directory.mkdir()
        with server() as api:
            child = start(processes, directory, api.url)
            time.sleep(moments.uniform(0.02, 0.5))
            child.kill()
            child.join(10)
            finish(processes, directory, api)
