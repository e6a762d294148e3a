"""pods/log: which container, which run, how much; the lines come from the world."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from copilot.core.value import JsonObject
from copilot.lab.kube_api.context import Context, LogLine
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.meta import micro_timestamp, parse_time
from copilot.lab.kube_api.options import flag, number
from copilot.lab.kube_api.reads import existing
from copilot.lab.kube_api.request import RequestInfo, method_not_allowed
from copilot.lab.kube_api.status import ApiError, Cause, bad_request, invalid

_OPTIONS = Resource("PodLogOptions", "podlogoptions", "", "v1")
_FOLLOW_EVERY = timedelta(milliseconds=250)
_LEAST = {"tailLines": 0, "sinceSeconds": 1, "limitBytes": 1}
_TEXT = "text/plain"


@dataclass(frozen=True)
class LogOptions:
    """What part of a log is wanted."""

    previous: bool
    follow: bool
    timestamps: bool
    tail: int | None
    since: datetime | None
    limit: int | None


def _options(query: Mapping[str, str], name: str, now: datetime) -> LogOptions:
    numbers = {field: number(query, field) for field in _LEAST}
    for field, value in numbers.items():
        if value is not None and value < _LEAST[field]:
            least = "greater than or equal to 0" if _LEAST[field] == 0 else "greater than 0"
            message = f"Invalid value: {value}: must be {least}"
            raise invalid(_OPTIONS, name, [Cause("FieldValueInvalid", message, field)])
    seconds, since = numbers["sinceSeconds"], query.get("sinceTime", "")
    start = now - timedelta(seconds=seconds) if seconds is not None else _time(since) if since else None
    wanted = {field: flag(query, field) for field in ("previous", "follow", "timestamps")}
    return LogOptions(**wanted, tail=numbers["tailLines"], since=start, limit=numbers["limitBytes"])


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError:
        raise bad_request(f'parsing time "{text}": cannot parse it as RFC 3339') from None


def _container(pod: JsonObject, wanted: str) -> str:
    spec, name = pod["spec"], pod["metadata"]["name"]
    regular = [one["name"] for one in spec.get("containers") or ()]
    every = [one["name"] for one in spec.get("initContainers") or ()] + regular
    if wanted:
        if wanted not in every:
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(regular) == 1 and len(every) == 1:
        return str(regular[0])
    default = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if default in regular:
        return str(default)
    listed = f"choose one of: [{' '.join(regular)}]"
    inits = [name for name in every if name not in regular]
    if inits:
        listed += f" or one of the init containers: [{' '.join(inits)}]"
    raise bad_request(f"a container name must be specified for pod {name}, {listed}")


def read(context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], *, method: str) -> Response:
    """The log of a container; raises :class:`ApiError` 400, 404, 405 or 422."""
    if method != "GET":
        raise method_not_allowed()
    options = _options(query, info.name, context.store.clock())
    pod = existing(context, resource, info)
    container = _container(pod, query.get("container", ""))
    if not pod["spec"].get("nodeName"):
        return Response(status_code=204)
    lines = _lines(context, pod, container, options)
    if options.follow and not options.previous:
        return StreamingResponse(_follow(context, info, container, options, len(lines)), media_type=_TEXT)
    return PlainTextResponse(_printed(_chosen(lines, options), options))


def _lines(context: Context, pod: JsonObject, container: str, options: LogOptions) -> Sequence[LogLine]:
    waiting = _waiting(pod, container)
    if waiting and not options.previous:
        raise bad_request(waiting)
    lines = context.hooks.logs(pod, container, options.previous)
    if lines is None:
        name = pod["metadata"]["name"]
        which = "previous terminated container" if options.previous else "container"
        raise bad_request(f'{which} "{container}" in pod "{name}" not found')
    return lines


def _waiting(pod: JsonObject, container: str) -> str:
    """Why there is no log yet, or the empty string: the container has never run."""
    status = pod.get("status") or {}
    for one in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        reason = ((one.get("state") or {}).get("waiting") or {}).get("reason", "")
        if one["name"] != container or not reason or (one.get("lastState") or {}).get("terminated"):
            continue
        what = f'container "{container}" in pod "{pod["metadata"]["name"]}" is waiting to start'
        if reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName"):
            return f"{what}: trying and failing to pull image"
        return f"{what}: {reason}"
    return ""


def _chosen(lines: Sequence[LogLine], options: LogOptions) -> Sequence[LogLine]:
    if options.since is not None:
        since = options.since
        lines = [line for line in lines if line[0] >= since]
    if options.tail is not None:
        lines = lines[-options.tail :] if options.tail else []
    return lines


def _printed(lines: Sequence[LogLine], options: LogOptions) -> str:
    text = "".join(f"{micro_timestamp(at)} {line}\n" if options.timestamps else f"{line}\n" for at, line in lines)
    return text if options.limit is None else text.encode()[: options.limit].decode(errors="ignore")


async def _follow(
    context: Context, info: RequestInfo, container: str, options: LogOptions, seen: int
) -> AsyncIterator[str]:
    pod = context.store.peek("Pod", info.namespace, info.name)
    start = context.hooks.logs(pod, container, False) if pod is not None else ()
    yield _printed(_chosen((start or ())[:seen], options), options)
    while not context.stopping():
        pod = context.store.peek("Pod", info.namespace, info.name)
        if pod is None:
            return
        lines = context.hooks.logs(pod, container, False) or ()
        if len(lines) > seen:
            yield _printed(lines[seen:], options)
            seen = len(lines)
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return
        await asyncio.sleep(_FOLLOW_EVERY.total_seconds())


def refuse_upgrade(context: Context, resource: Resource, info: RequestInfo) -> Response:
    """exec, attach and port-forward: 400 for a pod without a node, else 501, because no container runs here."""
    pod = existing(context, resource, info)
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {info.name} does not have a host assigned")
    raise ApiError(
        501, "NotImplemented", f"pods/{info.subresource} needs a running container, which the lab does not have"
    )
