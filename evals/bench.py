"""``make bench``: speed, printed; each figure beside what it is compared with and its sample size.

Nothing here is a test: a slow machine prints slow figures.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from copilot.adapters.sqlite import SqliteStore
    from copilot.core.alert import Alert


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: ``value`` in ``unit`` over ``n`` repetitions, beside what it is held against."""

    name: str
    value: float
    unit: str
    n: int
    beside: str = ""


def start_up() -> Iterator[Row]:
    """Wall time of the command line, whole process."""
    command = [str(Path(sys.executable).parent / "infra-copilot")]
    for name, arguments in (("--help", ["--help"]), ("runbooks list", ["runbooks", "list"])):
        times = []
        for _ in range(10):
            begin = time.perf_counter()
            subprocess.run([*command, *arguments], stdout=subprocess.DEVNULL, check=True)
            times.append(time.perf_counter() - begin)
        beside = "must < 0.25 s" if name == "--help" else ""
        yield Row(f"infra-copilot {name}, median wall", statistics.median(times), "s", 10, beside)
    bare = []
    for _ in range(10):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import typer"], check=True)
        bare.append(time.perf_counter() - begin)
    yield Row("python -c 'import typer', median wall", statistics.median(bare), "s", 10, "floor of any Typer command")


def chat() -> Iterator[Row]:
    """From exec to the chat's first frame in a terminal of its own."""
    from tests.tui.test_first_frame import drawn_after

    with tempfile.TemporaryDirectory() as home:
        seen = [drawn_after(Path(home)) for _ in range(5)]
    yield Row(
        "infra-copilot chat, first frame, median wall", statistics.median(s.wall for s in seen), "s", 5, "must < 1"
    )
    spent = statistics.median(s.processor for s in seen)
    yield Row("the same, of the processor", spent, "s", 5)


def detectors() -> Iterator[Row]:
    """Series a second, one tick of each detector over a panel of 100,000 series."""
    from copilot.registry import entries

    values = np.random.default_rng(0).normal(10, 1, (100_000, 12)).astype(np.float32)
    for detector in entries("detectors", "DETECTOR"):
        state = detector.start(len(values))  # type: ignore[attr-defined]
        begin = time.perf_counter()
        for column in range(values.shape[1]):
            detector.step(state, values[:, column], 60.0 * column)  # type: ignore[attr-defined]
        rate = values.size / (time.perf_counter() - begin)
        name = getattr(detector, "name", "?")
        yield Row(f"detector {name}, updates a second", rate, "1/s", values.shape[1], "1 M series a minute = 16,667/s")


def alerts() -> Iterator[Row]:
    """Alerts a second, parsed and durable in SQLite (synchronous=FULL), in one process."""
    yield asyncio.run(_alerts())


