"""The arithmetic of a Deployment's rollout: bounds, and how many replicas each ReplicaSet gets next. Pure."""

from copilot.core.value import JsonObject
from copilot.lab.controllers.replicas import scaled
from copilot.lab.controllers.revisions import MAXIMUM


def bounds(deployment: JsonObject) -> tuple[int, int]:
    """``(maxSurge, maxUnavailable)`` in pods; never both zero (pkg/controller/deployment/util, ResolveFenceposts)."""
    spec = deployment["spec"]
    if spec["strategy"]["type"] != "RollingUpdate":
        return 0, 0
    rolling = spec["strategy"]["rollingUpdate"]
    surge = scaled(rolling["maxSurge"], spec["replicas"], round_up=True)
    unavailable = scaled(rolling["maxUnavailable"], spec["replicas"], round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, spec["replicas"])


def size(replica_set: JsonObject) -> int:
    """Replicas asked of a ReplicaSet."""
    return int(replica_set["spec"]["replicas"])


def available(replica_set: JsonObject) -> int:
    """Replicas of it that are available."""
    return int((replica_set.get("status") or {}).get("availableReplicas", 0))


def next_new_size(deployment: JsonObject, new: JsonObject | None, total: int) -> int:
    """Replicas for the current ReplicaSet, within what maxSurge still allows; ``total`` counts all sets."""
    wanted = int(deployment["spec"]["replicas"])
    have = size(new) if new else 0
    if deployment["spec"]["strategy"]["type"] != "RollingUpdate" or have >= wanted:
        return wanted
    surge, _ = bounds(deployment)
    room = wanted + surge - total
    return have if room <= 0 else have + min(room, wanted - have)


def next_old_sizes(deployment: JsonObject, new: JsonObject, old: list[JsonObject]) -> dict[str, int]:
    """New sizes by name for the old ReplicaSets that shrink now: unhealthy replicas first, then what may be missing."""
    _, unavailable = bounds(deployment)
    least = deployment["spec"]["replicas"] - unavailable
    total = sum(size(one) for one in old) + size(new)
    may_go = total - least - (size(new) - available(new))
    if may_go <= 0:
        return {}
    sizes = {one["metadata"]["name"]: size(one) for one in old}
    oldest = sorted(old, key=lambda one: str(one["metadata"]["creationTimestamp"]))
    for one in oldest:
        taken = min(may_go, size(one) - available(one))
        if taken > 0:
            sizes[one["metadata"]["name"]] -= taken
            may_go -= taken
    spare = sum(available(one) for one in [*old, new]) - least
    for one in oldest:
        name = one["metadata"]["name"]
        taken = min(spare, sizes[name])
        if taken > 0:
            sizes[name] -= taken
            spare -= taken
    return {
        one["metadata"]["name"]: sizes[one["metadata"]["name"]]
        for one in old
        if sizes[one["metadata"]["name"]] != size(one)
    }


def proportional_sizes(deployment: JsonObject, sets: list[JsonObject]) -> dict[str, int]:
    """Sizes by name when a Deployment is scaled in the middle of a rollout: every active set grows or shrinks alike."""
    surge, _ = bounds(deployment)
    wanted = int(deployment["spec"]["replicas"])
    allowed = wanted + surge if wanted else 0
    to_add = allowed - sum(size(one) for one in sets)
    ordered = sorted(sets, key=size, reverse=True)
    sizes, left = {one["metadata"]["name"]: size(one) for one in sets}, to_add
    for one in ordered:
        share = _share(one, allowed)
        share = max(min(share, left), 0) if to_add > 0 else min(max(share, left), 0)
        sizes[one["metadata"]["name"]] += share
        left -= share
    if ordered and left:
        first = ordered[0]["metadata"]["name"]
        sizes[first] = max(sizes[first] + left, 0)
    return sizes


def _share(replica_set: JsonObject, allowed: int) -> int:
    before = int((replica_set["metadata"].get("annotations") or {}).get(MAXIMUM, 0)) or allowed
    return round(size(replica_set) * allowed / before) - size(replica_set) if before else 0
