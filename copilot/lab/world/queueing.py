"""Closed forms that turn load into waiting; scalar floats, because a world has tens of queues, not thousands."""

import math

SHAPE = 3.5
_MEAN_OVER_MEDIAN = (math.pi / SHAPE) / math.sin(math.pi / SHAPE)


def wait_in_line(load: float, servers: float) -> float:
    """Mean wait of M/M/c in units of the service time (Sakasegawa 1977); ``load`` is utilisation, capped below 1."""
    rho = min(max(load, 0.0), 0.985)
    servers = max(servers, 1.0)
    return float(rho ** (math.sqrt(2 * (servers + 1)) - 1) / (servers * (1 - rho)))


def sharing(load: float) -> float:
    """By what factor work stretches on a shared processor at utilisation ``load`` (processor sharing, capped)."""
    return 1.0 / (1.0 - min(max(load, 0.0), 0.96))


def tail(mean: float, limit: float) -> float:
    """Share of log-logistic latencies with this mean that exceed ``limit`` (both in seconds)."""
    if mean <= 0:
        return 0.0
    ratio = limit * _MEAN_OVER_MEDIAN / mean
    return 1.0 / (1.0 + ratio**SHAPE) if ratio > 0 else 1.0


def throttled_share(load: float) -> float:
    """Share of scheduler periods in which a container at ``load`` of its CPU limit is throttled."""
    return min(max((load - 0.62) / 0.38, 0.0), 1.0) ** 2


def attempts(success: float, retries: int) -> float:
    """Mean number of attempts per call when each succeeds with probability ``success``."""
    if not retries:
        return 1.0
    fail = 1.0 - success
    return sum(fail**i for i in range(retries + 1))
