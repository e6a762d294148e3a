"""A small ticketing system (Java, MySQL) as the recorded tools of the exam print it: no data set is needed for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

SPACE = "tickets"
_HASH = "6d4cf56db6"


@dataclass
class App:
    """One Deployment with its Service and one pod."""

    name: str
    image: str
    port: int
    env: dict[str, str] = field(default_factory=dict)
    """Values; ``secret:NAME/KEY`` is taken from a Secret."""
    calls: tuple[str, ...] = ()
    logs: tuple[tuple[str, int], ...] = ()
    """Lines that the error log holds, and how often."""
    replicas: int = 1
    state: str = "Running"
    reason: str = ""
    ready: bool = True
    restarts: int = 0
    events: tuple[tuple[str, str], ...] = ()
    sidecars: tuple[tuple[str, str, int], ...] = ()
    """(name, image, port) of further containers."""
    pod: dict[str, Any] = field(default_factory=dict)
    """Further fields of the pod's spec."""
    claim: str = ""
    beside: tuple[dict[str, Any], ...] = ()
    """What else its manifest declares."""
    secrets: tuple[str, ...] = ()
    """Secrets of which all keys become environment."""

    @property
    def pod_name(self) -> str:
        """Its one pod."""
        return f"{self.name}-{_HASH}-x7k2p"


def system() -> dict[str, App]:
    """Return the healthy system: a gateway before three services, two of which use the database."""
    java = "docker.io/acme/tickets-{}:1.4.2"
    database = {
        "DB_HOST": "tickets-mysql", "DB_PORT": "3306", "DB_USER": "secret:{}-db/user", "DB_PASSWORD": "secret:{}-db/pw",
    }  # fmt: skip
    own = {name: {k: v.format(name) for k, v in database.items()} for name in ("order", "route")}
    apps = (
        App("tickets-mysql", "docker.io/library/mysql:8.0", 3306, {"MYSQL_ROOT_PASSWORD": "secret:mysql-root/pw"}),
        App("order", java.format("order"), 12031, own["order"], ("tickets-mysql", "seat"), secrets=("order-keys",)),
        App("route", java.format("route"), 11178, own["route"], ("tickets-mysql",), secrets=("route-keys",)),
        App("seat", java.format("seat"), 18898, {}, ("route",), secrets=("seat-keys",)),
        App(
            "edge", "docker.io/library/nginx:1.27", 8080, {"ORDER_URL": "http://order:12031"}, ("order", "route"),
        ),
    )  # fmt: skip
    return {one.name: one for one in apps}


def recorded(apps: dict[str, App], **more: str) -> dict[str, str]:
    """Return what the tools would have printed; ``more`` are further calls, or others in place of these."""
    found: dict[str, str] = {"collection_timestamp": "2025-11-14T13:55:53", "GetAlerts:{}": "{}"}
    found |= _lists(apps)
    for app in apps.values():
        found |= _about(app, apps)
    return found | more


def listed(kind: str, text: str) -> dict[str, str]:
    """Return a list of a kind as the tool is called for it."""
    return {_get(kind): text}


def described(kind: str, name: str, text: str) -> dict[str, str]:
    """Return a description as the tool is called for it."""
    return {_call("DescribeResource", resource_type=kind, name=name, namespace=SPACE): text}


def _call(tool: str, **given: object) -> str:
    return f"{tool}:{json.dumps(given, separators=(',', ':'))}"


def _get(kind: str) -> str:
    return _call("GetResources", resource_type=kind, name="", namespace=SPACE)


def _lists(apps: dict[str, App]) -> dict[str, str]:
    running = [a for a in apps.values() if a.replicas]
    pods = ["NAME READY STATUS RESTARTS AGE"] + [
        f"{a.pod_name} {int(a.ready)}/{1 + len(a.sidecars)} {a.reason or a.state} {a.restarts} 4m" for a in running
    ]
    services = ["NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE"] + [
        f"{a.name} ClusterIP 10.68.0.{i} <none> {a.port}/TCP 5m" for i, a in enumerate(apps.values(), 9)
    ]
    deployments = ["NAME READY UP-TO-DATE AVAILABLE AGE"] + [
        f"{a.name} {int(a.ready and a.replicas > 0)}/{a.replicas} {a.replicas} {int(a.ready and a.replicas > 0)} 5m"
        for a in apps.values()
    ]
    endpoints = ["NAME ENDPOINTS AGE"] + [f"{a.name} {_endpoint(a)} 5m" for a in apps.values()]
    nodes = "NAME STATUS ROLES AGE VERSION\nnode-1 Ready node 90d v1.33.4\nnode-2 Ready node 90d v1.33.4"
    return {
        _get("pods"): _columns(pods), _get("services"): _columns(services), _get("deployments"): _columns(deployments),
        _get("endpoints"): _columns(endpoints), _get("nodes"): _columns(nodes.splitlines()),
    }  # fmt: skip


