"""What got worse, since which rollout, and who is to blame among those who call each other."""

from datetime import timedelta

import pytest

from copilot.core.case import Anomaly, Diagnosis, Severity
from copilot.core.ref import Ref
from copilot.diagnosis.diagnose import diagnose
from tests.builders import NOW, Cluster, ago

MINUTES = 4
"""How long the trouble has lasted in these tests: far less than a third of a metric window."""


def anomaly(workload: str, minutes: float = MINUTES) -> Anomaly:
    """What a detector says about a workload."""
    ref = Ref(kind="Workload", name=workload, namespace="prod")
    onset = NOW - timedelta(minutes=minutes)
    return Anomaly(
        fingerprint=workload, signal="error_ratio", resource=ref, onset=onset, seen=NOW, severity=Severity.CRITICAL,
        summary="requests fail",
    )  # fmt: skip


def shop() -> Cluster:
    """Callers front and worker; cart and a database behind them."""
    c = Cluster()
    c.app("db", port=5432, kind="StatefulSet", image="postgres:16")
    c.app("cart", env={"DATABASE_URL": "postgres://db:5432/x"})
    c.app("worker", env={"DATABASE_URL": "postgres://db:5432/x"})
    c.app("front", env={"CART": "http://cart:8080"})
    return c


def bent(c: Cluster, signal: str, now: float, *, before: float = 0.0, **labels: str) -> None:
    """Add a window that bent a few minutes ago."""
    c.series(signal, [before] * (60 - MINUTES) + [now] * MINUTES, namespace="prod", **labels)


def call(c: Cluster, source: str, destination: str, errors: float) -> None:
    """Add the calls between two workloads, failing since a few minutes ago."""
    c.series("call_rate", [5.0] * 60, namespace="prod", source=source, destination=destination)
    bent(c, "call_error_ratio", errors, source=source, destination=destination)


def release(c: Cluster, app: str, minutes: float = MINUTES + 1, **container: object) -> None:
    """Roll an app out with a changed container."""
    old = next(r for r in c.objects["ReplicaSet"] if r["metadata"]["name"].startswith(app))
    one = {**old["spec"]["template"]["spec"]["containers"][0], **container}
    meta = {
        "ownerReferences": old["metadata"]["ownerReferences"],
        "creationTimestamp": ago(60 * minutes),
        "annotations": {"deployment.kubernetes.io/revision": "2"},
    }
    spec = {**old["spec"], "template": {"metadata": {}, "spec": {"containers": [one]}}}
    c.add("ReplicaSet", f"{app}-5f6d7c8b9", api="apps/v1", metadata=meta, spec=spec, status=dict(old["status"]))


def first(c: Cluster, *hurt: str) -> Diagnosis:
    """Return what comes first when detectors have seen some workloads hurt."""
    return diagnose(c.dump(), anomalies=[anomaly(name) for name in hurt]).diagnoses[0]


def failing_cart() -> Cluster:
    """Requests to cart fail, and with them those to its caller."""
    c = shop()
    call(c, "front", "cart", 0.5)
    for name in ("cart", "front"):
        bent(c, "error_ratio", 0.5, workload=name)
    return c


def test_a_new_program_is_named_minutes_after_it_began_to_fail() -> None:
    c = failing_cart()
    release(c, "cart", image="registry.example/cart:2.0")
    found = first(c, "cart", "front")
    assert (found.cause, found.object and found.object.name) == ("bad_release", "cart")
    assert found.details["image_before"] == "registry.example/cart:1.0"


def test_a_release_is_not_blamed_for_what_it_calls() -> None:
    c = failing_cart()
    call(c, "cart", "db", 0.6)
    release(c, "cart", image="registry.example/cart:2.0")
    found = first(c, "cart", "front")
    assert (found.cause, found.object and found.object.name) == ("dependency_timeout", "db")


def test_a_release_long_before_is_not_the_first_suspect() -> None:
    c = failing_cart()
    release(c, "cart", minutes=100, image="registry.example/cart:2.0")
    assert first(c, "cart", "front").cause == "dependency_timeout"


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"image": "registry.example/cart:2.0"}, "bad_release"),
        ({"resources": {"limits": {"cpu": "50m"}}}, "cpu_throttling"),
    ],
)
def test_throttling_follows_from_a_new_program_and_not_from_a_lower_limit(
    changed: dict[str, object], cause: str
) -> None:
    c = failing_cart()
    release(c, "cart", **changed)
    where = {"pod": c.pods("cart")[0]["metadata"]["name"], "container": "main"}
    bent(c, "cpu_throttle_ratio", 0.9, **where)
    bent(c, "cpu_usage_ratio", 0.99, before=0.3, **where)
    assert first(c, "cart", "front").cause == cause


def pooled(others: float) -> Cluster:
    """The pool of cart is full; calls of the database's other client fail as said."""
    c = failing_cart()
    call(c, "cart", "db", 0.6)
    call(c, "worker", "db", others)
    bent(c, "db_pool_used_ratio", 1.0, before=0.2, workload="cart")
    c.metrics["db_pool_used_ratio"][0] = c.metrics["db_pool_used_ratio"][0].__class__(
        labels={"namespace": "prod", "workload": "cart"}, times=c.metrics["error_ratio"][0].times,
        values=(0.2,) * 54 + (1.0,) * 6,
    )  # fmt: skip
    return c


@pytest.mark.parametrize(
    ("others", "cause", "name"), [(0.0, "connection_pool_exhausted", "cart"), (0.7, "dependency_timeout", "db")]
)
def test_a_full_pool_is_to_blame_only_while_others_get_their_answers(others: float, cause: str, name: str) -> None:
    found = first(pooled(others), "cart", "front", "db")
    assert (found.cause, found.object and found.object.name) == (cause, name)


def test_dns_is_named_when_names_are_not_found_and_calls_fail_everywhere() -> None:
    c = failing_cart()
    for destination in ("worker", "db", "queue"):
        call(c, "front", destination, 1.0)
    bent(c, "dns_negative_ratio", 0.9, before=0.3)
    found = first(c, "cart", "front", "db")
    assert (found.cause, found.object and found.object.name) == ("dns_failure", "coredns")


def test_names_not_found_in_one_place_do_not_accuse_the_dns() -> None:
    c = failing_cart()
    for source, destination in (("front", "worker"), ("cart", "db"), ("worker", "db")):
        call(c, source, destination, 0.0)
    bent(c, "dns_negative_ratio", 0.9, before=0.3)
    assert first(c, "cart", "front").cause != "dns_failure"


def test_a_refused_tag_of_a_repository_that_runs_here_wants_a_secret() -> None:
    c = shop()
    pod = c.waiting("cart", "ErrImagePull")
    pod["spec"]["containers"][0]["image"] = "registry.example/front:9-private"
    denied = "pull access denied, repository does not exist or may require authorization: no basic auth credentials"
    c.event(pod, "Failed", f'Failed to pull image "registry.example/front:9-private": {denied}')
    assert [d.cause for d in diagnose(c.dump()).diagnoses] == ["missing_image_pull_secret"]
