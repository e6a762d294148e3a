"""Set the desired capacity of an AWS Auto Scaling group."""

from typing import Annotated, ClassVar

from pydantic import JsonValue, StringConstraints

from copilot.actions.base import Action, Seen, argv, look_up
from copilot.actions.names import Replicas
from copilot.core.plan import ActionCall, AwsChange, Change, Risk
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.errors import InvalidInput

AWS = "aws/autoscaling"


class SetAsgCapacity(Action):
    """Set ``desired`` instances; the group's own bounds are kept."""

    name: ClassVar[str] = "set_asg_capacity"
    summary: ClassVar[str] = "Set the desired capacity of an Auto Scaling group."
    group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=255)]
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", max_length=32)]
    desired: Replicas

    @property
    def target(self) -> Ref:
        """Return the group; ``api_version`` tells the cloud port which service to ask, ``namespace`` which region."""
        return Ref(kind="NodeGroup", name=self.group, namespace=self.region, api_version=AWS)

    @property
    def risk(self) -> Risk:
        """Return DESTRUCTIVE: instances may end."""
        return Risk.DESTRUCTIVE

    def risk_in(self, seen: Seen) -> Risk:
        """Return DISRUPTIVE when the group grows: it costs money, and stops nothing."""
        grows = self.desired >= int(look_up(seen, self.target)["DesiredCapacity"])
        return Risk.DISRUPTIVE if grows else self.risk

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one ``SetDesiredCapacity`` that expects what was seen; ``InvalidInput`` outside the group's bounds."""
        group = look_up(seen, self.target)
        low, high = int(group.get("MinSize", 0)), int(group.get("MaxSize", 0))
        if not low <= self.desired <= high:
            raise InvalidInput(f"{self.group}: {self.desired} instances are outside its bounds {low}-{high}.")
        if self.desired == int(group["DesiredCapacity"]):
            raise InvalidInput(f"{self.group} has {self.desired} instances already.")
        change = AwsChange(
            service="autoscaling",
            operation="SetDesiredCapacity",
            region=self.region,
            target=self.target,
            parameters={"AutoScalingGroupName": self.group, "DesiredCapacity": self.desired, "HonorCooldown": False},
            expects={"DesiredCapacity": int(group["DesiredCapacity"])},
        )
        return (change,)

    def command(self) -> str:
        """Return the ``aws autoscaling`` line."""
        return argv(
            "aws", "autoscaling", "set-desired-capacity", f"--region={self.region}",
            f"--auto-scaling-group-name={self.group}", f"--desired-capacity={self.desired}",
        )  # fmt: skip

    def diff(self, seen: Seen) -> str:
        """Return the capacity before and after."""
        before = look_up(seen, self.target).get("DesiredCapacity")
        return f"  {self.group} ({self.region})\n- DesiredCapacity: {before}\n+ DesiredCapacity: {self.desired}\n"

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the capacity that was seen."""
        before = int(look_up(seen, self.target)["DesiredCapacity"])
        return self.model_copy(update={"desired": before}).call()

    def depends_on(self, obj: JsonObject) -> JsonValue:
        """Return the group's capacity and bounds."""
        return {k: obj.get(k) for k in ("DesiredCapacity", "MinSize", "MaxSize")}


ACTION = SetAsgCapacity
