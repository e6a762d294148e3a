"""Restore the environment: a variable is missing, wrong, or points at a key that is not there.

In this order: the value the diagnosis expects, the value of the revision before, the one key of nearly the same name.
Secrets are never written as values.
"""

from difflib import get_close_matches
from typing import Any

from copilot.actions.set_env import SetEnv, secret
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.value import JsonObject
from runbooks.base import Runbook, container, metadata, named, proposal, ready, text, workload
from runbooks.revisions import previous, template_of

NAME = "restore_env"


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the smallest change of one container's environment that the diagnosis supports."""
    found = workload(diagnosis, dump)
    one = container(found, diagnosis) if found is not None else None
    if found is None or one is None:
        return None
    change = _expected(diagnosis) or _before(diagnosis, found, one, dump) or _near_key(diagnosis, one)
    if change is None:
        return None
    action = SetEnv.of({**named(found), "container": one["name"], **change})
    names = ", ".join([*action.values, *action.refs, *action.remove])
    title = f"Set {names} of {metadata(found)['name']} right"
    return proposal(NAME, diagnosis, action, title=title, checks=(ready(found),))


def _expected(diagnosis: Diagnosis) -> dict[str, Any] | None:
    variable, value = text(diagnosis, "variable"), text(diagnosis, "expected")
    return {"values": {variable: value}} if variable and value and not secret(variable, value) else None


def _before(diagnosis: Diagnosis, found: JsonObject, one: JsonObject, dump: ClusterDump) -> dict[str, Any] | None:
    old = previous(found, dump)
    variable = text(diagnosis, "variable")
    if old is None or not variable:
        return None
    containers = {c.get("name"): c for c in template_of(old).get("containers") or ()}
    entry = next((e for e in containers.get(one["name"], {}).get("env") or () if e.get("name") == variable), None)
    if entry is None or entry in (one.get("env") or ()) or "value" not in entry:
        return None
    return None if secret(variable, entry["value"]) else {"values": {variable: entry["value"]}}


def _near_key(diagnosis: Diagnosis, one: JsonObject) -> dict[str, Any] | None:
    key, kept = text(diagnosis, "key"), diagnosis.details.get("keys")
    near = get_close_matches(key, [str(k) for k in kept], n=2, cutoff=0.8) if key and isinstance(kept, list) else []
    if len(near) != 1:
        return None
    field, kind = (
        ("secretKeyRef", "Secret") if text(diagnosis, "kind") == "Secret" else ("configMapKeyRef", "ConfigMap")
    )
    for entry in one.get("env") or ():
        ref = (entry.get("valueFrom") or {}).get(field) or {}
        if (ref.get("name"), ref.get("key")) == (text(diagnosis, "name"), key):
            return {"refs": {entry["name"]: {"kind": kind, "object": ref["name"], "key": near[0]}}}
    return None


RUNBOOK = Runbook(
    name=NAME,
    summary="Set one environment variable to what it was, or to what the diagnosis expects.",
    causes=("bad_environment", "missing_config_key", "service_address_mismatch", "connection_pool_exhausted"),
    propose=propose,
)
