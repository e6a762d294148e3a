"""Trivial answers to compare with: always the most frequent, and what the newest Warning event says."""

import re
from collections import Counter

from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import event_time
from evals.exams._cloudops.answers import TAXONOMY, Answer
from evals.exams._cloudops.dump import Recorded

_WORDS = (
    (r"exceeded quota.*cpu", "namespace_cpu_quota_exceeded"),
    (r"exceeded quota.*memory", "namespace_memory_quota_exceeded"),
    (r"exceeded quota.*pods", "namespace_pod_quota_exceeded"),
    (r"service ?account .*not found", "missing_service_account"),
    (r"Insufficient cpu", "cpu_capacity_mismatch"),
    (r"Insufficient memory", "memory_capacity_mismatch"),
    (r"untolerated taint", "taint_toleration_mismatch"),
    (r"anti-affinity", "pod_anti_affinity_conflict"),
    (r"affinity/selector", "node_selector_mismatch"),
    (r"were unschedulable", "node_cordon_mismatch"),
    (r"PersistentVolumeClaim", "pvc_capacity_mismatch"),
    (r"no such host", "image_registry_dns_failure"),
    (r"Failed to pull image|ErrImagePull|ImagePullBackOff", "incorrect_image_reference"),
    (r"Liveness probe", "liveness_probe_incorrect_port"),
    (r"Readiness probe", "readiness_probe_incorrect_port"),
    (r"OOM", "oom_killed"),
    (r"containerd", "containerd_unavailable"),
    (r"Node is not ready", "kubelet_unavailable"),
)


def newest_warning(recorded: Recorded) -> Answer | None:
    """Return the answer that the newest Warning event about the namespace suggests by its words."""
    facts = Facts(recorded.dump)
    warnings = [e for e in facts.all("Event") if e.get("type") == "Warning"]
    for event in sorted(warnings, key=lambda e: str(event_time(e) or ""), reverse=True):
        word = next((w for pattern, w in _WORDS if re.search(pattern, str(event.get("message")))), "")
        if word:
            about = event.get("involvedObject") or {}
            name = re.sub(r"-[a-z0-9]+(-[a-z0-9]{5})?$", "", str(about.get("name")))
            kind = "node" if about.get("kind") == "Node" else "namespace" if "quota" in word else "app"
            label = recorded.dump.namespace if kind == "namespace" else name
            return Answer(TAXONOMY[word], f"{kind}/{label}", word)
    return None


def most_frequent(truths: "Counter[Answer]", count: int) -> int:
    """Return how many cases the ``count`` most frequent answers hit (an upper bound: it has seen the answers)."""
    return sum(n for _, n in truths.most_common(count))
