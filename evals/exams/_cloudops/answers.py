"""The exam's vocabulary: the product's causes and objects in its words, and only here."""

from dataclasses import dataclass

from copilot.core.case import Diagnosis, Findings
from copilot.core.ref import Ref
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import labels_of, spec
from evals.exams._cloudops.dump import Recorded

_TAXONOMY = {
    "Admission_Fault": (
        "missing_service_account", "namespace_cpu_quota_exceeded", "namespace_memory_quota_exceeded",
        "namespace_pod_quota_exceeded", "namespace_service_quota_exceeded", "namespace_storage_quota_exceeded",
    ),
    "Infrastructure_Fault": (
        "containerd_unavailable", "kube_proxy_unavailable", "kube_scheduler_unavailable", "kubelet_unavailable",
        "node_network_delay", "node_network_packet_loss",
    ),
    "Performance_Fault": ("pod_cpu_overload", "pod_network_delay"),
    "Runtime_Fault": (
        "db_connection_exhaustion", "db_read_only", "deployment_zero_replicas", "liveness_probe_incorrect_port",
        "liveness_probe_incorrect_protocol", "liveness_probe_incorrect_timing", "mysql_invalid_credentials",
        "mysql_invalid_port", "oom_killed", "readiness_probe_incorrect_port", "readiness_probe_incorrect_protocol",
        "service_sidecar_port_conflict",
    ),
    "Scheduling_Fault": (
        "cpu_capacity_mismatch", "memory_capacity_mismatch", "node_affinity_mismatch", "node_cordon_mismatch",
        "node_selector_mismatch", "pod_anti_affinity_conflict", "pv_binding_occupied", "pvc_access_mode_mismatch",
        "pvc_capacity_mismatch", "pvc_selector_mismatch", "pvc_storage_class_mismatch", "taint_toleration_mismatch",
    ),
    "Service_Routing_Fault": (
        "gateway_misroute", "service_dns_resolution_failure", "service_env_var_address_mismatch",
        "service_port_mapping_mismatch", "service_protocol_mismatch", "service_selector_mismatch",
    ),
    "Startup_Fault": (
        "image_registry_dns_failure", "incorrect_image_reference", "missing_image_pull_secret",
        "missing_secret_binding", "volume_mount_permission_denied",
    ),
}  # fmt: skip
TAXONOMY = {cause: taxonomy for taxonomy, causes in _TAXONOMY.items() for cause in causes}

