"""Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs and autoscalers."""

from collections.abc import Iterator

from copilot.core.value import JsonObject
from copilot.lab.kube_api.meta import labels_of
from copilot.lab.kube_api.selectors import from_spec
from copilot.lab.kube_api.status import Cause
from copilot.lab.kube_api.validation import causes as field
from copilot.lab.kube_api.validation.pods import spec_causes

_TEMPLATE_RESTARTS = ("Always",)
_STRATEGIES = ("Recreate", "RollingUpdate")
_CHANGEABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_FIXED = ("serviceName", "podManagementPolicy", "selector", "volumeClaimTemplates")


def _go_selector(selector: JsonObject) -> str:
    labels = field.go(selector.get("matchLabels") or {}) if selector.get("matchLabels") else "map[string]string(nil)"
    expressions = selector.get("matchExpressions")
    shown = str(expressions) if expressions else "[]v1.LabelSelectorRequirement(nil)"
    return field.shown(f"v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:{shown}}}")


def _template(obj: JsonObject) -> Iterator[Cause]:
    spec, template = obj["spec"], obj["spec"]["template"]
    selector = spec.get("selector")
    if not selector:
        yield field.required("spec.selector")
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield field.bad("spec.selector", field.shown("{}"), "empty selector is invalid for deployment")
    elif not from_spec(selector).matches(labels_of(template)):
        yield field.bad(
            "spec.template.metadata.labels", labels_of(template), "`selector` does not match template `labels`"
        )
    yield from field.labels("spec.template.labels", labels_of(template))
    policy = template["spec"].get("restartPolicy")
    if policy not in _TEMPLATE_RESTARTS:
        yield field.unsupported("spec.template.spec.restartPolicy", policy, _TEMPLATE_RESTARTS)
    else:
        yield from spec_causes(template["spec"], "spec.template.spec")


def _counted(obj: JsonObject) -> Iterator[Cause]:
    yield from field.at_least("spec.replicas", obj["spec"].get("replicas"), 0)
    yield from _template(obj)
    yield from field.at_least("spec.minReadySeconds", obj["spec"].get("minReadySeconds"), 0)


def _deployment(obj: JsonObject) -> Iterator[Cause]:
    yield from _counted(obj)
    strategy = obj["spec"]["strategy"]
    if strategy["type"] not in _STRATEGIES:
        yield field.unsupported("spec.strategy.type", strategy["type"], _STRATEGIES)
    elif strategy["type"] == "Recreate" and strategy.get("rollingUpdate"):
        why = "may not be specified when strategy `type` is 'Recreate'"
        yield field.forbidden("spec.strategy.rollingUpdate", why)
    yield from field.at_least("spec.revisionHistoryLimit", obj["spec"].get("revisionHistoryLimit"), 0)
    deadline, minimum = obj["spec"].get("progressDeadlineSeconds"), obj["spec"].get("minReadySeconds", 0)
    if deadline is not None and deadline <= minimum:
        yield field.bad("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _job(obj: JsonObject) -> Iterator[Cause]:
    spec = obj["spec"]
    for name in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"):
        yield from field.at_least(f"spec.{name}", spec.get(name), 0)
    policy = spec["template"]["spec"].get("restartPolicy")
    if policy == "Always":
        known = '"OnFailure", "Never"'
        yield Cause("FieldValueRequired", f"Required value: valid values: {known}", "spec.template.spec.restartPolicy")
    yield from spec_causes(spec["template"]["spec"], "spec.template.spec")


def _cron_job(obj: JsonObject) -> Iterator[Cause]:
    from croniter import croniter

    schedule = obj["spec"].get("schedule", "")
    if not schedule:
        yield field.required("spec.schedule")
    elif not croniter.is_valid(schedule):
        yield field.bad(
            "spec.schedule", schedule, f"expected exactly 5 fields, found {len(schedule.split())}: [{schedule}]"
        )
    yield from spec_causes(
        obj["spec"]["jobTemplate"]["spec"]["template"]["spec"], "spec.jobTemplate.spec.template.spec"
    )


_SELECT = ("Disabled", "Max", "Min")
_POLICIES = ("Percent", "Pods")


def _autoscaler(obj: JsonObject) -> Iterator[Cause]:
    spec = obj["spec"]
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    yield from field.at_least("spec.minReplicas", least, 1)
    yield from field.at_least("spec.maxReplicas", most, 1)
    if most < least:
        yield field.bad("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    target = spec.get("scaleTargetRef") or {}
    for name in ("kind", "name"):
        if not target.get(name):
            yield field.required(f"spec.scaleTargetRef.{name}")
    for direction, rules in (spec.get("behavior") or {}).items():
        yield from _scaling_rules(f"spec.behavior.{direction}", rules)


def _scaling_rules(at: str, rules: JsonObject) -> Iterator[Cause]:
    window = f"{at}.stabilizationWindowSeconds", rules.get("stabilizationWindowSeconds")
    yield from field.at_least(*window, 0)
    yield from field.at_most(*window, 3600)
    if rules["selectPolicy"] not in _SELECT:
        yield field.unsupported(f"{at}.selectPolicy", rules["selectPolicy"], _SELECT)
    if not rules["policies"]:
        yield field.required(f"{at}.policies", "must specify at least one Policy")
    for number, one in enumerate(rules["policies"]):
        where = f"{at}.policies[{number}]"
        if one.get("type") not in _POLICIES:
            yield field.unsupported(f"{where}.type", one.get("type", ""), _POLICIES)
        for name in ("value", "periodSeconds"):
            if one.get(name, 0) <= 0:
                yield field.bad(f"{where}.{name}", one.get(name, 0), "must be greater than zero")
        yield from field.at_most(f"{where}.periodSeconds", one.get("periodSeconds"), 1800)


def _fixed_selector(new: JsonObject, old: JsonObject) -> Iterator[Cause]:
    if new["spec"].get("selector") != old["spec"].get("selector"):
        yield field.bad("spec.selector", _go_selector(new["spec"].get("selector") or {}), "field is immutable")


def _stateful(new: JsonObject, old: JsonObject) -> Iterator[Cause]:
    if any(new["spec"].get(name) != old["spec"].get(name) for name in _STATEFUL_FIXED):
        yield field.forbidden("spec", _CHANGEABLE)


def _fixed_job(new: JsonObject, old: JsonObject) -> Iterator[Cause]:
    yield from _fixed_selector(new, old)
    for name in ("completions", "completionMode"):
        if new["spec"].get(name) != old["spec"].get(name):
            yield field.bad(f"spec.{name}", new["spec"].get(name), "field is immutable")
    if new["spec"]["template"] != old["spec"]["template"] and not old["spec"].get("suspend"):
        yield field.bad("spec.template", field.shown("core.PodTemplateSpec{}"), "field is immutable")


CHECKS = {
    "Deployment": _deployment,
    "ReplicaSet": _counted,
    "StatefulSet": _counted,
    "DaemonSet": _template,
    "Job": _job,
    "CronJob": _cron_job,
    "HorizontalPodAutoscaler": _autoscaler,
}
UPDATES = {
    "Deployment": _fixed_selector,
    "ReplicaSet": _fixed_selector,
    "DaemonSet": _fixed_selector,
    "StatefulSet": _stateful,
    "Job": _fixed_job,
}
