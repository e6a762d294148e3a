"""How a node group gets more machines: by the Terraform project that owns it, else by its Auto Scaling group."""

from collections.abc import Mapping, Sequence

from copilot.actions.base import Action
from copilot.actions.set_asg_capacity import SetAsgCapacity
from copilot.actions.terraform_apply import TerraformApply
from copilot.core.value import JsonObject

LABELS = (
    *("eks.amazonaws.com/nodegroup", "alpha.eksctl.io/nodegroup-name", "karpenter.sh/nodepool"),
    "node.kubernetes.io/nodegroup",
)
"""Labels in which nodes name their group."""
REGION = "topology.kubernetes.io/region"
TERRAFORM = "infra-copilot.io/terraform"
"""Annotation of nodes that a Terraform project owns: ``directory#variable``, or ``directory#variable#address`` to name
the one resource that may change, too."""


def group_of(node: JsonObject) -> str:
    """Return the name of the group that a raw Node belongs to, or an empty string."""
    labels = _labels(node)
    return next((name for label in LABELS if (name := labels.get(label))), "")


def region_of(nodes: Sequence[JsonObject]) -> str:
    """Return the region that nodes say they are in, or an empty string."""
    return next((region for node in nodes if (region := _labels(node).get(REGION))), "")


def by_terraform(nodes: Sequence[JsonObject], *, now: int, wanted: int) -> Action | None:
    """Return the change of the variable that the nodes' mark names, or None without a mark."""
    marks = ((node.get("metadata") or {}).get("annotations") or {} for node in nodes)
    mark = next((str(found) for one in marks if (found := one.get(TERRAFORM))), "")
    directory, variable, address, *_ = [*mark.split("#", 2), "", ""]
    if not directory or not variable:
        return None
    arguments = {
        "directory": directory,
        "resource": address or variable,
        "variables": {variable: wanted},
        "before": {variable: now},
    }
    return TerraformApply.of(arguments)


def by_cloud(name: str, *, region: str, wanted: int) -> Action | None:
    """Return the change of an Auto Scaling group's desired capacity, or None where the region is not known."""
    return SetAsgCapacity.of({"group": name, "region": region, "desired": wanted}) if region else None


def _labels(node: JsonObject) -> Mapping[str, str]:
    labels: Mapping[str, str] = (node.get("metadata") or {}).get("labels") or {}
    return labels
