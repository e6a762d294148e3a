"""A process that slept through its lease (SIGSTOP) and wakes: another has taken over, and it writes nothing more."""

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.adapters.api_server import Request, Script
from tests.test_killed import finish, processes, server

__all__ = ["processes"]


def _sleepy(directory: str, url: str) -> None:
    """Run like any other process, under leases that others need not wait for long."""
    from copilot import copilot
    from tests.killed import run

    copilot.CASE_LEASE = timedelta(seconds=2)
    run(directory, url, 0)


def test_69_who_slept_through_a_lease_is_fenced_on_waking(processes: Any, tmp_path: Path) -> None:
    first: Any = None

    def freeze(request: Request) -> None:
        if not request.dry and len(api.writes) == 1:
            os.kill(first.pid, signal.SIGSTOP)

    with server() as api:
        api.script = Script(before_answer=freeze)
        first = processes.Process(target=_sleepy, args=(str(tmp_path), api.url))
        first.start()
        try:
            while not api.writes:
                first.join(0.05)
                assert first.is_alive()
            finish(processes, tmp_path, api)
            wrote = len(api.log)
            (tmp_path / "outcome").unlink()
        finally:
            os.kill(first.pid, signal.SIGCONT)
        first.join(60)
        assert first.exitcode is not None
        assert not [r for r in api.log[wrote:] if not r.dry], "it woke with an approved plan in hand and wrote nothing"
        assert api.cluster.objects["Deployment", "shop", "api"]["metadata"]["generation"] == 3
