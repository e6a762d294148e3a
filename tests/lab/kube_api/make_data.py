"""Write the data files of the lab's Kubernetes API again: field types from the official client, the rest as recorded.

Run ``python -m tests.lab.kube_api.make_data`` after the client or the recording of the real API server changed.
"""

from __future__ import annotations

import json
import re
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


def main() -> None:
    """Write every file."""
    DATA.mkdir(exist_ok=True)
    made = {"schema": schema(), "columns": columns(), "discovery": discovery(), "hashes": hashes()}
    for name, content in made.items():
        lines = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (DATA / f"{name}.json").write_text(lines + "\n")


if __name__ == "__main__":
    main()
