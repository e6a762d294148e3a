"""What is reachable, what is allowed, what is missing and how to get it; looks only, changes nothing."""

import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from copilot.core.text import human_seconds
from copilot.errors import CopilotError, NotFound

if TYPE_CHECKING:
    from copilot.app import App
    from copilot.config import Settings

State = Literal["ok", "missing", "failed"]
_READ = (
    *("Pod", "Node", "Namespace", "Event", "Service", "Endpoints", "ConfigMap", "PersistentVolumeClaim"),
    *("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ResourceQuota", "LimitRange"),
    *("HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Ingress", "StorageClass"),
)
_OPTIONAL = {
    "gpu_xid": "GPU signals: deploy dcgm-exporter with the field DCGM_FI_DEV_XID_ERRORS",
    "gpu_thermal_violation": "throttle reasons: enable the *_VIOLATION fields of dcgm-exporter (off by default)",
    "gpu_nvlink_crc": "NVLink errors: enable the DCGM_FI_DEV_NVLINK_CRC_* fields of dcgm-exporter (off by default)",
    "llm_waiting": "inference signals: scrape vLLM's /metrics",
    "latency_p99": "latency and call graph: scrape a mesh that exports istio_requests_total",
    "restarts": "Kubernetes state: deploy kube-state-metrics",
    "node_memory": "node signals: deploy node-exporter",
    "cpu_usage_ratio": "container signals: scrape the kubelet's /metrics/cadvisor",
}
RBAC_NOTE = "kubectl apply -f deploy/kustomize/base/rbac-reader.yaml"


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was looked at; ``hint`` is what to do about it."""

    what: str
    state: State
    said: str
    hint: str = ""


async def examine(app: "App", known: Mapping[str, Probe] = MappingProxyType({})) -> list[Probe]:
    """Return every probe, in the order in which to mend them; those of ``known`` names are taken from there."""
    checks: Sequence[Callable[[App], Awaitable[list[Probe]]]] = (
        _place, _cluster, _rights, _metrics, _signals, _writing, _policy, _surfaces,
    )  # fmt: skip
    found: list[Probe] = []
    for check in checks:
        found += await check(app)
    return [known.get(probe.what, probe) for probe in found]


def place(settings: "Settings") -> Probe:
    """Return which environment this is and where its state is kept."""
    return Probe("environment", "ok", f"{settings.environment}, state in {settings.state_dir}")


async def _place(app: "App") -> list[Probe]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [Probe("python", "ok", version), place(app.settings), await _journal(app)]


async def _journal(app: "App") -> Probe:
    try:
        return Probe("journal", "ok", f"{await app.store.verify_chain()} rows, chain intact, end vouched for")
    except CopilotError as error:
        return Probe("journal", "failed", error.message, error.hint)


async def _cluster(app: "App") -> list[Probe]:
    if app.cluster is None:
        hint = "Give --kubeconfig FILE or set KUBECONFIG; or try the lab: infra-copilot lab up"
        return [Probe("kubernetes", "missing", "no cluster is configured", hint)]
    try:
        version = await app.cluster.version()
    except CopilotError as error:
        return [Probe("kubernetes", "failed", error.message, error.hint)]
    return [Probe("kubernetes", "ok", f"{version}, as {app.settings.context or 'the current context'}")]


async def _rights(app: "App") -> list[Probe]:
    if app.cluster is None:
        return []
    denied: list[str] = []
    for kind in _READ:
        try:
            await app.cluster.all(kind, namespace=app.settings.namespace)
        except NotFound:
            continue
        except CopilotError as error:
            denied.append(f"{kind} ({error.message})")
    if denied:
        return [Probe("reader's rights", "failed", "cannot list " + "; ".join(denied[:5]), RBAC_NOTE)]
    return [Probe("reader's rights", "ok", f"can list {len(_READ)} kinds")]


async def _metrics(app: "App") -> list[Probe]:
    if app.metrics is None:
        hint = "Give --prometheus URL or set INFRA_COPILOT_PROMETHEUS; diagnosis then sees Kubernetes state alone"
        return [Probe("metrics", "missing", "no metrics source is configured", hint)]
    try:
        now = await app.metrics.now()
    except CopilotError as error:
        return [Probe("metrics", "failed", error.message, error.hint)]
    from copilot.ports.clock import SystemClock

    skew = abs((SystemClock().now() - now).total_seconds())
    said = f"{app.settings.prometheus}" + (f", its clock differs by {human_seconds(skew)}" if skew > 60 else "")
    return [Probe("metrics", "ok", said)]


async def _signals(app: "App") -> list[Probe]:
    if app.metrics is None:
        return []
    from copilot.app import all_signals

    try:
        await app.metrics.now()
    except CopilotError:
        return []  # Said once, of the source itself.
    signals = {s.name: s for s in all_signals()}
    probes: list[Probe] = []
    for name, hint in _OPTIONAL.items():
        if name not in signals:
            continue
        try:
            samples = await app.metrics.instant(signals[name].query)
        except CopilotError as error:
            probes.append(Probe(f"signal {name}", "failed", error.message, error.hint))
        else:
            state: State = "ok" if samples else "missing"
            probes.append(Probe(f"signal {name}", state, f"{len(samples)} series", "" if samples else hint))
    return probes


async def _writing(app: "App") -> list[Probe]:
    from copilot.surfaces.cards import flag

    settings = app.settings
    if not settings.can_write:
        hint = "Set executor_context (or executor_token_file) to let approved plans be executed here"
        probes = [Probe("executor", "missing", "no executor credential: this process can only look", hint)]
    else:
        probes = [Probe("executor", "ok", f"as {settings.executor_context or settings.executor_token_file}")]
    try:
        why = await app.store.suspended()
    except CopilotError as error:
        probes.append(Probe("suspended", "failed", error.message, error.hint))
        why = ""
    if why:
        hint = f"Allow actions again: infra-copilot resume{flag(settings.environment)}"
        probes.append(Probe("suspended", "missing", f"nothing is executed: {why}", hint))
    if settings.terraform_directory is not None:
        there = shutil.which(settings.terraform_binary)
        probes.append(
            Probe("terraform", "ok", there)
            if there
            else Probe(
                "terraform",
                "failed",
                f"{settings.terraform_binary} is not on PATH",
                "Install it, or set terraform_binary",
            )
        )
    return probes


async def _policy(app: "App") -> list[Probe]:
    try:
        policy = app.steps.policy()
    except CopilotError as error:
        return [Probe("policy", "failed", error.message, error.hint)]
    where = app.settings.policy_file or "built in: every change asks"
    return [Probe("policy", "ok", f"{where} (version {policy.version[:12]})")]


async def _surfaces(app: "App") -> list[Probe]:
    settings = app.settings
    probes: list[Probe] = []
    if settings.slack_bot_token is None:
        probes.append(Probe("slack", "missing", "no bot token", "See deploy/slack; ten lines in docs/slack.md"))
    else:
        probes.append(await _slack(app))
    if settings.model is None:
        probes.append(Probe("model", "missing", "none configured; everything works without", ""))
    else:
        probes.append(Probe("model", "ok", settings.model))
    return probes


async def _slack(app: "App") -> Probe:
    from slack_sdk.errors import SlackApiError
    from slack_sdk.web.async_client import AsyncWebClient

    from copilot.surfaces.slack import SCOPES

    settings = app.settings
    token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
    web = AsyncWebClient(token=token, base_url=settings.slack_api or AsyncWebClient.BASE_URL)
    try:
        answer = await web.auth_test()
    except (SlackApiError, OSError) as error:
        return Probe("slack", "failed", f"auth.test failed: {error}", "Check INFRA_COPILOT_SLACK_BOT_TOKEN")
    granted = str((answer.headers or {}).get("x-oauth-scopes", ""))
    lacking = sorted(SCOPES - set(granted.split(","))) if granted else []
    if lacking:
        return Probe(
            "slack", "failed", f"scopes missing: {', '.join(lacking)}", "Reinstall from deploy/slack/manifest.yaml"
        )
    return Probe("slack", "ok", f"team {answer.get('team')}, {len(settings.slack_roles)} people have a role")
