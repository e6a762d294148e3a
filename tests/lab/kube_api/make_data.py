"""Write the data files of the lab's Kubernetes API again: field types from the official client, the rest as recorded.

Run ``python -m tests.lab.kube_api.make_data [FOLDER]`` after the client or the recording of the real server changed.
``FOLDER`` is the Go module cache's ``k8s.io``; with it the protobuf field numbers are written too (v0.33.13).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from copilot.lab.kube_api.kinds import EVENTS_V1, RESOURCES

ROOT = Path(__file__).resolve().parents[3]
RECORDED = ROOT / "tests/cluster/conformance/recorded"
DATA = ROOT / "copilot/lab/kube_api/data"
EXTRA_RESOURCES = {
    ("", "bindings"),
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
}
NOT_SERVED = {"attach", "exec", "portforward", "proxy", "ephemeralcontainers", "resize", "token", "approval", "binding"}
MODELS = {"HorizontalPodAutoscaler": "V2HorizontalPodAutoscaler", "Event": "CoreV1Event"}
SIMPLE = {
    "str": "s",
    "int": "i",
    "bool": "b",
    "float": "f",
    "datetime": "t",
    "object": "a",
    "AnyType": "a",
    "Any": "a",
    "bytes": "s",
    "date": "t",
}
PREFIX = re.compile(r"^(CoreV1|EventsV1|DiscoveryV1|RbacV1|StorageV1|AuthenticationV1|V1|V2)")


def schema() -> dict[str, dict[str, str]]:
    """Types by struct name and field: s, i, b, f, t(ime), a(ny), ``[X`` list, ``{X`` map, or a struct's name."""
    from kubernetes.client import models

    types: dict[str, dict[str, str]] = {}

    def named(model: str) -> str:
        return "Events" + PREFIX.sub("", model) if model.startswith("EventsV1") else PREFIX.sub("", model)

    def reading(text: str) -> str:
        if found := re.match(r"[Ll]ist\[(.*)\]$", text):
            return "[" + reading(found[1])
        if found := re.match(r"[Dd]ict[\[(]str, (.*)[\])]$", text):
            return "{" + reading(found[1])
        if text in SIMPLE:
            return SIMPLE[text]
        visit(text)
        return named(text)

    def visit(model: str) -> None:
        if named(model) in types:
            return
        fields = types[named(model)] = {}
        made = getattr(models, model)
        for attribute, kind in made.openapi_types.items():
            fields[made.attribute_map[attribute]] = reading(kind)

    for resource in RESOURCES:
        visit(MODELS.get(resource.kind, f"V1{resource.kind}"))
    for model in ("EventsV1Event", "V1Scale", "V1DeleteOptions", "V1Eviction", "V1SelfSubjectAccessReview"):
        visit(model)
    visit("V1SelfSubjectRulesReview")
    types["ObjectMeta"].pop("managedFields", None)
    types["ObjectMeta"]["managedFields"] = "a"
    return dict(sorted(types.items()))


def columns() -> dict[str, list[dict[str, Any]]]:
    """Column definitions by plural, from the recorded tables."""
    plurals = {
        "claims": "persistentvolumeclaims",
        "quotas": "resourcequotas",
        "budgets": "poddisruptionbudgets",
        "autoscalers": "horizontalpodautoscalers",
        "network policies": "networkpolicies",
        "endpoint slices": "endpointslices",
        "one namespace": "namespaces",
    }
    found: dict[str, list[dict[str, Any]]] = {}
    recorded = json.loads((RECORDED / "tables.json").read_text())
    known = {resource.plural for resource in RESOURCES}
    for name, answer in recorded.items():
        title = name.partition("/")[2]
        plural = plurals.get(title, title)
        if plural in known and answer["body"].get("columnDefinitions"):
            found[plural] = answer["body"]["columnDefinitions"]
    return dict(sorted(found.items()))


def discovery() -> list[dict[str, Any]]:
    """The aggregated discovery document of what the lab serves, in the real server's order."""
    recorded = json.loads((RECORDED / "discovery.json").read_text())
    served = {(one.group, one.version, one.plural): one for one in (*RESOURCES, EVENTS_V1)}
    groups = []
    for answer in ("aggregated core", "aggregated groups"):
        for group in recorded[f"discovery/{answer}"]["body"]["items"]:
            name = group["metadata"].get("name", "")
            versions = [_version(name, version, served) for version in group["versions"]]
            kept = [version for version in versions if version["resources"]]
            if kept:
                groups.append({"metadata": group["metadata"], "versions": kept})
    return groups


def _version(group: str, version: dict[str, Any], served: dict[tuple[str, str, str], Any]) -> dict[str, Any]:
    kept = []
    for one in version["resources"]:
        if (group, version["version"], one["resource"]) not in served and (
            group,
            one["resource"],
        ) not in EXTRA_RESOURCES:
            continue
        below = [sub for sub in one.get("subresources") or [] if sub["subresource"] not in NOT_SERVED]
        kept.append({**{key: value for key, value in one.items() if key != "subresources"}, **_below(below)})
    return {**version, "resources": kept}


def _below(subresources: list[dict[str, Any]]) -> dict[str, Any]:
    return {"subresources": subresources} if subresources else {}


def hashes() -> dict[str, str]:
    """Storage version hashes by ``group/plural``, from the recorded resource lists."""
    found: dict[str, str] = {}
    for answer in json.loads((RECORDED / "discovery.json").read_text()).values():
        body = answer["body"]
        if isinstance(body, dict) and body.get("kind") == "APIResourceList":
            group = body["groupVersion"].rpartition("/")[0]
            for one in body["resources"]:
                if "storageVersionHash" in one:
                    found[f"{group}/{one['name']}"] = one["storageVersionHash"]
    return dict(sorted(found.items()))


_MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(optional|repeated)?\s*(map<string, ([\w.]+)>|[\w.]+) (\w+) = (\d+);", re.MULTILINE)
_API_MODULES = ("api@v0.33.13", "apimachinery@v0.33.13")


def protobuf(folder: Path) -> dict[str, dict[str, dict[str, list[str]]]]:
    """``message -> number -> [field, mode, type]`` for every message that a served kind reaches, by group version."""
    found: dict[str, dict[str, list[str]]] = {}
    for module in _API_MODULES:
        for path in sorted((folder / module).rglob("generated.proto")):
            package = re.search(r"^package (.*);", path.read_text(), re.MULTILINE)
            if package is not None:
                _read_messages(path.read_text(), package[1].removeprefix("k8s.io."), found)
    roots = {f"api.{_package(one.group)}.{one.version}.{one.kind}" for one in (*RESOURCES, EVENTS_V1)}
    roots |= {f"api.authorization.v1.SelfSubject{name}Review" for name in ("Access", "Rules")}
    roots |= {"api.policy.v1.Eviction", "api.autoscaling.v1.Scale", "apimachinery.pkg.apis.meta.v1.DeleteOptions"}
    return {"messages": _reachable(found, roots)}


def _package(group: str) -> str:
    return group.partition(".")[0] or "core"


def _read_messages(text: str, package: str, found: dict[str, dict[str, list[str]]]) -> None:
    for name, body in _MESSAGE.findall(re.sub(r"//.*", "", text)):
        fields = found.setdefault(f"{package}.{name}", {})
        for mode, whole, value, field, number in _FIELD.findall(body):
            kind = (value or whole).lstrip(".").removeprefix("k8s.io.")
            kind = kind if "." in kind or kind in _SCALARS else f"{package}.{kind}"
            fields[number] = [field, "map" if value else mode or "optional", kind]


_SCALARS = ("string", "bytes", "bool", "int32", "int64", "double", "uint32")


def _reachable(found: dict[str, dict[str, list[str]]], roots: set[str]) -> dict[str, dict[str, list[str]]]:
    kept: dict[str, dict[str, list[str]]] = {}
    waiting = sorted(roots & set(found))
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = found[name]
            waiting += [field[2] for field in found[name].values() if field[2] in found]
    return dict(sorted(kept.items()))


def main() -> None:
    """Write every file."""
    DATA.mkdir(exist_ok=True)
    made: dict[str, Any] = {"schema": schema(), "columns": columns(), "discovery": discovery(), "hashes": hashes()}
    if len(sys.argv) > 1:
        made["protobuf"] = protobuf(Path(sys.argv[1]))
    for name, content in made.items():
        lines = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (DATA / f"{name}.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
