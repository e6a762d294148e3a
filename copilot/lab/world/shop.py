"""The web shop: gateway, frontend and services over a database, a cache and a queue with its worker."""

import random

from copilot.lab.world.blueprint import Call, Releases, Workload
from copilot.lab.world.images import GIB, MIB, App
from copilot.lab.world.names import Names, version

PROVIDER = "api.cardprovider.example"
"""The payment provider outside the cluster."""


def releases(names: Names, rng: random.Random, repository: str) -> Releases:
    """Draw the tags of a repository; the bad ones look like any other release."""
    major, minor, patch = version(rng)
    slow, failing, leaking = (f"{major}.{minor + 1}.{extra}" for extra in rng.sample(range(8), 3))
    return Releases(
        f"{names.registry}/{repository}",
        current=f"{major}.{minor}.{patch}",
        previous=f"{major}.{minor - 1}.{patch + 1}",
        slow=slow,
        failing=failing,
        leaking=leaking,
        private=f"{major}.{minor + 1}.9-ent",
    )


def shop(names: Names, rng: random.Random) -> tuple[Workload, ...]:
    """Return the shop's workloads, callees last; sizes vary with the seed."""
    extras = tuple(role for role in ("recommendation", "search", "reviews") if rng.random() < 0.6)
    return (*_front(names, rng, extras), *_services(names, rng, extras), *_stores(names, rng))


def _front(names: Names, rng: random.Random, extras: tuple[str, ...]) -> tuple[Workload, ...]:
    space = names.shop
    gateway = Workload(
        names["gateway"],
        space,
        App(work=0.002, cpu=0.003, threads=256, memory=150 * MIB),
        releases(names, rng, f"{space}/{names['gateway']}"),
        replicas=3,
        cpu=(1.0, 2.0),
        calls=(_http(names, "frontend", timeout=10.0),),
        budget=True,
        autoscale=8,
    )
    frontend = Workload(
        names["frontend"],
        space,
        App(work=0.008, cpu=0.008, threads=64, memory=260 * MIB, startup=12.0),
        releases(names, rng, f"{space}/{names['frontend']}"),
        replicas=rng.choice((3, 4)),
        cpu=(1.5, 2.0),
        memory=(512 * MIB, 768 * MIB),
        calls=(
            _http(names, "catalog", per_request=1.4, timeout=2.0, retries=1),
            _http(names, "cart", per_request=0.6, timeout=2.0, retries=1),
            _http(names, "checkout", per_request=0.08, timeout=8.0),
            *(_http(names, role, per_request=0.5, optional=True) for role in extras),
        ),
    )
    return gateway, frontend


def _http(
    names: Names, role: str, *, per_request: float = 1.0, timeout: float = 2.0, retries: int = 0, optional: bool = False
) -> Call:
    env = f"{role.upper()}_URL"
    return Call(f"{names.shop}/{names[role]}", env, per_request, timeout, retries, optional)


def _database(names: Names, per_request: float) -> Call:
    return Call(
        f"{names.shop}/{names['database']}", "DATABASE_URL", per_request, 3.0, pool_env="DB_POOL_SIZE", hold=0.12
    )


def _services(names: Names, rng: random.Random, extras: tuple[str, ...]) -> tuple[Workload, ...]:
    space = names.shop

    def one(role: str, app: App, replicas: int, *calls: Call, memory: float = 512 * MIB) -> Workload:
        return Workload(
            names[role],
            space,
            app,
            releases(names, rng, f"{space}/{names[role]}"),
            replicas=replicas,
            cpu=(1.5, 2.0),
            memory=(memory / 2, memory),
            calls=calls,
            env={"DB_POOL_SIZE": "20"} if any(call.pool_env for call in calls) else {},
        )

    cache = Call(f"{space}/{names['cache']}", "CACHE_ADDR", 1.0, 0.5, optional=True)
    queue = Call(f"{space}/{names['queue']}", "AMQP_URL", 1.0, 2.0)
    provider = Call(PROVIDER, "PROVIDER_URL", 1.0, 5.0, external=True)
    return (
        *(one(role, App(work=0.009, cpu=0.007, memory=160 * MIB), 2, cache) for role in extras),
        one("catalog", App(work=0.007, cpu=0.012, memory=210 * MIB, startup=15.0), 3, cache, _database(names, 0.5)),
        one("cart", App(work=0.004, cpu=0.006, memory=140 * MIB), 2, _replace_rate(cache, 2.0)),
        one(
            "checkout",
            App(work=0.018, cpu=0.015, memory=240 * MIB, startup=18.0),
            2,
            _http(names, "payment", timeout=6.0),
            _database(names, 4.0),
            queue,
        ),
        one("payment", App(work=0.02, cpu=0.008, memory=170 * MIB), 2, provider),
        one(
            "worker",
            App(role="worker", work=0.12, cpu=0.05, threads=8, memory=190 * MIB),
            2,
            queue,
            _database(names, 2.0),
        ),
    )


def _replace_rate(call: Call, per_request: float) -> Call:
    return Call(call.callee, call.env, per_request, call.timeout, call.retries, call.optional, call.pool_env)


def _stores(names: Names, rng: random.Random) -> tuple[Workload, ...]:
    return _database_server(names, rng), _cache_server(names, rng), _queue_server(names, rng)


def _database_server(names: Names, rng: random.Random) -> Workload:
    space = names.shop
    return Workload(
        names["database"],
        space,
        App("database", (5432,), (), 14.0, 0.0035, 0.0045, 0.15, 100, 3.1 * GIB, 2 * MIB, error_ratio=0.0),
        releases(names, rng, "library/postgres"),
        replicas=1,
        kind="StatefulSet",
        port=5432,
        service_port=5432,
        cpu=(2.0, 4.0),
        memory=(4 * GIB, 6 * GIB),
        pool="data",
        claim="50Gi",
        protocol="postgresql",
    )


def _cache_server(names: Names, rng: random.Random) -> Workload:
    space = names.shop
    return Workload(
        names["cache"],
        space,
        App("cache", (6379,), (), 3.0, 0.0004, 0.0005, 0.03, 64, 1.1 * GIB, 0.05 * MIB, error_ratio=0.0),
        releases(names, rng, "library/redis"),
        replicas=1,
        port=6379,
        service_port=6379,
        cpu=(1.0, 2.0),
        memory=(1.5 * GIB, 2 * GIB),
        pool="data",
        protocol="redis",
    )


def _queue_server(names: Names, rng: random.Random) -> Workload:
    space = names.shop
    return Workload(
        names["queue"],
        space,
        App("queue", (5672, 15672), (), 12.0, 0.0015, 0.002, 0.08, 64, 0.6 * GIB, 0.2 * MIB, error_ratio=0.0),
        releases(names, rng, "library/rabbitmq"),
        replicas=1,
        kind="StatefulSet",
        port=5672,
        service_port=5672,
        cpu=(1.0, 2.0),
        memory=(1 * GIB, 2 * GIB),
        pool="data",
        claim="20Gi",
        protocol="amqp",
    )
