"""Starting a program: what its image, environment, arguments and devices make of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from copilot.lab.world.gpus import GpuFleet
from copilot.lab.world.images import App
from copilot.lab.world.llm_engine import plan_engine
from copilot.lab.world.runtime import Process

MODEL_CACHE = "/models"
COLD_START = 14.0


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything a start depends on; ``memory_limit`` in bytes (0: none), ``load_factor`` stretches start-up."""

    app: App
    env: dict[str, str]
    args: tuple[str, ...]
    memory_limit: float
    fleet: GpuFleet
    gpus: Sequence[int]
    now: float
    load_factor: float = 1.0
    restarts: int = 0


def launch(given: Launch) -> Process:
    """Start a program; what is wrong with it shows as ``dies_at`` with the exit code and its last words."""
    app = given.app
    startup = app.startup * given.load_factor * _download(given)
    process = Process(app, given.env, given.args, given.now + startup, frozenset(app.listens))
    if app.run_for:
        process.dies_at, process.reason = given.now + app.run_for * given.load_factor, "Completed"
    if app.fails_first and not given.restarts:
        _die(process, given.now + 20.0, 'level=error msg="lost connection to source, giving up" attempt=1')
    for check in (_memory, _devices, _engine, _environment):
        check(given, process)
    return process


def _download(given: Launch) -> float:
    """Weights outside the node's model cache are fetched at every start, which takes minutes instead of seconds."""
    return COLD_START if given.app.role == "vllm" and given.env.get("HF_HOME", MODEL_CACHE) != MODEL_CACHE else 1.0


def _die(process: Process, at: float, *words: str, code: int = 1, reason: str = "Error") -> None:
    process.dies_at, process.exit_code, process.reason, process.last_words = at, code, reason, words


def _environment(given: Launch, process: Process) -> None:
    for name in given.app.requires:
        if not given.env.get(name):
            _die(
                process,
                given.now + 1.5,
                f'level=fatal msg="configuration error" error="required environment variable {name} is not set"',
            )
            return


def _memory(given: Launch, process: Process) -> None:
    if given.memory_limit and given.app.memory > given.memory_limit:
        at = given.now + max(given.app.startup * 0.6, 2.0)
        _die(process, at, 'level=info msg="loading working set"', code=137, reason="OOMKilled")


def _devices(given: Launch, process: Process) -> None:
    for position in given.gpus:
        fleet = given.fleet
        index = fleet.rows[position].index
        if not fleet.present[position]:
            _die(
                process,
                given.now + 4.0,
                f"Unable to determine the device handle for GPU{index}: Unknown Error",
                "RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment",
            )
        elif not fleet.usable[position]:
            _die(
                process,
                given.now + 6.0,
                "RuntimeError: CUDA error: uncorrectable ECC error encountered",
                f"CUDA device {index} is in an error state and needs a reset",
            )


def _engine(given: Launch, process: Process) -> None:
    if given.app.role != "vllm":
        return
    memory = float(sum(given.fleet.memory[i] for i in given.gpus)) or 46068.0
    plan = plan_engine(given.args, memory)
    if plan.error:
        _die(process, given.now + min(given.app.startup * 0.7, 60.0), *plan.error)
