"""What a person reads of a plan before signing it."""

from typing import Any

from pydantic import JsonValue

from copilot.core.plan import TerraformChange
from copilot.core.ref import Ref
from copilot.core.resources import rendered


def _resource(address: str, *actions: JsonValue, **fields: Any) -> dict[str, JsonValue]:
    return {"address": address, "actions": list(actions), **fields}


def test_each_resource_of_a_terraform_plan_is_a_changed_line_with_what_changes_of_it() -> None:
    opened = {"before": {"cidr": "10.0.0.0/8", "name": "db"}, "after": {"cidr": "0.0.0.0/0", "name": "db"}}
    resources = (
        _resource("aws_autoscaling_group.pool", "update", before={"desired": 2}, after={"desired": 4}),
        _resource("aws_security_group_rule.db", "update", **opened),
        _resource("aws_db_instance.orders", "delete", "create", before={"size": 1}, after={"size": 2}),
    )
    change = TerraformChange(
        directory="pool", target=Ref(kind="NodeGroup", name="aws_autoscaling_group.pool"), resource_changes=resources
    )
    lines = rendered(change).splitlines()
    assert all(line[:1] in "+-" for line in lines), "context lines are left out where room is short"
    assert lines[0] == "+ 3 resources changed, 1 deleted or replaced; 2 beyond aws_autoscaling_group.pool"
    assert lines[1] == "- delete/create aws_db_instance.orders (beyond what is meant)"
    assert lines[-2] == "+ update aws_autoscaling_group.pool", "what is meant comes last"
    assert '+   cidr: "10.0.0.0/8" -> "0.0.0.0/0"' in lines
    assert "+   desired: 2 -> 4" in lines
    assert not any("name" in line for line in lines)
