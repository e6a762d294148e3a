"""Plausible application logs: what each kind of program prints when it starts, works and fails."""

from copilot.lab.world.runtime import Container

_STARTING = {
    "vllm": (
        "INFO [api_server.py] vLLM API server version 0.11.0",
        "INFO [gpu_model_runner.py] Starting to load model",
    ),
    "trainer": ("INFO torchrun: rendezvous complete", "INFO loading latest checkpoint"),
    "database": ("LOG:  starting PostgreSQL 17.6", "LOG:  database system is ready to accept connections"),
    "cache": ("* Ready to accept connections tcp",),
    "queue": ("Starting broker... completed with 4 plugins.",),
    "batch": ("job started",),
    "system": ("starting",),
}
_DEFAULT = ('level=info msg="configuration loaded"', 'level=info msg="listening" addr=":8080"')


def starting(one: Container, now: float) -> None:
    """Print the first lines of a program."""
    role = one.process.app.role if one.process is not None else "service"
    for line in _STARTING.get(role, _DEFAULT):
        one.say(now, line)


def call_failed(one: Container, now: float, env: str, address: str, why: str) -> None:
    """Print that a call to a dependency failed."""
    one.say(now, f'level=error msg="upstream call failed" dependency={env} addr="{address}" error="{why}"')
