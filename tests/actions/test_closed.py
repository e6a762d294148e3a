"""The catalogue is closed: what is not in it cannot be done, whoever proposes or signs it."""

import pytest

from copilot.actions import revive
from copilot.actions.base import catalogue
from copilot.core.plan import ActionCall
from copilot.errors import InvalidInput

KNOWN = {
    *("scale", "rollout_restart", "rollout_undo", "set_image", "set_resources", "set_env", "set_hpa"),
    *("patch_service", "patch_probe", "patch_field", "delete_pod"),
    *("cordon", "uncordon", "drain", "taint", "untaint"),
    *("terraform_apply", "set_asg_capacity"),
}
NEVER = {
    21: ("gpu_reset", {"node": "n1", "gpu": 0}),
    29: ("set_mig_geometry", {"node": "n1", "profile": "1g.10gb"}),
    49: ("purchase_capacity_block", {"offering": "cb-0", "hours": 24}),
    57: ("kubectl", {"line": "delete ns prod"}),
}


def test_the_catalogue_is_what_was_thought_through() -> None:
    assert set(catalogue()) == KNOWN, "an action that is new here needs its line in docs/security.md"


@pytest.mark.parametrize(("name", "arguments"), NEVER.values(), ids=map(str, NEVER))
def test_what_is_not_in_it_is_refused_with_what_is(name: str, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="Known: cordon"):
        revive(ActionCall(action=name, arguments=arguments))


@pytest.mark.parametrize("kind", ["Node", "Namespace", "Secret", "PersistentVolumeClaim", "ClusterRole", "Pod"])
def test_29_no_field_of_a_node_or_of_what_holds_data_or_rights_can_be_set(kind: str) -> None:
    label = "/metadata/labels/nvidia.com~1mig.config"
    fields = {"kind": kind, "namespace": "shop", "object": "n1", "pointer": label, "value": "all-1g.10gb"}
    with pytest.raises(InvalidInput, match="kind"):
        revive(ActionCall(action="patch_field", arguments=fields))
