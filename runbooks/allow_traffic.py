"""Allow a flow: a NetworkPolicy keeps a client out that is needed.

Adds one peer to the policy's ingress: pods with exactly the labels of the client's workload, in its namespace. Nothing
is removed, and nobody else gets in. Traffic rules are somebody's intent, so it always asks; without a known client a
person must.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from copilot.actions.patch_field import PatchField
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from runbooks.base import Runbook, find, metadata, proposal, text, workload_of

NAME = "allow_traffic"
_NAMESPACE = "kubernetes.io/metadata.name"


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the policy with one more peer per client that is kept out."""
    ref = diagnosis.object
    policy = find(dump, "NetworkPolicy", ref.name, namespace=ref.namespace) if ref is not None else None
    if ref is None or policy is None or text(diagnosis, "direction").lower() == "egress":
        return None
    clients = [c for c in _clients(diagnosis, policy, dump) if _labels(c)]
    if not clients:
        return None
    rules: list[Any] = list((policy.get("spec") or {}).get("ingress") or ())
    rules.append({"from": [_peer(c, ref.namespace) for c in clients]})
    arguments = {"kind": "NetworkPolicy", "namespace": ref.namespace, "object": ref.name}
    action = PatchField.of({**arguments, "pointer": "/spec/ingress", "value": rules})
    names = ", ".join(sorted(str(metadata(c)["name"]) for c in clients))
    return proposal(NAME, diagnosis, action, title=f"Let {names} through NetworkPolicy {ref.name}")


def _clients(diagnosis: Diagnosis, policy: JsonObject, dump: ClusterDump) -> list[JsonObject]:
    """Return the workloads that are kept out: named in the details, else those that suffer and are not selected."""
    told: JsonValue = diagnosis.details.get("callers") or [text(diagnosis, "caller")]
    namespace = str(metadata(policy)["namespace"])
    names = [str(n).rpartition("/")[2] for n in told if n] if isinstance(told, list) else []
    refs = [Ref(kind="Workload", namespace=namespace, name=n) for n in names]
    refs += [r for r in diagnosis.symptoms if r.kind not in ("NetworkPolicy", "Service", "Pod", "Namespace")]
    selected = ((policy.get("spec") or {}).get("podSelector") or {}).get("matchLabels") or {}
    found = [w for r in refs if (w := workload_of(r, dump)) is not None]
    outside = [w for w in found if not selected or not selected.items() <= _labels(w).items()]
    return list({Ref.of(w).key: w for w in outside}.values())


def _peer(client: JsonObject, namespace: str) -> dict[str, Any]:
    peer: dict[str, Any] = {"podSelector": {"matchLabels": dict(_labels(client))}}
    own = str(metadata(client).get("namespace"))
    return peer if own == namespace else {**peer, "namespaceSelector": {"matchLabels": {_NAMESPACE: own}}}


def _labels(client: JsonObject) -> Mapping[str, str]:
    labels: Mapping[str, str] = ((client.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return labels


RUNBOOK = Runbook(
    name=NAME,
    summary="Let a needed client through a NetworkPolicy, and nobody else.",
    causes=("network_policy_blocks",),
    propose=propose,
)