_CAUSES = {
    "missing_service_account": "missing_service_account",
    "container_runtime_unavailable": "containerd_unavailable",
    "kube_proxy_unavailable": "kube_proxy_unavailable",
    "scheduler_unavailable": "kube_scheduler_unavailable",
    "kubelet_unavailable": "kubelet_unavailable",
    "node_not_ready": "kubelet_unavailable",
    "node_network_delay": "node_network_delay",
    "node_packet_loss": "node_network_packet_loss",
    "cpu_throttling": "pod_cpu_overload",
    "network_delay": "pod_network_delay",
    "database_connections_exhausted": "db_connection_exhaustion",
    "connection_pool_exhausted": "db_connection_exhaustion",
    "database_read_only": "db_read_only",
    "scaled_to_zero": "deployment_zero_replicas",
    "liveness_probe_port": "liveness_probe_incorrect_port",
    "liveness_probe_protocol": "liveness_probe_incorrect_protocol",
    "liveness_probe_path": "liveness_probe_incorrect_protocol",
    "liveness_probe_timing": "liveness_probe_incorrect_timing",
    "database_credentials_rejected": "mysql_invalid_credentials",
    "database_port_wrong": "mysql_invalid_port",
    "oom_killed": "oom_killed",
    "memory_leak": "oom_killed",
    "readiness_probe_port": "readiness_probe_incorrect_port",
    "readiness_probe_protocol": "readiness_probe_incorrect_protocol",
    "readiness_probe_path": "readiness_probe_incorrect_protocol",
    "port_conflict": "service_sidecar_port_conflict",
    "insufficient_cpu": "cpu_capacity_mismatch",
    "insufficient_memory": "memory_capacity_mismatch",
    "node_affinity_unsatisfied": "node_affinity_mismatch",
    "node_cordoned": "node_cordon_mismatch",
    "node_selector_unsatisfied": "node_selector_mismatch",
    "pod_anti_affinity_conflict": "pod_anti_affinity_conflict",
    "taint_not_tolerated": "taint_toleration_mismatch",
    "gateway_misroute": "gateway_misroute",
    "dns_failure": "service_dns_resolution_failure",
    "service_missing": "service_dns_resolution_failure",
    "service_address_mismatch": "service_env_var_address_mismatch",
    "service_target_port_mismatch": "service_port_mapping_mismatch",
    "service_protocol_mismatch": "service_protocol_mismatch",
    "service_selector_mismatch": "service_selector_mismatch",
    "image_registry_unreachable": "image_registry_dns_failure",
    "image_not_found": "incorrect_image_reference",
    "image_pull_failed": "incorrect_image_reference",
    "missing_image_pull_secret": "missing_image_pull_secret",
    "missing_secret": "missing_secret_binding",
    "missing_config_key": "missing_secret_binding",
    "volume_permission_denied": "volume_mount_permission_denied",
}
_QUOTAS = {
    "cpu": "namespace_cpu_quota_exceeded", "memory": "namespace_memory_quota_exceeded",
    "pods": "namespace_pod_quota_exceeded", "services": "namespace_service_quota_exceeded",
    "storage": "namespace_storage_quota_exceeded",
}  # fmt: skip
_CLAIMS = {
    "occupied": "pv_binding_occupied", "access_mode": "pvc_access_mode_mismatch", "capacity": "pvc_capacity_mismatch",
    "selector": "pvc_selector_mismatch", "storage_class": "pvc_storage_class_mismatch",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in the exam's words."""

    taxonomy: str
    object: str
    cause: str


def answers(findings: Findings, recorded: Recorded) -> list[tuple[Answer, Diagnosis]]:
    """Return the distinct answers that the findings amount to, best first: diagnoses, then their alternatives."""
    facts = Facts(recorded.dump)
    found: dict[Answer, Diagnosis] = {}
    for diagnosis in findings.diagnoses:
        one = _answer(diagnosis.cause, diagnosis.object, dict(diagnosis.details), facts, recorded)
        if one:
            found.setdefault(one, diagnosis)
    for diagnosis in findings.diagnoses:
        for other in diagnosis.alternatives:
            one = _answer(other.cause, other.object, {}, facts, recorded)
            if one:
                found.setdefault(one, diagnosis)
    return list(found.items())


def _answer(cause: str, ref: Ref | None, details: dict[str, object], facts: Facts, recorded: Recorded) -> Answer | None:
    word = _CAUSES.get(cause, "")
    if cause == "quota_exceeded":
        word = _QUOTAS.get(str(details.get("resource")), "")
    elif cause == "pvc_unbound":
        word = _CLAIMS.get(str(details.get("mismatch")), "")
    if not word or ref is None:
        return None
    if cause == "node_cordoned" and details.get("workload"):
        return Answer(TAXONOMY[word], f"app/{details['workload']}", word)
    return Answer(TAXONOMY[word], _object(ref, cause, facts, recorded), word)


def _object(ref: Ref, cause: str, facts: Facts, recorded: Recorded) -> str:
    if ref.kind == "Node":
        return f"node/{ref.name}"
    if cause == "quota_exceeded" or ref.kind == "Namespace":
        return f"namespace/{ref.namespace or ref.name}"
    return f"app/{_app(ref, facts, recorded)}"


def _app(ref: Ref, facts: Facts, recorded: Recorded) -> str:
    if ref.kind == "PersistentVolumeClaim":
        users = facts.claim_users(ref)
        ref = users[0] if users else ref
    elif ref.kind == "Pod":
        pod = facts.get(*ref.key)
        ref = facts.owner(pod) if pod else ref
    declared = recorded.apps.get((ref.kind, ref.name))
    if declared:
        return declared
    obj = facts.get(*ref.key)
    if ref.kind == "Service" and obj is not None:
        behind = facts.workload_named(ref.namespace, ref.name)
        return str((spec(obj).get("selector") or {}).get("app") or (Ref.of(behind).name if behind else ref.name))
    return str(labels_of(obj).get("app") or ref.name) if obj and ref.kind == "Pod" else ref.name
