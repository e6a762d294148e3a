"""LLM inference services: too much work, a full KV cache, a cold start, wrong engine arguments."""

import math
import re
from collections.abc import Iterator
from datetime import timedelta

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import ANYTHING, Cause, Certainty, Match
from copilot.diagnosis.crashes import crashing
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import condition, container_statuses, containers, meta, moment, name_of, spec
from copilot.diagnosis.windows import Shift, highest

_ENGINE = re.compile(r"vllm|sglang|text-generation|tritonserver|trt-?llm|lmdeploy|llama", re.IGNORECASE)
_OUT = re.compile(
    r"CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|No available memory for the cache blocks"
    r"|larger than the maximum number of tokens"
    r"|max[_ ]seq[_ ]len|KV cache (?:is )?(?:too small|needed)|gpu_memory_utilization"
    r"|not enough (?:GPU )?memory|Free memory on device"
    r"|error: (?:unrecognized|argument|ambiguous)[^\n]*--|tensor[_ ]parallel",
    re.IGNORECASE,
)
_FULL, _QUEUE = 0.95, 3.0
_GROWN = 1.4
_LOAD = 0.85
"""Share of what replicas can serve at most that is planned to be used."""
_SMOOTHED = timedelta(minutes=5)
"""Rates among the signals are means over this long."""
_LOADING = re.compile(
    r"loading (?:model|weights|safetensors)|starting to load|capturing cuda ?graph|downloading", re.IGNORECASE
)
_FLAGS = (
    "max-model-len",
    "gpu-memory-utilization",
    "tensor-parallel-size",
    "max-num-seqs",
    "max-num-batched-tokens",
    "swap-space",
    "quantization",
    "dtype",
    "kv-cache-dtype",
)


def _by_owner(signal: str, facts: Facts) -> dict[Ref, list[Shift]]:
    found: dict[Ref, list[Shift]] = {}
    for one in facts.shifts(signal):
        pod = facts.get("Pod", str(one.window.labels.get("namespace") or ""), str(one.window.labels.get("pod") or ""))
        if pod:
            found.setdefault(facts.owner(pod), []).append(one)
    return found


def _mean(found: list[Shift] | None) -> tuple[float, float]:
    """Mean level before and now; zeros when there is none."""
    if not found:
        return 0.0, 0.0
    return sum(s.before for s in found) / len(found), sum(s.now for s in found) / len(found)


def _queueing(facts: Facts) -> Iterator[tuple[Ref, list[Shift]]]:
    for owner, waiting in _by_owner("llm_waiting", facts).items():
        before, now = _mean(waiting)
        if now >= _QUEUE and now >= 2 * max(before, 0.5):
            yield owner, waiting


def _traffic(owner: Ref, facts: Facts) -> float:
    """How many times the work that arrives has grown: requests, else tokens."""
    requests = [s for s in facts.shifts("request_rate") if s.window.labels.get("workload") == owner.name]
    before, now = _mean(requests)
    if before > 0:
        return now / before
    before, now = _mean(_by_owner("llm_tokens_rate", facts).get(owner))
    return now / before if before > 0 else 1.0


def _prompts(owner: Ref, facts: Facts) -> float:
    before, now = _mean(_by_owner("llm_prompt_tokens_mean", facts).get(owner))
    return now / before if before > 0 else 1.0


def _cache(facts: Facts) -> Iterator[Match]:
    for owner, caches in _by_owner("llm_kv_cache", facts).items():
        full = [c for c in caches if c.now >= _FULL or highest(c.window) >= 0.99]
        preempting = [s for s in _by_owner("llm_preemptions", facts).get(owner, []) if s.now > s.before]
        if not full or not (preempting or owner in dict(_queueing(facts))):
            continue
        longer, traffic = _prompts(owner, facts), _traffic(owner, facts)
        if traffic >= _GROWN and traffic > longer:
            continue
        seen = [looks.metric(full[0].window, f"KV cache {full[0].before:.0%} before, {full[0].now:.0%} now", owner)]
        seen += [looks.metric(preempting[0].window, "requests are preempted", owner)] if preempting else []
        yield Match(
            object=owner,
            summary=f"the KV cache of {owner.name} is full"
            + (f": prompts are {longer:.1f} times longer" if longer >= 1.2 else ""),
            seen=tuple(seen),
            weight=0.85,
            details={"prompt_growth": round(longer, 2), "traffic_growth": round(traffic, 2)},
        )


