"""Defaults of Services, EndpointSlices, Ingresses and NetworkPolicies."""

from collections.abc import Callable

from copilot.core.value import JsonObject
from copilot.lab.kube_api.defaults.fields import fill, section


def _service(obj: JsonObject) -> None:
    spec = section(obj, "spec")
    fill(spec, sessionAffinity="None", type="ClusterIP")
    for port in spec.get("ports") or ():
        fill(port, protocol="TCP")
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port")
    if spec["type"] != "ExternalName":
        fill(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        fill(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        fill(spec, allocateLoadBalancerNodePorts=True)
    if spec.get("clusterIP"):
        fill(spec, clusterIPs=[spec["clusterIP"]])
    fill(section(obj, "status"), loadBalancer={})


def _endpoints(obj: JsonObject) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            fill(port, protocol="TCP")


def _slice(obj: JsonObject) -> None:
    for port in obj.get("ports") or ():
        fill(port, name="", protocol="TCP")


def _ingress(obj: JsonObject) -> None:
    fill(section(obj, "status"), loadBalancer={})


def _network_policy(obj: JsonObject) -> None:
    spec = section(obj, "spec")
    fill(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            fill(port, protocol="TCP")


DEFAULTS: dict[str, Callable[[JsonObject], None]] = {
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _slice,
    "Ingress": _ingress,
    "NetworkPolicy": _network_policy,
}
