"""What the cloud says about the node groups that could give waiting pods room."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

from copilot.core.cluster import ClusterDump, Missing
from copilot.core.ref import Ref
from copilot.core.selectors import affinity_allows, selector_allows
from copilot.core.value import JsonObject
from copilot.diagnosis.placement import waiting
from copilot.errors import CopilotError
from copilot.ports.read import Cloud

KIND = "NodeGroup"
_GROUP = "eks.amazonaws.com/nodegroup"
"""Managed node groups put their name on their nodes; the Auto Scaling group behind one is found by it."""
_REGION = "topology.kubernetes.io/region"
_SERVICE = "autoscaling"


async def with_groups(dump: ClusterDump, cloud: Cloud | None) -> ClusterDump:
    """Return the dump with the node groups that pods without a node may use, each with desired, min and max size.

    Asks nothing while every pod has a node. What the cloud does not say is in ``missing``.
    """
    if cloud is None:
        return dump
    read = await asyncio.gather(*(_group(cloud, name, region) for name, region in sorted(set(_wanted(dump)))))
    found = [one for one in read if isinstance(one, dict)]
    missing = [one for one in read if isinstance(one, Missing)]
    if not read:
        return dump
    objects = {**dump.objects, KIND: [*dump.objects.get(KIND, ()), *found]}
    return replace(dump, objects=objects, missing=(*dump.missing, *missing))


def _wanted(dump: ClusterDump) -> Iterator[tuple[str, str]]:
    nodes = dump.objects.get("Node", ())
    for spec in _specs(dump.objects.get("Pod", ())):
        for node in nodes:
            labels = (node.get("metadata") or {}).get("labels") or {}
            fits = selector_allows(spec, node) and affinity_allows(spec, node)
            if fits and labels.get(_GROUP) and labels.get(_REGION):
                yield labels[_GROUP], labels[_REGION]


def _specs(pods: Iterable[JsonObject]) -> Iterator[JsonObject]:
    return (pod.get("spec") or {} for pod in pods if waiting(pod))


async def _group(cloud: Cloud, name: str, region: str) -> JsonObject | Missing:
    target = Ref(kind=KIND, name=name, namespace=region, api_version=f"aws/{_SERVICE}")
    try:
        told = await cloud.describe(_SERVICE, target, region=region)
    except CopilotError as error:
        return Missing(f"node group {name}", error.message)
    spec = {"desired": told.get("DesiredCapacity"), "min": told.get("MinSize"), "max": told.get("MaxSize")}
    return {"kind": KIND, "metadata": {"name": name, "labels": {_REGION: region}}, "spec": spec}