def _surge(facts: Facts) -> Iterator[Match]:
    for owner, waiting in _queueing(facts):
        traffic, longer = _traffic(owner, facts), _prompts(owner, facts)
        if traffic < _GROWN or longer > traffic or _starting(owner, facts):
            continue
        before, now = _mean(waiting)
        yield Match(
            object=owner,
            summary=f"{owner.name} gets {traffic:.1f} times the work it had, and requests wait",
            seen=(looks.metric(waiting[0].window, f"waiting requests {before:.1f} before, {now:.1f} now", owner),),
            weight=0.8,
            details={"traffic_growth": round(traffic, 2), **_wanted(owner, facts)},
        )


def _wanted(owner: Ref, facts: Facts) -> dict[str, int]:
    """How many replicas the work needs: it grew by more than what is served did, which is at its most while it waits.

    Empty where requests or tokens are not measured. Kingman: waiting explodes near full load, so some is left free.
    """
    requests = [s for s in facts.shifts("request_rate") if s.window.labels.get("workload") == owner.name]
    tokens = _by_owner("llm_tokens_rate", facts).get(owner, [])
    before = [sum(s.before for s in group) for group in (requests, tokens)]
    if min(before) <= 0:
        return {}
    arriving, served = (
        sum(_fresh(s, facts) for s in group) / was for group, was in zip((requests, tokens), before, strict=True)
    )
    if served <= 0 or arriving <= served:
        return {}
    return {"replicas_needed": math.ceil(len(tokens) * arriving / served / _LOAD)}


def _fresh(one: Shift, facts: Facts) -> float:
    """The rate now, out of a mean over the last five minutes that still holds what was before the onset.

    What the mean gains in a step is what came in that step less what came five minutes before it.
    """
    known = [(t, v) for t, v in zip(one.window.times, one.window.values, strict=True) if not math.isnan(v)]
    late = facts.onset is None or known[-1][0] - facts.onset.timestamp() > _SMOOTHED.total_seconds()
    if late or len(known) < 3:
        return known[-1][1]
    (start, was), (end, now) = known[-3], known[-1]
    return max(0.0, one.before + (now - was) * _SMOOTHED.total_seconds() / (end - start))


def _starting(owner: Ref, facts: Facts) -> list[JsonObject]:
    """Pods of the workload whose engine runs but is not ready yet."""
    found = []
    for pod in facts.pods_of(owner):
        running = any(
            (s.get("state") or {}).get("running") and not s.get("ready") and not s.get("restartCount")
            for s in container_statuses(pod)
        )
        if running and condition(pod, "Ready").get("status") != "True":
            found.append(pod)
    return found


def _cold(facts: Facts) -> Iterator[Match]:
    queues = dict(_queueing(facts))
    owners = {facts.owner(p): None for p in facts.pods if _is_engine(spec(p))}
    for owner in owners:
        starting = _starting(owner, facts)
        loading = [(e, line) for p in starting for e in facts.logs(p) for line in e.lines if _LOADING.search(line)]
        hurts = owner in queues or any(a.resource.name == owner.name for a in facts.anomalies)
        if not starting or not (hurts or loading) or not _slow(starting[0], facts):
            continue
        seen = [looks.field(starting[0], ".status.containerStatuses", f"{name_of(starting[0])} runs and is not ready")]
        seen += [looks.log(*loading[-1])] if loading else []
        seen += [looks.metric(queues[owner][0].window, "requests wait meanwhile", owner)] if owner in queues else []
        yield Match(
            object=owner,
            summary=f"{len(starting)} new replicas of {owner.name} are still loading their model",
            seen=tuple(seen),
            certainty=Certainty.DIRECT if hurts and loading else Certainty.JOIN,
            weight=0.8,
            details={"pods": [name_of(p) for p in starting]},
        )


