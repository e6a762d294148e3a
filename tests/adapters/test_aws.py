"""The AWS adapter over moto as a server, and over answers that real clouds give on bad days."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import exceptions as aws
from moto.server import ThreadedMotoServer

from copilot.actions import revive
from copilot.actions.set_asg_capacity import SetAsgCapacity
from copilot.adapters.aws import Aws
from copilot.core.plan import ActionCall, AwsChange, Risk
from copilot.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
    Unsupported,
    WorldChanged,
)
from copilot.ports.write import Applied

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


@pytest.fixture
def group(endpoint: str, request: pytest.FixtureRequest) -> str:
    name = f"general-{request.node.name[:20]}".replace("_", "-")
    client = boto3.client("autoscaling", region_name=REGION, endpoint_url=endpoint)
    client.create_launch_configuration(LaunchConfigurationName=name, ImageId="ami-12c6146b", InstanceType="m5.large")
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=name,
        MinSize=1,
        MaxSize=6,
        DesiredCapacity=2,
        AvailabilityZones=[f"{REGION}a"],
    )
    return name


def action(group: str, desired: int) -> SetAsgCapacity:
    arguments = {"group": group, "region": REGION, "desired": desired}
    found = revive(ActionCall(action="set_asg_capacity", arguments=arguments))
    assert isinstance(found, SetAsgCapacity)
    return found


async def planned(adapter: Aws, group: str, desired: int) -> AwsChange:
    wanted = action(group, desired)
    seen = {wanted.target.key: await adapter.describe("autoscaling", wanted.target, region=REGION)}
    assert wanted.risk_in(seen) is (Risk.DISRUPTIVE if desired >= 2 else Risk.DESTRUCTIVE)
    (change,) = wanted.changes(seen)
    assert isinstance(change, AwsChange)
    return change


async def test_the_capacity_is_set_and_recognised(endpoint: str, group: str) -> None:
    adapter = Aws(endpoint=endpoint)
    change = await planned(adapter, group, 4)
    assert await adapter.applied(change) is Applied.NO
    await adapter.dry_run(change)
    await adapter.apply(change)
    assert await adapter.applied(change) is Applied.YES


async def test_somebody_else_was_faster(endpoint: str, group: str) -> None:
    adapter = Aws(endpoint=endpoint)
    change, other = await planned(adapter, group, 4), await planned(adapter, group, 3)
    await adapter.apply(other)
    with pytest.raises(WorldChanged, match="is 3, not 2"):
        await adapter.apply(change)
    assert await adapter.applied(change) is Applied.CANNOT_TELL


async def test_bounds_and_names_are_kept(endpoint: str, group: str) -> None:
    adapter = Aws(endpoint=endpoint)
    with pytest.raises(InvalidInput, match="bounds"):
        await planned(adapter, group, 7)
    with pytest.raises(NotFound):
        await adapter.describe("autoscaling", action("absent", 2).target, region=REGION)
    other = (await planned(adapter, group, 4)).model_copy(update={"operation": "DeleteAutoScalingGroup"})
    with pytest.raises(Unsupported):
        await adapter.apply(other)


class Broken:
    """A client whose describe works and whose write fails as told."""

    def __init__(self, error: Exception, *, reads: bool = True) -> None:
        self.error, self.reads = error, reads

    def describe_auto_scaling_groups(self, **_: Any) -> Any:
        if not self.reads:
            raise self.error
        return {"AutoScalingGroups": [{"DesiredCapacity": 2, "MinSize": 1, "MaxSize": 6}]}

    def set_desired_capacity(self, **_: Any) -> Any:
        raise self.error


def client_error(code: str, status: int) -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Set")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error("Throttling", 400), Overloaded),
        (client_error("AccessDenied", 403), Forbidden),
        (client_error("ValidationError", 400), InvalidInput),
        (client_error("500", 500), OutcomeUnknown),
        (aws.ReadTimeoutError(endpoint_url="x"), OutcomeUnknown),
        (aws.ConnectTimeoutError(endpoint_url="x"), Unavailable),
        (aws.NoCredentialsError(), Forbidden),
    ],
)
async def test_errors_say_what_they_leave_open(error: Exception, expected: type[Exception]) -> None:
    adapter = Aws(client=lambda *a, **k: Broken(error))
    change = await planned(adapter, "g", 4)
    with pytest.raises(expected):
        await adapter.apply(change)


async def test_reading_is_never_an_unknown_outcome() -> None:
    adapter = Aws(client=lambda *a, **k: Broken(client_error("500", 500), reads=False))
    with pytest.raises(Unavailable):
        await adapter.describe("autoscaling", action("g", 2).target, region=REGION)
    with pytest.raises(Unsupported):
        await adapter.describe("ec2", action("g", 2).target, region=REGION)
