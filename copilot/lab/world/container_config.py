"""Resolving what a container's spec refers to: configuration, secrets, volumes, pull secrets."""

from copilot.core.value import JsonObject
from copilot.lab.kube_api.store import ObjectStore
from copilot.lab.world.runtime import PodRun
from copilot.lab.world.site import Site

_DENIED = (
    "pull access denied, repository does not exist or may require authorization: "
    "authorization failed: no basic auth credentials"
)


class ConfigMissing(Exception):
    """Something the container refers to does not exist; the text is the kubelet's."""


def environment(store: ObjectStore, namespace: str, container: JsonObject) -> dict[str, str]:
    """Return the environment of a container.

    Raises :class:`ConfigMissing` in the kubelet's words when a ConfigMap, a Secret or one of their keys is absent.
    """
    result: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if field in source:
                result |= _data(store, kind, namespace, source[field])
    for one in container.get("env") or ():
        value = _value(store, namespace, one)
        if value is not None:
            result[one["name"]] = value
    return result


def _value(store: ObjectStore, namespace: str, one: JsonObject) -> str | None:
    source = one.get("valueFrom")
    if not source:
        return str(one.get("value", ""))
    for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if field in source:
            return _key(store, kind, namespace, source[field])
    return ""


def _key(store: ObjectStore, kind: str, namespace: str, ref: JsonObject) -> str | None:
    data = _data(store, kind, namespace, ref)
    if ref["key"] in data:
        return data[ref["key"]]
    if ref.get("optional"):
        return None
    raise ConfigMissing(f"couldn't find key {ref['key']} in {kind} {namespace}/{ref['name']}")


def _data(store: ObjectStore, kind: str, namespace: str, ref: JsonObject) -> dict[str, str]:
    found = store.peek(kind, namespace, ref["name"])
    if found is None:
        if ref.get("optional"):
            return {}
        raise ConfigMissing(f'{kind.lower()} "{ref["name"]}" not found')
    return {**(found.get("data") or {}), **(found.get("stringData") or {})}


def missing_volume(store: ObjectStore, namespace: str, spec: JsonObject) -> str:
    """Return the kubelet's complaint about the first volume that cannot be set up, or the empty string."""
    for volume in spec.get("volumes") or ():
        for kind, field, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            source = volume.get(field)
            if source and not source.get("optional") and store.peek(kind, namespace, source[name]) is None:
                missing = f'{kind.lower()} "{source[name]}" not found'
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {missing}'
    return ""


def pull_refusal(site: Site, run: PodRun, ref: str) -> str:
    """Return why the registry does not give an image to a pod, in containerd's words, or the empty string."""
    image = site.design.catalog.find(ref)
    head = f'failed to pull and unpack image "{ref}": failed to resolve reference "{ref}": '
    if image is None:
        return f"{head}{ref}: not found"
    if image.private and not can_pull(site.store, run.namespace, run.spec, image.registry):
        return f"{head}{_DENIED}"
    return ""


def can_pull(store: ObjectStore, namespace: str, spec: JsonObject, registry: str) -> bool:
    """Whether one of the pod's pull secrets exists and names the registry."""
    for ref in spec.get("imagePullSecrets") or ():
        secret = store.peek("Secret", namespace, ref["name"])
        if secret is not None and registry in str(secret.get("stringData") or secret.get("data") or {}):
            return True
    return False
