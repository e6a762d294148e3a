"""Create, replace and patch, of whole objects and of their status."""

from collections.abc import Mapping

from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import newer_events, patching, rendering, strategies, validation
from copilot.lab.kube_api.admission import admitted
from copilot.lab.kube_api.context import Context
from copilot.lab.kube_api.decoding import Decoded, decode, parse_body, strict_error, unknown_field_warnings
from copilot.lab.kube_api.defaults import apply_defaults
from copilot.lab.kube_api.kinds import BY_KIND, EVENTS_V1, Resource
from copilot.lab.kube_api.meta import Key, copied, random_suffix
from copilot.lab.kube_api.options import WriteOptions, write_options
from copilot.lab.kube_api.reads import existing
from copilot.lab.kube_api.request import RequestInfo
from copilot.lab.kube_api.status import ApiError, bad_request, conflict, invalid
from copilot.lab.kube_api.validation.cluster import newer_event

_OTHER_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"


class Body:
    """What came with a write: bytes, media type, accepted form."""

    def __init__(self, raw: bytes, media_type: str, accept: str) -> None:
        self.raw = raw
        self.media_type = media_type
        self.accept = accept


def create(context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], body: Body) -> Response:
    """Create an object; 201 with what was stored."""
    form = rendering.negotiate(body.accept)
    options = write_options(query, "CreateOptions")
    decoded = _decoded(parse_body(body.raw, body.media_type, resource), resource, options)
    obj = decoded.obj
    _check_namespace(obj, resource, info)
    if obj["metadata"].get("resourceVersion"):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    with context.store.lock:
        stored = _create(context, resource, obj, dry_run=options.dry_run)
    shown = rendering.one(resource, stored, form, now=context.store.clock())
    return rendering.answer(shown, form, status=201, warnings=unknown_field_warnings(decoded.unknown))


def _create(context: Context, resource: Resource, obj: JsonObject, *, dry_run: bool) -> JsonObject:
    strategies.on_create(obj)
    if resource == EVENTS_V1:
        obj = newer_events.from_newer(obj)
        apply_defaults(obj)
        refused = list(newer_event(obj))
        if refused:
            raise invalid(BY_KIND["Event"], obj["metadata"].get("name", ""), refused)
    new = admitted(context.store, obj)
    meta = new["metadata"]
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + random_suffix(context.store.random)
    prepared = copied(new)
    apply_defaults(prepared)
    validation.check_create(prepared)
    return context.store.create(prepared, dry_run=dry_run)


def _decoded(given: JsonObject, resource: Resource, options: WriteOptions) -> Decoded:
    decoded = decode(given, resource)
    if decoded.unknown and options.field_validation == "Strict":
        raise strict_error(resource, decoded.unknown)
    if options.field_validation == "Ignore":
        decoded.unknown.clear()
    return decoded


def _check_namespace(obj: JsonObject, resource: Resource, info: RequestInfo) -> None:
    given = obj["metadata"].get("namespace")
    if resource.namespaced and given not in (None, "", info.namespace):
        raise bad_request(_OTHER_NAMESPACE)
    if resource.namespaced:
        obj["metadata"]["namespace"] = info.namespace
    else:
        obj["metadata"].pop("namespace", None)


def _check_name(obj: JsonObject, info: RequestInfo) -> None:
    given = obj["metadata"].get("name", "")
    if not given:
        why = "was undeterminable: name must be provided"
        raise bad_request(f"the name of the object ({info.name} based on URL) {why}")
    if given != info.name:
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({info.name})")


