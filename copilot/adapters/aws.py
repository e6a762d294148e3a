"""AWS through boto3: describe, and set the desired capacity of an Auto Scaling group.

AWS has no dry run for groups and no idempotency token for this call; ``expects`` is what a describe must still show
before the call is made, and afterwards the describe says whether it was.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from copilot.core.plan import AwsChange, Change
from copilot.core.ref import Ref
from copilot.core.text import one_line, redact
from copilot.core.value import JsonObject
from copilot.errors import (
    Blocked,
    CopilotError,
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
    Unsupported,
    WorldChanged,
)
from copilot.ports.write import Applied, Receipt

_CALLS: dict[tuple[str, str], str] = {("autoscaling", "SetDesiredCapacity"): "set_desired_capacity"}
_FIELDS = ("AutoScalingGroupName", "MinSize", "MaxSize", "DesiredCapacity", "Status", "AvailabilityZones")
_CODES: dict[str, type[CopilotError]] = {
    "Throttling": Overloaded,
    "ThrottlingException": Overloaded,
    "RequestLimitExceeded": Overloaded,
    "AccessDenied": Forbidden,
    "AccessDeniedException": Forbidden,
    "UnauthorizedOperation": Forbidden,
    "ExpiredToken": Forbidden,
    "InvalidClientTokenId": Forbidden,
    "SignatureDoesNotMatch": Forbidden,
    "ScalingActivityInProgress": Blocked,
    "ResourceContention": Blocked,
    "ResourceInUse": Blocked,
}


class Aws:
    """The ``Cloud`` and the ``Writer`` of ``via="aws"``. ``endpoint`` is another base URL, such as a stand-in's."""

    via = "aws"

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        connect: timedelta = timedelta(seconds=5),
        read: timedelta = timedelta(seconds=20),
        client: Callable[..., Any] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._connect = connect
        self._read = read
        self._make = client
        self._clients: dict[tuple[str, str, int], Any] = {}

    async def describe(self, service: str, target: Ref, *, region: str) -> JsonObject:
        """Return the group's size and bounds; raises ``NotFound``."""
        if service != "autoscaling":
            raise Unsupported(f"{service} is not something that is read here.")
        return await asyncio.to_thread(self._describe, target.name, region)

    async def dry_run(self, change: Change) -> JsonObject:
        """Check that the world is still what the change expects."""
        wanted = _aws(change)
        now = await self.describe(wanted.service, wanted.target, region=wanted.region)
        _check(wanted, now)
        return now

    async def apply(self, change: Change) -> Receipt:
        """Look once more, then make the one call."""
        wanted = _aws(change)
        name = _CALLS.get((wanted.service, wanted.operation))
        if name is None:
            raise Unsupported(f"{wanted.service} {wanted.operation} is not something that is done here.")
        await self.dry_run(wanted)
        await asyncio.to_thread(self._call, wanted, name)
        return Receipt({}, f"{wanted.operation} of {wanted.target.name}: {wanted.parameters.get('DesiredCapacity')}")

    async def applied(self, change: Change) -> Applied:
        """Compare the group with what was there before and what was wanted."""
        wanted = _aws(change)
        now = await self.describe(wanted.service, wanted.target, region=wanted.region)
        if all(now.get(k) == wanted.parameters.get(k, v) for k, v in wanted.expects.items()):
            return Applied.YES
        return Applied.NO if all(now.get(k) == v for k, v in wanted.expects.items()) else Applied.CANNOT_TELL

    def _describe(self, name: str, region: str) -> JsonObject:
        with _mapped(f"describe {name}", safe=True):
            answer = self._client("autoscaling", region, attempts=3).describe_auto_scaling_groups(
                AutoScalingGroupNames=[name]
            )
        groups = answer.get("AutoScalingGroups") or []
        if not groups:
            raise NotFound(f"There is no Auto Scaling group {name!r} in {region}.")
        return {k: groups[0][k] for k in _FIELDS if k in groups[0]}

    def _call(self, change: AwsChange, name: str) -> None:
        with _mapped(f"{change.operation} of {change.target.name}", safe=False):
            getattr(self._client(change.service, change.region, attempts=1), name)(**change.parameters)

    def _client(self, service: str, region: str, *, attempts: int) -> Any:
        """Return the one client of its kind: it may be shared by threads, and making one reads megabytes of models."""
        key = (service, region, attempts)
        return self._clients.get(key) or self._clients.setdefault(key, self._new(service, region, attempts))

    def _new(self, service: str, region: str, attempts: int) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=self._connect.total_seconds(),
            read_timeout=self._read.total_seconds(),
        )
        make = self._make or boto3.session.Session().client
        return make(service, region_name=region, endpoint_url=self._endpoint, config=config)


def _aws(change: Change) -> AwsChange:
    if not isinstance(change, AwsChange):
        raise InvalidInput(f"A change by {change.via} cannot be sent to AWS.")
    return change


def _check(change: AwsChange, now: JsonObject) -> None:
    for field, wanted in change.expects.items():
        if now.get(field) != wanted:
            said = f"{field} of {change.target.name} is {now.get(field)}, not {wanted} as when the plan was made."
            raise WorldChanged(said, hint="A new plan is needed.")


@contextmanager
def _mapped(what: str, *, safe: bool) -> Iterator[None]:
    """Turn errors of botocore into ours; a call that may have gone through is ``OutcomeUnknown``."""
    from botocore import exceptions as aws

    try:
        yield
    except aws.ClientError as error:
        raise _client_error(what, error, safe=safe) from error
    except (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError) as error:
        raise Unavailable(f"AWS could not be reached for {what}.", hint="Try again.") from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.NoRegionError) as error:
        raise Forbidden(f"There are no AWS credentials for {what}.", hint="Configure them for the executor.") from error
    except aws.ParamValidationError as error:
        raise InvalidInput(f"AWS would not take {what}: {one_line(str(error))}.") from error
    except aws.BotoCoreError as error:
        kind = Unavailable if safe else OutcomeUnknown
        raise kind(f"No answer from AWS to {what}: {type(error).__name__}.", hint="Look before repeating.") from error


def _client_error(what: str, error: Any, *, safe: bool) -> CopilotError:
    told = error.response.get("Error", {})
    code = str(told.get("Code", ""))
    said = f"AWS to {what}: {one_line(redact(str(told.get('Message', code))))}"
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _CODES:
        return _CODES[code](f"{said}.")
    if status >= 500:
        return Unavailable(f"{said}.", hint="Try again.") if safe else OutcomeUnknown(f"{said}.", hint="Look first.")
    return InvalidInput(f"{said}.")
