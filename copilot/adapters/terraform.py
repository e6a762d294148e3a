"""Terraform (or OpenTofu): plan, bind, compare, apply. A saved plan alone does not notice that the world drifted.

Before an apply the very file is checked (sha256), and a new plan is made and compared with the approved changes: an
apply of a saved plan would silently force what somebody changed in between. State locks are waited for, never forced.
``python-terraform`` shows saved plans and outputs; its ``apply`` and ``destroy`` do not work with Terraform 1.x.
"""

import asyncio
import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import JsonValue

from copilot.adapters.terraform_changes import changes, same
from copilot.adapters.terraform_process import Binary
from copilot.core.plan import Change, TerraformChange
from copilot.core.value import JsonObject
from copilot.errors import (
    Blocked,
    CopilotError,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Unavailable,
    WorldChanged,
)
from copilot.ports.write import Applied, Receipt

_LOCK = "-lock-timeout=10s"


class Terraform:
    """The ``Infrastructure`` and the ``Writer`` of ``via="terraform"``, below one root directory.

    ``plans`` is where saved plans are kept, readable by their owner alone: they hold sensitive values in clear.
    """

    via = "terraform"

    def __init__(
        self,
        root: Path,
        *,
        plans: Path,
        environment: Mapping[str, str],
        binary: str = "terraform",
        plan_timeout: timedelta = timedelta(minutes=5),
        apply_timeout: timedelta = timedelta(minutes=30),
    ) -> None:
        self._root = root.resolve()
        self._plans = plans
        self._binary = Binary(shutil.which(binary, path=environment.get("PATH")) or binary, environment)
        self._plan_timeout = plan_timeout
        self._apply_timeout = apply_timeout

    async def plan(self, change: TerraformChange) -> TerraformChange:
        """Return the change completed with plan file, hash and changes; ``InvalidInput`` when nothing would change."""
        completed = await self._planned(change)
        if not completed.resource_changes:
            Path(completed.plan_file).unlink(missing_ok=True)
            raise InvalidInput(f"Terraform would change nothing in {change.directory}.")
        return completed

    async def discard(self, change: TerraformChange) -> None:
        """Delete the change's plan file; one that lies elsewhere is not ours to delete."""
        if self._ours(change.plan_file):
            Path(change.plan_file).unlink(missing_ok=True)

    async def sweep(self, older: timedelta) -> int:
        """Delete plan files older than that: of plans that ran out, or of a process that died while planning."""
        limit = time.time() - older.total_seconds()
        old = [f for f in self._plans.glob("*.tfplan") if f.lstat().st_mtime < limit] if self._plans.is_dir() else []
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)

    async def outputs(self, directory: str) -> JsonObject:
        """Return the outputs of a directory's state, sensitive ones masked."""
        shown = await asyncio.to_thread(self._show, self._directory(directory), "output", ())
        return {k: "(sensitive)" if v.get("sensitive") else v.get("value") for k, v in shown.items()}

    async def dry_run(self, change: Change) -> JsonObject:
        """Check the saved file and that a new plan would do the same; ``WorldChanged`` when it would not."""
        wanted = _terraform(change)
        self._check_file(wanted)
        again = await self._planned(wanted)
        Path(again.plan_file).unlink(missing_ok=True)
        if not same(again.resource_changes, wanted.resource_changes):
            said = f"Terraform would now do something else in {wanted.directory} than was approved."
            raise WorldChanged(said, hint="The world drifted or the files changed; a new plan is needed.")
        return {}

    async def apply(self, change: Change) -> Receipt:
        """Apply the saved file, after the same check; ``OutcomeUnknown`` once a resource was begun and not finished."""
        wanted = _terraform(change)
        await self.dry_run(wanted)
        self._check_file(wanted)
        where = self._directory(wanted.directory)
        words = ("apply", "-json", "-input=false", _LOCK, wanted.plan_file)
        try:
            finished = await self._binary.run(where, *words, timeout=self._apply_timeout)
        except DeadlineExceeded as error:
            raise OutcomeUnknown(error.message, hint="Look at the state before anything is repeated.") from error
        if finished.status and finished.began:
            raise OutcomeUnknown(f"Terraform stopped half way: {finished.diagnostics}.", hint="Look at the state.")
        if finished.status:
            raise finished.failure()
        Path(wanted.plan_file).unlink(missing_ok=True)
        return Receipt({}, f"applied {len(wanted.resource_changes)} resource changes in {wanted.directory}")

    async def applied(self, change: Change) -> Applied:
        """Plan again: nothing left to do is yes, the very same changes are no, anything between cannot be told."""
        wanted = _terraform(change)
        try:
            again = await self._planned(wanted)
        except Blocked as error:
            raise Unavailable("Terraform still runs, or its state lock was left.", hint="Wait, then look.") from error
        Path(again.plan_file).unlink(missing_ok=True)
        if not again.resource_changes:
            return Applied.YES
        return Applied.NO if same(again.resource_changes, wanted.resource_changes) else Applied.CANNOT_TELL

    async def _planned(self, change: TerraformChange) -> TerraformChange:
        where = self._directory(change.directory)
        self._plans.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._plans.resolve() / f"{uuid4().hex}.tfplan"
        file.touch(mode=0o600)
        flags = [f"-var={name}={_literal(value)}" for name, value in sorted(change.variables.items())]
        words = ("plan", "-json", "-input=false", _LOCK, f"-out={file}", *flags)
        try:
            finished = await self._binary.run(where, *words, timeout=self._plan_timeout)
            if finished.status:
                raise finished.failure()
            shown = await asyncio.to_thread(self._show, where, "show", (str(file),))
        except CopilotError:
            file.unlink(missing_ok=True)
            raise
        file.chmod(0o600)
        filled = {"plan_file": str(file), "plan_sha256": _sha256(file), "resource_changes": changes(shown)}
        return change.model_copy(update=filled)

    def _show(self, where: Path, command: str, arguments: tuple[str, ...]) -> dict[str, Any]:
        """Return what a reading command prints as JSON, through python-terraform."""
        from python_terraform import IsFlagged
        from python_terraform import Terraform as Backend

        backend = Backend(working_dir=str(where), terraform_bin_path=self._binary.name, is_env_vars_included=False)
        status, out, error = backend.cmd(command, *arguments, json=IsFlagged)
        if status:
            raise InvalidInput(f"{self._binary.name} {command} failed: {error[:300]}.")
        shown: dict[str, Any] = json.loads(out)
        return shown

    def _directory(self, name: str) -> Path:
        where = (self._root / name).resolve()
        if not where.is_relative_to(self._root):
            raise InvalidInput(f"{name!r} lies outside the Terraform root.")
        if not where.is_dir():
            raise NotFound(f"{name!r} is no directory below the Terraform root.")
        return where

    def _ours(self, plan_file: str) -> bool:
        return bool(plan_file) and Path(plan_file).resolve().is_relative_to(self._plans.resolve())

    def _check_file(self, change: TerraformChange) -> None:
        file = Path(change.plan_file)
        if not self._ours(change.plan_file) or not file.is_file() or _sha256(file) != change.plan_sha256:
            raise WorldChanged("The saved Terraform plan is not the one that was approved.", hint="Plan again.")


def _terraform(change: Change) -> TerraformChange:
    if not isinstance(change, TerraformChange):
        raise InvalidInput(f"A change by {change.via} cannot be applied by Terraform.")
    return change


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _literal(value: JsonValue) -> str:
    return json.dumps(value) if isinstance(value, bool | list | dict) else str(value)
