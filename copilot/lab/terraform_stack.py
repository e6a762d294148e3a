"""The Terraform project that owns the lab's node groups: configuration, variables and state in a directory.

It needs no provider: each group is a ``terraform_data`` resource, and what an apply leaves in the state is what the
lab's cloud does. Whoever changes a group in the cloud is assumed to have applied it from here, so files follow.
"""

import json
import uuid
from collections.abc import Iterable
from pathlib import Path

from copilot.core.value import JsonObject
from copilot.errors import InvalidInput
from copilot.lab.world.cloud import Cloud, NodeGroup
from copilot.lab.world.cluster_objects import variable_of

_PROVIDER = 'provider["terraform.io/builtin/terraform"]'
_TYPE = ["object", {"desired_capacity": "number", "name": "string"}]
_VARIABLE = """variable "{variable}" {{
  description = "Machines wanted in the auto scaling group {group}."
  type        = number

  validation {{
    condition     = var.{variable} >= {minimum} && var.{variable} <= {maximum}
    error_message = "{group} has between {minimum} and {maximum} machines."
  }}
}}

"""
_CONFIGURATION = """# Node groups of the cluster. Change a number in terraform.tfvars.json, plan, apply.
{variables}locals {{
  desired_capacity = {{
{values}
  }}
}}

resource "terraform_data" "node_group" {{
  for_each = local.desired_capacity
  input    = {{ name = each.key, desired_capacity = each.value }}
}}

output "desired_capacity" {{
  value = {{ for name, group in terraform_data.node_group : name => group.output.desired_capacity }}
}}
"""
Capacities = dict[str, int]


class TerraformStack:
    """The directory, held in step with a cloud by ``sync``."""

    def __init__(self, directory: Path, cloud: Cloud) -> None:
        self.directory = directory
        self._cloud = cloud
        self._lineage = str(uuid.UUID(int=cloud.site.design.seed + 1, version=4))
        self._known: Capacities = {}
        self._stamp = 0.0

    @property
    def _state(self) -> Path:
        return self.directory / "terraform.tfstate"

    def write(self) -> None:
        """Write configuration, variables and state for the cloud as it is."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.directory / "main.tf").write_text(_configuration(self._cloud.groups.values()))
        self._follow(serial=1)

    def sync(self) -> None:
        """Let the cloud do what was applied; let the files follow what the cloud did by itself.

        Raises ``InvalidInput`` when the state cannot be read. Waits while Terraform holds its lock.
        """
        if (self.directory / ".terraform.tfstate.lock.info").exists() or not self._state.exists():
            return
        if self._state.stat().st_mtime != self._stamp:
            self._stamp = self._state.stat().st_mtime
            self._apply(capacities(self._read()))
        elif self._actual() != self._known:
            self._follow(serial=int(self._read().get("serial", 1)) + 1)

    def _actual(self) -> Capacities:
        return {name: group.desired for name, group in sorted(self._cloud.groups.items())}

    def _apply(self, wanted: Capacities) -> None:
        for name, desired in wanted.items():
            group = self._cloud.groups.get(name)
            if group is not None and group.minimum <= desired <= group.maximum:
                self._cloud.set_desired(name, desired)
        self._known = self._actual()
        self._keep_variables()

    def _read(self) -> JsonObject:
        try:
            found: JsonObject = json.loads(self._state.read_text())
        except json.JSONDecodeError as error:
            raise InvalidInput(
                f"{self._state} is not JSON: {error}.", hint="Restore terraform.tfstate.backup."
            ) from error
        return found

    def _follow(self, *, serial: int) -> None:
        self._known = self._actual()
        self._keep_variables()
        self._state.write_text(json.dumps(self._document(serial), indent=2) + "\n")
        self._stamp = self._state.stat().st_mtime

    def _keep_variables(self) -> None:
        """Write the variables as they are by now: who applies others is assumed to commit them as well."""
        variables = {variable_of(self._cloud.groups[name].pool): desired for name, desired in self._known.items()}
        (self.directory / "terraform.tfvars.json").write_text(json.dumps(variables, indent=2) + "\n")

    def _document(self, serial: int) -> JsonObject:
        types = ["object", dict.fromkeys(self._known, "number")]
        return {
            "version": 4,
            "terraform_version": "1.5.0",
            "serial": serial,
            "lineage": self._lineage,
            "outputs": {"desired_capacity": {"value": self._known, "type": types}},
            "resources": [
                {
                    "mode": "managed",
                    "type": "terraform_data",
                    "name": "node_group",
                    "provider": _PROVIDER,
                    "instances": [_instance(name, desired) for name, desired in self._known.items()],
                }
            ],
            "check_results": None,
        }


def _configuration(groups: Iterable[NodeGroup]) -> str:
    known = [(variable_of(group.pool), group) for group in groups]
    variables = "".join(
        _VARIABLE.format(variable=name, group=group.name, minimum=group.minimum, maximum=group.maximum)
        for name, group in known
    )
    values = "\n".join(f'    "{group.name}" = var.{name}' for name, group in known)
    return _CONFIGURATION.format(variables=variables, values=values)


def _instance(name: str, desired: int) -> JsonObject:
    value = {"value": {"desired_capacity": desired, "name": name}, "type": _TYPE}
    identity = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
    attributes = {"id": identity, "input": value, "output": value, "triggers_replace": None}
    return {"index_key": name, "schema_version": 0, "attributes": attributes, "sensitive_attributes": []}


def capacities(state: JsonObject) -> Capacities:
    """Return the desired machines per group that a state document holds; groups it does not know are left out."""
    found: Capacities = {}
    for resource in state.get("resources") or ():
        if (resource.get("type"), resource.get("name")) == ("terraform_data", "node_group"):
            for instance in resource.get("instances") or ():
                value = ((instance.get("attributes") or {}).get("output") or {}).get("value") or {}
                if isinstance(value.get("desired_capacity"), int):
                    found[str(value.get("name", ""))] = value["desired_capacity"]
    return found
