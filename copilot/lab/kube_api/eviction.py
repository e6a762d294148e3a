"""pods/eviction: a delete that PodDisruptionBudgets may hold back with 429."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from copilot.core.value import JsonObject
from copilot.lab.kube_api import rendering
from copilot.lab.kube_api.context import Context
from copilot.lab.kube_api.decoding import decode, parse_body
from copilot.lab.kube_api.deleting import delete_object
from copilot.lab.kube_api.deletion import check_preconditions
from copilot.lab.kube_api.kinds import Resource
from copilot.lab.kube_api.meta import copied, is_ready, labels_of, timestamp, with_condition
from copilot.lab.kube_api.options import from_delete_options
from copilot.lab.kube_api.reads import existing
from copilot.lab.kube_api.request import RequestInfo, method_not_allowed
from copilot.lab.kube_api.selectors import from_spec
from copilot.lab.kube_api.status import ApiError, bad_request, too_many_requests
from copilot.lab.kube_api.writing import Body

EVICTION = Resource("Eviction", "evictions", "policy", "v1")
_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_FINISHED = ("Succeeded", "Failed")


def evict(
    context: Context, resource: Resource, info: RequestInfo, query: Mapping[str, str], *, method: str, body: Body
) -> Response:
    """Evict one pod; raises :class:`ApiError` 400, 404, 405, 409, 429, or 500 under two budgets."""
    form = rendering.negotiate(body.accept)
    if method != "POST":
        raise method_not_allowed()
    wanted = decode(parse_body(body.raw, body.media_type, EVICTION), EVICTION).obj
    if wanted["metadata"].get("name", info.name) != info.name:
        raise bad_request("name in URL does not match name in Eviction object")
    options = from_delete_options(wanted.get("deleteOptions") or {}, query)
    with context.store.lock:
        pod = existing(context, resource, info)
        if _counts(pod):
            _ask_budgets(context, pod, dry_run=options.dry_run)
        check_preconditions(resource, pod, uid=options.uid, resource_version=options.resource_version)
        if not options.dry_run:
            pod = _marked(context, pod)
        delete_object(context, pod, replace(options, resource_version=""))
    return rendering.answer(_SUCCESS, form, status=201)


def _marked(context: Context, pod: JsonObject) -> JsonObject:
    made = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(context.store.clock()),
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    status = dict(pod.get("status") or {})
    status["conditions"] = with_condition(status.get("conditions") or (), made)
    return context.store.set_status("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"], status)


def _counts(pod: JsonObject) -> bool:
    """Whether a budget may hold the pod: it is neither finished, nor pending, nor already going."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in (*_FINISHED, "Pending") and "deletionTimestamp" not in pod["metadata"]


def _ask_budgets(context: Context, pod: JsonObject, *, dry_run: bool) -> None:
    namespace = pod["metadata"]["namespace"]
    budgets = [
        budget
        for budget in context.store.select("PodDisruptionBudget", namespace)
        if from_spec(budget["spec"].get("selector")).matches(labels_of(pod))
    ]
    if len(budgets) > 1:
        raise ApiError(500, "", _SEVERAL)
    if budgets:
        _take_one(context, budgets[0], pod, dry_run=dry_run)


def _take_one(context: Context, budget: JsonObject, pod: JsonObject, *, dry_run: bool) -> None:
    meta, status = budget["metadata"], budget.get("status") or {}
    if _may_go_unhealthy(budget, pod):
        return
    if status.get("observedGeneration", 0) < meta["generation"]:
        cause = {
            "reason": "DisruptionBudget",
            "message": f"The disruption budget {meta['name']} is still being processed by the server.",
        }
        raise too_many_requests(_REFUSED, [cause], retry_after=10)
    if status.get("disruptionsAllowed", 0) <= 0:
        needs, has = status.get("desiredHealthy", 0), status.get("currentHealthy", 0)
        message = f"The disruption budget {meta['name']} needs {needs} healthy pods and has {has} currently"
        raise too_many_requests(_REFUSED, [{"reason": "DisruptionBudget", "message": message}])
    if not dry_run:
        new = copied(status)
        new["disruptionsAllowed"] -= 1
        context.store.set_status("PodDisruptionBudget", meta["namespace"], meta["name"], new)


def _may_go_unhealthy(budget: JsonObject, pod: JsonObject) -> bool:
    if is_ready(pod):
        return False
    status = budget.get("status") or {}
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return bool(healthy >= wanted and wanted > 0)
