"""The part of AWS that the lab's cloud has: Auto Scaling groups, over the Query protocol that boto3 and the CLI speak.

Actions: DescribeAutoScalingGroups, SetDesiredCapacity, UpdateAutoScalingGroup. Others answer ``InvalidAction`` (400).
"""

from collections.abc import Callable
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from copilot.lab.world.cloud import Cloud, NodeGroup

_SPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
Parameters = dict[str, str]


class _Refusal(Exception):
    """An error of the service: code and message."""


def cloud_app(cloud: Callable[[], Cloud], wrote: Callable[[Parameters], None]) -> Starlette:
    """Return the application; ``wrote`` is told the parameters of every accepted change."""

    async def endpoint(request: Request) -> Response:
        found = parse_qs((await request.body()).decode())
        given = {name: values[0] for name, values in found.items()}
        try:
            body = _answer(cloud(), given)
        except _Refusal as refusal:
            code, message = refusal.args
            error = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
            return _xml(f'<ErrorResponse xmlns="{_SPACE}"><Error>{error}</Error></ErrorResponse>', 400)
        if not given["Action"].startswith("Describe"):
            wrote(given)
        action = given["Action"]
        return _xml(f'<{action}Response xmlns="{_SPACE}">{body}<ResponseMetadata/></{action}Response>', 200)

    return Starlette(routes=[Route("/", endpoint, methods=["POST"])])


def _xml(text: str, status: int) -> Response:
    return Response(text, status_code=status, media_type="text/xml")


def _answer(cloud: Cloud, given: Parameters) -> str:
    action = given.get("Action", "")
    if action == "DescribeAutoScalingGroups":
        return _describe(cloud, given)
    if action in ("SetDesiredCapacity", "UpdateAutoScalingGroup"):
        _resize(cloud, given)
        return ""
    raise _Refusal("InvalidAction", f"The action {action} is not valid for this web service.")


def _describe(cloud: Cloud, given: Parameters) -> str:
    wanted = {value for name, value in given.items() if name.startswith("AutoScalingGroupNames.member.")}
    groups = [one for name, one in cloud.groups.items() if not wanted or name in wanted]
    members = "".join(f"<member>{_group(cloud, one)}</member>" for one in groups)
    return (
        "<DescribeAutoScalingGroupsResult>"
        f"<AutoScalingGroups>{members}</AutoScalingGroups></DescribeAutoScalingGroupsResult>"
    )


def _group(cloud: Cloud, one: NodeGroup) -> str:
    nodes = [cloud.site.nodes[name] for name in cloud.members(one)]
    instances = "".join(
        f"<member><InstanceId>i-{node.address.replace('.', '')}</InstanceId><LifecycleState>InService</LifecycleState>"
        f"<HealthStatus>Healthy</HealthStatus><AvailabilityZone>{node.zone}</AvailabilityZone>"
        f"<InstanceType>{node.instance_type}</InstanceType></member>"
        for node in nodes
    )
    zones = "".join(f"<member>{zone}</member>" for zone in sorted({node.zone for node in nodes}))
    return (
        f"<AutoScalingGroupName>{one.name}</AutoScalingGroupName>"
        f"<MinSize>{one.minimum}</MinSize><MaxSize>{one.maximum}</MaxSize>"
        f"<DesiredCapacity>{one.desired}</DesiredCapacity><DefaultCooldown>300</DefaultCooldown>"
        f"<HealthCheckType>EC2</HealthCheckType><CreatedTime>2026-01-05T08:00:00Z</CreatedTime>"
        f"<AvailabilityZones>{zones}</AvailabilityZones><Instances>{instances}</Instances>"
    )


def _resize(cloud: Cloud, given: Parameters) -> None:
    name = given.get("AutoScalingGroupName", "")
    group = cloud.groups.get(name)
    if group is None:
        raise _Refusal("ValidationError", f"AutoScalingGroup name not found - null or {name}")
    group.minimum = _number(given, "MinSize", group.minimum)
    group.maximum = _number(given, "MaxSize", group.maximum)
    try:
        cloud.set_desired(name, _number(given, "DesiredCapacity", group.desired))
    except ValueError as error:
        raise _Refusal("ValidationError", str(error)) from error


def _number(given: Parameters, name: str, usual: int) -> int:
    text = given.get(name, str(usual))
    if not text.isdigit():
        raise _Refusal("ValidationError", f"Value '{text}' at '{name}' failed to satisfy constraint: must be a number")
    return int(text)