def _columns(rows: list[str]) -> str:
    cells = [row.split(" ") for row in rows]
    widths = [max(len(row[i]) for row in cells) + 3 for i in range(len(cells[0]))]
    return "\n".join("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def _endpoint(app: App) -> str:
    return f"172.20.1.5:{app.port}" if app.ready and app.replicas else "<none>"


def _about(app: App, apps: dict[str, App]) -> dict[str, str]:
    found = described("services", app.name, _service(app)) | described("deployments", app.name, _deployment(app))
    if app.replicas:
        found |= described("pods", app.pod_name, _pod(app))
    patterns = [{"count": count, "sample": line} for line, count in app.logs]
    found[_call("GetErrorLogs", namespace=SPACE, service_name=app.name)] = json.dumps(
        {"patterns": patterns} if patterns else {}
    )
    found[_call("GetAppYAML", app_name=app.name)] = "\n---\n".join(map(json.dumps, (_manifest(app), *app.beside)))
    callers = ", ".join(a.name for a in apps.values() if app.name in a.calls) or "(None)"
    below = "\n".join(f"  -> {name}" for name in app.calls) or "(None - Leaf Service)"
    told = f"[Service]: {app.name}\n[Upstream (Called By)]: {callers}\n[Downstream (Calls)]:\n{below}"
    found[_call("GetServiceDependencies", service_name=app.name)] = told
    reached = bool(app.ready and app.replicas)
    text = f"{app.name} (10.68.0.9:{app.port}) open\nConnection Succeeded" if reached else "Connection Failed"
    found[_call("CheckServiceConnectivity", namespace=SPACE, service_name=app.name, port=app.port)] = text
    return found


def _service(app: App) -> str:
    return (
        f"Name:                     {app.name}\nNamespace:                {SPACE}\nLabels:                   "
        f"app={app.name}\nAnnotations:              <none>\nSelector:                 app={app.name}\n"
        f"Type:                     ClusterIP\nIP:                       10.68.0.9\nPort:                     main  "
        f"{app.port}/TCP\nTargetPort:               {app.port}/TCP\nEndpoints:                {_endpoint(app)}\n"
        f"Session Affinity:         None\nEvents:                   <none>"
    )


def _deployment(app: App) -> str:
    up = int(app.ready and app.replicas > 0)
    down = app.replicas - up
    return (
        f"Name:                   {app.name}\nNamespace:              {SPACE}\n"
        "CreationTimestamp:      Fri, 14 Nov 2025 13:50:53 +0000\n"
        f"Labels:                 app={app.name}\nAnnotations:            deployment.kubernetes.io/revision: 1\n"
        f"Selector:               app={app.name}\n"
        f"Replicas:               {app.replicas} desired | {app.replicas} updated | {app.replicas} total | "
        f"{up} available | {down} unavailable\nStrategyType:           RollingUpdate\nPod Template:\n"
        f"  Labels:           app={app.name}\n  Containers:\n{_containers(app, 3, pod=False)}"
        f"  Volumes:         <none>\nOldReplicaSets:  <none>\n"
        f"NewReplicaSet:   {app.name}-{_HASH} ({app.replicas}/{app.replicas} replicas created)\nEvents:          <none>"
    )


def _pod(app: App) -> str:
    events = [f"  Warning  {reason}  20s (x9 over 2m)  kubelet  {message}" for reason, message in app.events]
    head = "Events:\n  Type     Reason  Age  From     Message\n  ----     ------  ----  ----     -------\n"
    told = head + "\n".join(events) if events else "Events:           <none>"
    return (
        f"Name:             {app.pod_name}\nNamespace:        {SPACE}\nPriority:         0\n"
        f"Node:             {'<none>' if app.state == 'Pending' and not app.reason else 'node-1/192.168.0.11'}\n"
        f"Start Time:       Fri, 14 Nov 2025 13:51:03 +0000\nLabels:           app={app.name}\n"
        f"                  pod-template-hash={_HASH}\nAnnotations:      <none>\nStatus:           {app.state}\n"
        f"IP:               172.20.1.5\nControlled By:  ReplicaSet/{app.name}-{_HASH}\nContainers:\n"
        f"{_containers(app, 2, pod=True)}Conditions:\n  Type              Status\n"
        f"  PodScheduled      {app.state != 'Pending' or bool(app.reason)}\n  Ready             {app.ready}\n"
        f"  ContainersReady   {app.ready}\n{_volumes(app)}{told}"
    )


def _volumes(app: App) -> str:
    if not app.claim:
        return ""
    kind = "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)"
    return f"Volumes:\n  data:\n    Type:       {kind}\n    ClaimName:  {app.claim}\n    ReadOnly:   false\n"


def _containers(app: App, indent: int, *, pod: bool) -> str:
    parts = [("main", app.image, app.port), *app.sidecars]
    return "".join(_container(app, *part, indent=indent, pod=pod) for part in parts)


def _container(app: App, name: str, image: str, port: int, *, indent: int, pod: bool) -> str:
    lines = [f"{name}:", f"  Image:          {image}", f"  Port:           {port}/TCP"]
    main = name == ("main" if not app.sidecars else app.sidecars[-1][0])
    if pod and main and app.reason:
        lines += ["  State:          Waiting", f"    Reason:       {app.reason}"]
        if app.reason == "CrashLoopBackOff":
            lines += ["  Last State:     Terminated", "    Reason:       Error", "    Exit Code:    1"]
            lines += ["    Finished:     Fri, 14 Nov 2025 13:55:20 +0000"]
    elif pod:
        lines += ["  State:          Running", "    Started:      Fri, 14 Nov 2025 13:51:05 +0000"]
    if pod:
        lines += [f"  Ready:          {app.ready or not main}", f"  Restart Count:  {app.restarts if main else 0}"]
    if name == "main" and app.secrets:
        lines += ["  Environment Variables from:", *(f"    {s}  Secret  Optional: false" for s in app.secrets)]
    lines += ["  Environment:", *_environment(app)] if name == "main" and app.env else ["  Environment:    <none>"]
    mounted = app.claim and name == "main"
    lines += ["  Mounts:", "    /var/lib/mysql from data (rw)"] if mounted else ["  Mounts:         <none>"]
    return "".join(f"{' ' * indent}{line}\n" for line in lines)


def _environment(app: App) -> list[str]:
    rows = []
    for key, value in app.env.items():
        name, _, part = value.removeprefix("secret:").partition("/")
        shown = (
            f"<set to the key '{part}' in secret '{name}'>  Optional: false" if value.startswith("secret:") else value
        )
        rows.append(f"    {key}:  {shown}")
    return rows


def _manifest(app: App) -> dict[str, Any]:
    env: list[dict[str, Any]] = []
    for key, value in app.env.items():
        name, _, part = value.removeprefix("secret:").partition("/")
        taken = {"valueFrom": {"secretKeyRef": {"name": name, "key": part}}}
        env.append({"name": key, **(taken if value.startswith("secret:") else {"value": value})})
    main: dict[str, Any] = {
        "name": "main", "image": app.image, "ports": [{"containerPort": app.port}], "env": env,
        "envFrom": [{"secretRef": {"name": s}} for s in app.secrets],
    }  # fmt: skip
    others = [{"name": n, "image": i, "ports": [{"containerPort": p}]} for n, i, p in app.sidecars]
    if app.claim:
        main["volumeMounts"] = [{"name": "data", "mountPath": "/var/lib/mysql"}]
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": app.claim}}] if app.claim else []
    labels = {"app": app.name}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": app.name, "namespace": SPACE, "labels": labels},
        "spec": {
            "replicas": app.replicas, "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [main, *others], "volumes": volumes, **app.pod},
            },
        },
    }  # fmt: skip
