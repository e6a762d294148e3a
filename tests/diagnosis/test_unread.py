"""What could not be looked at is told; that Secrets are never read, only where one would have decided."""

from copilot.core.cluster import Missing
from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster
from tests.diagnosis.shop import shop

FROM_SECRET = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}]


def given_a_secret(c: Cluster) -> Cluster:
    """The app's container takes a value from a Secret that nobody may read."""
    for obj in (*c.pods("cart"), c.get("Deployment", "cart"), c.objects["ReplicaSet"][0]):
        spec = obj["spec"] if obj["kind"] == "Pod" else obj["spec"]["template"]["spec"]
        spec["containers"][0]["env"] = FROM_SECRET
    del c.objects["Secret"]
    return c


def test_a_crash_that_a_secret_could_explain_says_so() -> None:
    c = shop()
    c.crashed("cart", 1, "Error")
    found = diagnose(given_a_secret(c).dump())
    assert [d.cause for d in found.diagnoses] == ["crash_loop"]
    assert found.missing == (
        "Secret keys: never read; what it holds could decide what is wrong with deployment/cart -n prod",
    )


def test_a_settled_case_says_nothing_of_secrets() -> None:
    c = shop()
    c.crashed("cart", 137, "OOMKilled")
    found = diagnose(given_a_secret(c).dump(missing=(Missing("Secret", "not read, by design"),)))
    assert [d.cause for d in found.diagnoses] == ["oom_killed"] and found.missing == ()


def test_a_crash_of_what_is_given_no_secret_says_nothing_of_secrets() -> None:
    c = shop()
    c.crashed("cart", 1, "Error")
    del c.objects["Secret"]
    assert diagnose(c.dump()).missing == ()


def test_a_healthy_cluster_says_nothing_of_secrets_and_all_that_was_refused() -> None:
    found = diagnose(
        given_a_secret(shop()).dump(missing=(Missing("metrics", "no source"), Missing("Node", "forbidden")))
    )
    assert found.diagnoses == () and found.missing == ("metrics: no source", "Node: forbidden")


def test_secrets_that_a_snapshot_holds_were_read() -> None:
    c = shop()
    c.crashed("cart", 1, "Error")
    given_a_secret(c).add("Secret", "keys", data={"token": "eA=="})
    assert diagnose(c.dump()).missing == ()
