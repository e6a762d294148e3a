"""Apply one saved Terraform plan."""

import json
import re
from typing import Annotated, ClassVar

from pydantic import JsonValue, StringConstraints, model_validator

from copilot.actions.base import Action, Seen, argv
from copilot.core.plan import ActionCall, Change, Risk, TerraformChange
from copilot.core.ref import Ref
from copilot.core.text import redact
from copilot.core.value import JsonObject, canonical

_ADDRESS = r"^[A-Za-z_][A-Za-z0-9_.\[\]\"-]*$"
Scalar = bool | int | float | str
Value = Scalar | dict[str, Scalar]
"""What a variable may be: a scalar, or a map of them (desired capacity by node group)."""
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")


class TerraformApply(Action):
    """Plan ``directory`` with ``variables``, bind the saved plan, and apply exactly that file."""

    name: ClassVar[str] = "terraform_apply"
    summary: ClassVar[str] = "Apply a Terraform change."
    directory: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._/-]*$", max_length=1024)]
    resource: Annotated[str, StringConstraints(pattern=_ADDRESS, max_length=512)]
    variables: dict[str, Value]
    before: dict[str, Value] = {}
    """The variables as they were, when known: the inverse plans with them."""

    @model_validator(mode="after")
    def _usable(self) -> "TerraformApply":
        if ".." in self.directory.split("/"):
            raise ValueError("the directory may not leave its root")
        for name in (*self.variables, *self.before):
            if not _VARIABLE.match(name):
                raise ValueError(f"{name!r} is not a variable name")
        text = canonical({**self.variables, **self.before}).decode()
        if redact(text) != text:
            raise ValueError("a variable looks like a secret; leave it to the environment's own variable files")
        return self

    @property
    def target(self) -> Ref:
        """Return the resource by its address."""
        return Ref(kind="NodeGroup", name=self.resource)

    def targets(self) -> tuple[Ref, ...]:
        """Return nothing of Kubernetes: the saved plan binds what is assumed."""
        return ()

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE; the step that stamps a plan raises it when resources are deleted or replaced."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return the change, still to be completed with plan file and digests by the infrastructure port."""
        return (TerraformChange(directory=self.directory, target=self.target, variables=dict(self.variables)),)

    def command(self) -> str:
        """Return the ``terraform plan`` and ``apply`` lines."""
        flags = [f"-var={name}={_literal(value)}" for name, value in sorted(self.variables.items())]
        where = f"-chdir={self.directory}"
        plan = argv("terraform", where, "plan", "-input=false", "-out=saved.tfplan", *flags)
        return f"{plan} && {argv('terraform', where, 'apply', '-input=false', 'saved.tfplan')}"

    def diff(self, seen: Seen) -> str:
        """Return the variables; the resource changes are rendered from the saved plan."""
        lines = [f"- {n} = {_literal(self.before[n])}\n" for n in sorted(self.before)]
        return "".join([*lines, *(f"+ {n} = {_literal(self.variables[n])}\n" for n in sorted(self.variables))])

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the plan with the variables as they were, when they are known."""
        if set(self.before) != set(self.variables):
            return None
        return self.model_copy(update={"variables": self.before, "before": self.variables}).call()

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return nothing: plan file and resource changes are compared instead."""
        return None


def _literal(value: Value) -> str:
    return json.dumps(value, sort_keys=True) if isinstance(value, bool | dict) else str(value)


ACTION = TerraformApply
