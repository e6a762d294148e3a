"""Playing a fault on the real control plane: its objects, the change that breaks them, and what was written by whom."""

from __future__ import annotations

import json

from tests.cluster.client import ApiClient, JsonObject
from tests.cluster.control_plane import ControlPlane
from tests.cluster.faults import Fault, Write, node_name, pods
from tests.cluster.processes import wait_until
from tests.cluster.workloads import gpu_node, namespace


def begin(fault: Fault, plane: ControlPlane) -> None:
    """Create a fault's namespace, node and objects, let the executor in, and wait until all is well."""
    admin = plane.client()
    admin.create(namespace(fault.namespace))
    plane.grant_executor(fault.namespace)
    if fault.own_node:
        admin.create(gpu_node(node_name(fault.namespace)))
    await_account(admin, fault.namespace)
    admin.create_all(placed(fault, manifest) for manifest in fault.given)
    wait_until(lambda: is_well(admin, fault), what=f"{fault.name} is well at the start")


def await_account(admin: ApiClient, space: str) -> None:
    """Wait until a new namespace has its service account: pods are refused before that."""
    account = f"/api/v1/namespaces/{space}/serviceaccounts/default"
    wait_until(lambda: admin.http.get(account).is_success, what=account)


def inject(fault: Fault, plane: ControlPlane) -> None:
    """Break what was well."""
    for write in fault.inject:
        send(plane.client(), fault, write)


def placed(fault: Fault, manifest: JsonObject) -> JsonObject:
    """Return a manifest in the fault's namespace, on its node where it names one."""
    text = json.dumps(manifest).replace("{node}", node_name(fault.namespace))
    made: JsonObject = json.loads(text)
    return made | {"metadata": made["metadata"] | {"namespace": fault.namespace}}


def is_well(admin: ApiClient, fault: Fault) -> bool:
    """Whether every pod of the fault's namespace runs and nothing shows."""
    running = [pod["status"].get("phase") == "Running" for pod in pods(admin, fault.namespace)]
    return bool(running) and all(running) and not fault.shows(admin, fault.namespace)


def send(client: ApiClient, fault: Fault, write: Write) -> None:
    """Send one strategic merge patch; fail with the server's words when it is refused."""
    path = write.path.format(ns=fault.namespace, node=node_name(fault.namespace))
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    answer = client.http.patch(path, json=write.body, headers=headers)
    assert answer.is_success, answer.text


def applied(plane: ControlPlane, *, space: str = "", node: str = "") -> list[JsonObject]:
    """Return the audit events of what the executor wrote for good in a namespace or on a node, in order.

    Dry runs and what the server refused changed nothing and are left out.
    """
    return [
        event
        for event in plane.writes_by("executor")
        if "dryRun=" not in event["requestURI"]
        and not (event.get("requestObject") or {}).get("dryRun")
        and event["responseStatus"]["code"] < 300
        and _is_about(event.get("objectRef") or {}, space, node)
    ]


def _is_about(ref: JsonObject, space: str, node: str) -> bool:
    if ref.get("resource") == "nodes":
        return bool(node) and ref.get("name") == node
    return ref.get("namespace") == space