class _Desk:
    """Keeps alerts as the scheduled mode does."""

    def __init__(self, store: "SqliteStore") -> None:
        self.store = store

    async def receive(self, received: "list[Alert]") -> None:
        await self.store.emit("alerts", data=[a.model_dump(mode="json") for a in received])

    async def ready(self) -> str:
        return ""

    def metrics(self) -> bytes:
        return b""

    def count(self, outcome: str, number: int) -> None:
        """Counted elsewhere."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def _webhook(batch: int) -> dict[str, object]:
    one = {
        "status": "firing",
        "labels": {"alertname": "A", "namespace": "n", "pod": "p"},
        "startsAt": datetime.now(UTC).isoformat(),
    }
    alerts = [{**one, "fingerprint": f"f{number}"} for number in range(batch)]
    return {"version": "4", "groupKey": "g", "alerts": alerts}


async def _alerts() -> Row:
    import httpx

    from copilot.adapters.sqlite import SqliteStore
    from copilot.surfaces.http import http_app

    batch, rounds = 500, 20
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "state" / "bench.db")
        transport = httpx.ASGITransport(http_app(_Desk(store), token="t"))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            headers = {"authorization": "Bearer t"}
            begin = time.perf_counter()
            for _ in range(rounds):
                answer = await http.post("/api/v1/alerts/alertmanager", json=_webhook(batch), headers=headers)
                answer.raise_for_status()
            seconds = time.perf_counter() - begin
        await store.close()
    return Row(
        "alerts taken, parsed and durable", batch * rounds / seconds, "1/s", rounds, "batches of 500, in process"
    )


def diagnosis() -> Iterator[Row]:
    """Diagnosis of a 10,000-pod, 1,000-service cluster, in process."""
    from copilot.diagnosis.diagnose import diagnose
    from tests.diagnosis.test_scale import large_cluster

    dump = large_cluster()
    for name in ("first", "next"):
        begin = time.perf_counter()
        diagnose(dump)
        beside = "must < 5 s" if name == "first" else "must < 1 s"
        yield Row(f"diagnosis of 10,000 pods, {name}", time.perf_counter() - begin, "s", 1, beside)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Row("peak memory of this process", peak, "MB", 1, "must < 500 MB for the diagnosis")
    yield _diagnose_command()


def _diagnose_command() -> Row:
    """``infra-copilot diagnose`` on a snapshot of a small broken cluster: the whole process, start-up included."""
    from tests.builders import Cluster

    small = Cluster()
    small.app("cart", port=7070)
    small.crashed("cart", 137, "OOMKilled")
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, items in small.objects.items():
            listed = {"apiVersion": "v1", "kind": "List", "items": items}
            (Path(folder) / f"{kind.lower()}.json").write_text(json.dumps(listed))
        command = [str(Path(sys.executable).parent / "infra-copilot"), "diagnose", "--snapshot", folder, "--json"]
        for _ in range(5):
            begin = time.perf_counter()
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            times.append(time.perf_counter() - begin)
            assert json.loads(done.stdout)["findings"][0]["cause"] == "oom_killed"
    return Row(
        "infra-copilot diagnose, small cluster, median wall", statistics.median(times), "s", 5, "must < 4, aim 1.5"
    )


def lab() -> Iterator[Row]:
    """Start-up, pace and memory of a lab with a warmed world."""
    from copilot.config import state_home
    from copilot.lab.cache import warmed
    from copilot.lab.server import Lab
    from copilot.lab.world.world import World

    begin = time.perf_counter()
    World(8).warm_up(timedelta(hours=24))
    yield Row("lab, a day of history at 30 s steps", time.perf_counter() - begin, "s", 1, "must < 15 s")
    warmed(1, state_home() / "worlds")
    begin = time.perf_counter()
    world = warmed(1, state_home() / "worlds")
    with tempfile.TemporaryDirectory() as folder, Lab(world, state_dir=Path(folder), speed=0) as one:
        yield Row("lab answering, world from the cache", time.perf_counter() - begin, "s", 1, "must < 3 s")
        begin = time.perf_counter()
        one.advance(timedelta(minutes=10))
        yield Row("lab, simulated seconds a second", 600 / (time.perf_counter() - begin), "1/s", 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Row("peak memory of this process", peak, "MB", 1, "lab and copilot together must < 600 MB")


SECTIONS: dict[str, Callable[[], Iterator[Row]]] = {
    "start_up": start_up,
    "chat": chat,
    "detectors": detectors,
    "alerts": alerts,
    "diagnosis": diagnosis,
    "lab": lab,
}


def main() -> None:
    """Run the sections asked for, all without arguments."""
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="which; all when none is named")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [row for name in args.sections or SECTIONS for row in SECTIONS[name]()]
    if args.json:
        print(json.dumps([asdict(r) for r in rows]))
        return
    for row in rows:
        print(f"{row.name:<52} {row.value:>14,.3f} {row.unit:<4} n={row.n:<4} {row.beside}")


if __name__ == "__main__":
    main()