def replace(context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], body: Body) -> Response:
    """Replace an object, or its status."""
    form = rendering.negotiate(body.accept)
    options = write_options(query, "UpdateOptions")
    decoded = _decoded(parse_body(body.raw, body.media_type, resource), resource, options)
    _check_name(decoded.obj, info)
    _check_namespace(decoded.obj, resource, info)
    if resource == EVENTS_V1:
        decoded.obj = newer_events.from_newer(decoded.obj)
    with context.store.lock:
        old = existing(context, resource, info)
        stored = store_update(
            context, resource, decoded.obj, old, subresource=info.subresource, dry_run=options.dry_run
        )
    shown = rendering.one(resource, stored, form, now=context.store.clock())
    return rendering.answer(shown, form, warnings=unknown_field_warnings(decoded.unknown))


def patch(context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], body: Body) -> Response:
    """Patch an object, or its status."""
    form = rendering.negotiate(body.accept)
    options = write_options(query, "PatchOptions")
    change = patching.parse(body.raw, body.media_type)
    with context.store.lock:
        old = existing(context, resource, info)
        patched = patching.apply(rendering.shown(resource, old), change, body.media_type)
        decoded = _patched(patched, resource, options)
        _check_name(decoded.obj, info)
        if decoded.obj["metadata"].get("namespace", info.namespace) != info.namespace and resource.namespaced:
            raise bad_request(_OTHER_NAMESPACE)
        if resource == EVENTS_V1:
            decoded.obj = newer_events.from_newer(decoded.obj)
        stored = store_update(
            context, resource, decoded.obj, old, subresource=info.subresource, dry_run=options.dry_run
        )
    shown = rendering.one(resource, stored, form, now=context.store.clock())
    return rendering.answer(shown, form, warnings=unknown_field_warnings(decoded.unknown))


def _patched(patched: JsonObject, resource: Resource, options: WriteOptions) -> Decoded:
    try:
        return _decoded(patched, resource, options)
    except ApiError as error:
        marker = f"cannot be handled as a {resource.kind}: "
        if marker in error.message and "strict decoding" not in error.message:
            raise patching.mistyped(patched, error.message.partition(marker)[2]) from None
        raise


def store_update(
    context: Context, resource: Resource, new: JsonObject, old: JsonObject, *, subresource: str, dry_run: bool
) -> JsonObject:
    """Check and store the new state of an object; returns it. Raises :class:`ApiError` 409 or 422."""
    _check_identity(resource, new, old)
    if subresource == "status":
        new = _with_status(new, old)
    elif subresource == "finalize":
        new = {**copied(old), "spec": new.get("spec") or {}}
    else:
        strategies.on_update(new, old)
        if "status" in old:
            new["status"] = copied(old)["status"]
        checked = copied(new)
        apply_defaults(checked)
        validation.check_update(checked, old)
    stored = context.store.update(new, dry_run=dry_run)
    _finish_namespace(context, stored, dry_run=dry_run)
    return stored


def _finish_namespace(context: Context, stored: JsonObject, *, dry_run: bool) -> None:
    gone = stored["kind"] == "Namespace" and "deletionTimestamp" in stored["metadata"]
    if gone and not dry_run and not (stored.get("spec") or {}).get("finalizers"):
        key = Key("", stored["metadata"]["name"])
        if context.store.peek("Namespace", *key) is not None:
            context.store.mutate("Namespace", key, lambda obj: obj["metadata"].pop("finalizers", None))


def _with_status(new: JsonObject, old: JsonObject) -> JsonObject:
    made = copied(old)
    made["metadata"]["resourceVersion"] = new["metadata"].get("resourceVersion", "")
    made["status"] = strategies.on_status(new.get("status") or {}, old["kind"])
    return made


def _check_identity(resource: Resource, new: JsonObject, old: JsonObject) -> None:
    uid, own = new["metadata"].get("uid"), old["metadata"]["uid"]
    if uid and uid != own:
        key = f"/registry/{resource.plural}/{old['metadata'].get('namespace', '')}/{old['metadata']['name']}"
        why = (
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {own}"
        )
        raise conflict(resource, old["metadata"]["name"], why)
    version = new["metadata"].get("resourceVersion", "")
    if version and version != old["metadata"]["resourceVersion"]:
        raise conflict(resource, old["metadata"]["name"])
