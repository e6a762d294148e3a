"""Running terraform or tofu: argv only, an environment of allowed names, a deadline that kills the process group."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from copilot.core.text import one_line, redact
from copilot.errors import Blocked, ConfigError, CopilotError, DeadlineExceeded, InvalidInput, WorldChanged

ALLOWED = re.compile(
    r"^(PATH|HOME|TMPDIR|LANG|TF_CLI_CONFIG_FILE|TF_DATA_DIR|TF_WORKSPACE|TF_PLUGIN_CACHE_DIR|TF_VAR_\w+|AWS_\w+"
    r"|GOOGLE_\w+|ARM_\w+|HTTPS?_PROXY|NO_PROXY|SSL_CERT_(FILE|DIR))$"
)
"""Names of the variables that terraform and its providers may see; nothing else of ours reaches them."""
_GRACE = timedelta(seconds=5)
_MOST_ERROR = 65_536


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that ended: exit status, the machine-readable lines of standard output, standard error."""

    status: int
    lines: tuple[dict[str, Any], ...]
    error: str

    @property
    def diagnostics(self) -> str:
        """Return the errors that terraform reported, in one line, without secrets."""
        found = [line["diagnostic"] for line in self.lines if line.get("type") == "diagnostic"]
        errors = [f"{d.get('summary', '')}: {d.get('detail', '')}" for d in found if d.get("severity") == "error"]
        return one_line(redact("; ".join(errors) or self.error or f"exit status {self.status}"), 500)

    @property
    def began(self) -> bool:
        """Return whether a change of a resource was begun."""
        return any(line.get("type") == "apply_start" for line in self.lines)

    def failure(self) -> CopilotError:
        """Return the error that a run which began no change means."""
        said = self.diagnostics
        if "state lock" in said:
            return Blocked(f"Somebody holds the state lock: {said}.", hint="Wait for it; it is never forced open.")
        if "Saved plan is stale" in said:
            return WorldChanged(f"The saved plan is stale: {said}.", hint="A new plan is needed.")
        return InvalidInput(f"Terraform refused: {said}.")


class Binary:
    """The configured binary and the environment it runs in."""

    def __init__(self, binary: str, environment: Mapping[str, str]) -> None:
        self.name = binary
        kept = {k: v for k, v in environment.items() if ALLOWED.match(k)}
        self.environment = {**kept, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}

    async def run(self, directory: Path, *arguments: str, timeout: timedelta) -> Finished:
        """Run one command to its end; ``DeadlineExceeded`` when it had to be killed, ``ConfigError`` if not there."""
        # Files, not pipes: were this process to die, a pipe would break and take terraform with it, half way through.
        with TemporaryFile() as out, TemporaryFile() as error:
            process = await self._start(directory, arguments, out, error)
            try:
                async with asyncio.timeout(timeout.total_seconds()):
                    status = await process.wait()
            except TimeoutError as late:
                await _kill(process)
                said = f"{self.name} {arguments[0]} took longer than {timeout} and was killed."
                raise DeadlineExceeded(said) from late
            except asyncio.CancelledError:
                await _kill(process)
                raise
            return Finished(status, tuple(_json_lines(out)), _text(error))

    async def _start(
        self, directory: Path, arguments: Sequence[str], out: IO[bytes], error: IO[bytes]
    ) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                self.name,
                f"-chdir={directory}",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=error,
                env=self.environment,
                start_new_session=True,
            )
        except FileNotFoundError as absent:
            raise ConfigError(f"{self.name} is not installed.", hint="Set terraform_binary.") from absent


def _json_lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    file.seek(0)
    for raw in file:
        with suppress(ValueError):
            line = json.loads(raw)
            if isinstance(line, dict):
                yield line


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_ERROR).decode(errors="replace")


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Ask the whole group to stop, so that providers end too; then insist."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE.total_seconds()):
                await process.wait()
                return