def _is_engine(pod_spec: JsonObject) -> bool:
    return any(
        _ENGINE.search(
            str(c.get("image", "")) + " " + " ".join(map(str, [*(c.get("command") or []), *(c.get("args") or [])]))
        )
        for c in containers(pod_spec)
    )


def _slow(pod: JsonObject, facts: Facts) -> bool:
    made = moment(meta(pod).get("creationTimestamp"))
    return made is None or facts.now - made >= timedelta(seconds=60)


def _arguments(facts: Facts) -> Iterator[Match]:
    told: set[tuple[str, str, str]] = set()
    for crash in crashing(facts):
        line = next(crash.lines(_OUT), None)
        words = [str(w) for w in [*(crash.container.get("command") or []), *(crash.container.get("args") or [])]]
        given = list(_flags(words))
        if crash.owner.key in told or line is None or not (given or _is_engine({"containers": [crash.container]})):
            continue
        told.add(crash.owner.key)
        yield Match(
            object=crash.owner,
            summary=f"the inference engine of {crash.owner.name} cannot start with its arguments {' '.join(given)}",
            seen=(
                looks.log(line[0], line[1]),
                crash.seen,
                looks.field(crash.pod, ".spec.containers[*].args", " ".join(given) or "no arguments"),
            ),
            weight=0.92,
            details={"container": crash.name, "arguments": given},
        )


def _flags(words: list[str]) -> Iterator[str]:
    text = " ".join(words)
    for matched in re.finditer(r"--(?P<name>[a-z-]+)(?:[= ](?P<value>[^\s-][^\s]*))?", text):
        if matched["name"] in _FLAGS:
            yield matched[0]


CAUSES: tuple[Cause, ...] = (
    Cause(
        name="inference_surge",
        family="inference",
        title="More requests arrive than the replicas can serve",
        summary="Requests or tokens have grown and wait in the queue.",
        must_see=("waiting requests grew at least twofold to three or more", "requests or tokens grew by 40 % or more"),
        refuted_by=("prompts grew more than traffic", "replicas are still loading"),
        remedy="scale out",
        match=_surge,
        details={"traffic_growth": "times the work before", "replicas_needed": "replicas that the work needs now"},
    ),
    Cause(
        name="kv_cache_exhaustion",
        family="inference",
        title="The KV cache is full",
        summary="Sequences no longer fit: requests are preempted or wait, although traffic has not grown as much.",
        must_see=("KV cache use at 95 % or more", "preemptions grow or requests wait"),
        refuted_by=("traffic grew more than prompts did",),
        remedy="limit prompt length, add replicas, or give the cache more memory",
        match=_cache,
        details={"prompt_growth": "times the prompt length before", "traffic_growth": "times the work before"},
        follows=("inference",),
    ),
    Cause(
        name="inference_cold_start",
        family="inference",
        title="New replicas are still loading their model",
        summary="The engine runs but is not ready; until then the others carry the load.",
        must_see=(
            "an engine's pod runs without being ready for more than a minute",
            "it logs that it loads, or requests wait",
        ),
        refuted_by=("the pod restarts or fails",),
        remedy="wait, keep a warm replica, cache the model",
        match=_cold,
        details={"pods": "pods that load"},
        follows=(ANYTHING,),
    ),
    Cause(
        name="inference_engine_arguments",
        family="inference",
        title="The inference engine cannot start with its arguments",
        summary=(
            "Model length, memory share or parallelism do not fit the GPU; it ends out of memory or refuses the flag."
        ),
        must_see=("the container ends or waits", "its log names GPU memory, cache size, model length or a flag"),
        refuted_by=("it starts",),
        remedy="correct the arguments",
        match=_arguments,
        details={"container": "its name", "arguments": "the flags given"},
    ),
)
