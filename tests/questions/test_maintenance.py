"""Taking a node out: refused, losing work, disruptive or safe, and why; what was not looked at is said."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from copilot.blast import CHECKPOINT_AGE
from copilot.core.cluster import ClusterDump, MetricWindow, Missing
from copilot.ports.read import Scope
from copilot.questions.ask import ask
from copilot.questions.base import Answer
from tests.questions.world import NOW, FakeCluster, at, context

Objects = Mapping[str, Sequence[dict[str, Any]]]


def node(name: str, *, ready: bool = True, cpu: str = "16", gpus: str = "0", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "pool": name.rpartition("-")[0]}},
        "spec": spec,
        "status": {
            "allocatable": {"cpu": cpu, "memory": "64Gi", "nvidia.com/gpu": gpus, "pods": "110"},
            "conditions": [
                {"type": "Ready", "status": "True" if ready else "Unknown", "lastTransitionTime": at(hours=2)}
            ],
        },
    }


def pod(
    name: str, on: str = "gpu-a-1", *, owner: str = "ReplicaSet/cart-5d", space: str = "shop", app: str = "cart",
    ready: bool = True, gpus: int = 0, cpu: str = "1", **spec: Any,
) -> dict[str, Any]:  # fmt: skip
    kind, _, of = owner.partition("/")
    asks = {"cpu": cpu, "memory": "1Gi", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    labels = {"app": app} | ({"job-name": of} if kind == "Job" else {})
    return {
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": space, "uid": f"uid-{name}", "labels": labels,
            "ownerReferences": [{"kind": kind, "name": of, "controller": True}] if kind else [],
        },
        "spec": {"nodeName": on, "containers": [{"name": "main", "resources": {"requests": asks}}], **spec},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }  # fmt: skip


def service(app: str) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": app, "namespace": "shop"}, "spec": {"selector": {"app": app}}}


def budget(name: str, allowed: int, app: str = "cart", **status: Any) -> dict[str, Any]:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": app}}},
        "status": {"disruptionsAllowed": allowed, **status},
    }


def world(*pods: dict[str, Any], **more: Any) -> dict[str, list[dict[str, Any]]]:
    nodes = [node("gpu-a-1", gpus="8"), node("gpu-a-2", gpus="8"), node("cpu-b-1")]
    return {"Node": nodes, "Pod": [*pods], "Service": [service("cart")], **more}


async def said(
    objects: Objects, text: str = "is it safe to drain gpu-a-1?", *, ages: Mapping[str, float] | None = None,
    unread: Sequence[str] = (), namespace: str = "",
) -> Answer:  # fmt: skip
    async def look(scope: Scope) -> ClusterDump:
        assert not scope.namespace and not scope.logs, "what runs on a node is of any namespace"
        missing = tuple(Missing(kind, "may not be listed") for kind in unread)
        kept = {k: v for k, v in objects.items() if k not in unread}
        windows = [MetricWindow({"pod": p}, (0.0,), (age,), "time() - last") for p, age in (ages or {}).items()]
        return ClusterDump(NOW, kept, missing=missing, metrics={CHECKPOINT_AGE: windows})

    return await ask(context(cluster=FakeCluster(objects), look=look, namespace=namespace), text)


def happens(answer: Answer) -> dict[str, str]:
    return {row[0].partition("/")[2]: row[3] for row in answer.tables[0].rows}


TWO = (pod("cart-1"), pod("cart-2", "gpu-a-2"))


async def test_safe_when_others_serve_and_there_is_room() -> None:
    answer = await said(world(*TWO))
    assert answer.text.startswith("**Safe**: draining `gpu-a-1` would evict 1 pod, nothing goes unanswered")
    assert answer.tables[0].rows == (("shop/cart-1", "ReplicaSet cart-5d", "", "moves"),)
    assert "the other nodes take it (1 CPU, 1 GiB memory asked for)" in answer.text
    assert "`kubectl drain gpu-a-1 --ignore-daemonsets --delete-emptydir-data`" in answer.text
    assert "for a person to run" in answer.text and answer.question == "maintenance"
    assert answer.queries == (
        "kubectl get pods -A -o wide --field-selector spec.nodeName=gpu-a-1",
        "kubectl get poddisruptionbudgets -A",
        "kubectl describe nodes",
    )


async def test_an_empty_node_is_safe_and_needs_no_line() -> None:
    answer = await said(world(pod("cart-2", "gpu-a-2")))
    assert answer.text.startswith("**Safe**: draining `gpu-a-1` would move nothing")
    assert answer.tables == () and "kubectl drain" not in answer.text


async def test_a_budget_that_allows_nothing_refuses() -> None:
    answer = await said(world(*TWO, PodDisruptionBudget=[budget("cart", 0), budget("other", 0, "search")]))
    assert answer.text.startswith("**Would be refused**: draining `gpu-a-1` would evict 1 pod; it may not go")
    assert happens(answer) == {"cart-1": "refused: PodDisruptionBudget cart allows 0 disruptions"}
    assert any("cart allows 0" in e.finding for e in answer.evidence)


async def test_two_budgets_on_one_pod_refuse_whatever_they_allow() -> None:
    answer = await said(world(*TWO, PodDisruptionBudget=[budget("one", 3), budget("two", 3)]))
    assert "2 PodDisruptionBudgets select it (one, two)" in happens(answer)["cart-1"]


@pytest.mark.parametrize(
    ("healthy", "policy", "refused"),
    [(1, "", True), (2, "", False), (1, "AlwaysAllow", False)],
)
async def test_a_pod_that_is_not_ready_may_go_as_the_budget_says(healthy: int, policy: str, refused: bool) -> None:
    held = budget("cart", 0, currentHealthy=healthy, desiredHealthy=2)
    held["spec"]["unhealthyPodEvictionPolicy"] = policy
    pods = (pod("cart-1", ready=False), pod("cart-2", "gpu-a-2"))
    answer = await said(world(*pods, PodDisruptionBudget=[held]))
    assert ("refused" in happens(answer)["cart-1"]) is refused


@pytest.mark.parametrize("over", ["Pending", "Terminating"])
async def test_a_pod_that_does_not_run_is_asked_of_no_budget(over: str) -> None:
    going = pod("cart-1")
    if over == "Pending":
        going["status"]["phase"] = over
    else:
        going["metadata"]["deletionTimestamp"] = at(minutes=1)
    answer = await said(world(going, TWO[1], PodDisruptionBudget=[budget("cart", 0)]))
    assert "refused" not in happens(answer)["cart-1"]


async def test_a_budget_that_lets_one_go_at_a_time_only_slows() -> None:
    answer = await said(world(pod("cart-1"), pod("cart-2"), PodDisruptionBudget=[budget("cart", 1)]))
    assert answer.text.startswith("**Safe**")
    assert happens(answer)["cart-1"] == "moves; waits its turn: PodDisruptionBudget cart lets 1 go at a time"


async def test_a_pod_without_a_controller_is_lost_and_wants_force() -> None:
    answer = await said(world(*TWO, pod("debug", owner="", app="debug")))
    assert answer.text.startswith("**Loses work**") and "`debug` will not come back" in answer.text
    assert happens(answer)["debug"] == "is lost: no controller brings it back"
    assert "--force`" in answer.text and "the other nodes take it (1 CPU, 1 GiB memory asked" in answer.text


async def test_what_does_not_come_back_takes_no_room() -> None:
    kept = pod("llm-0", owner="ReplicaSet/llm-7f", app="llm", gpus=4)
    answer = await said(world(kept, pod("a-debug", owner="", app="debug", gpus=8)))
    assert "pending" not in happens(answer)["llm-0"] and "4 nvidia.com/gpu asked for" in answer.text


GANG = tuple(
    pod(f"train-{i}", f"gpu-a-{1 + i % 2}", owner="Job/train", space="ml", app="train", gpus=2) for i in range(4)
)


async def test_a_gang_stops_as_a_whole_and_loses_what_is_since_its_checkpoint() -> None:
    ages = {f"train-{i}": 1800.0 for i in range(4)}
    done = pod("train-old", owner="Job/train", space="ml", app="train", gpus=2)
    done["status"]["phase"] = "Failed"
    answer = await said(world(*GANG, done), ages={**ages, "train-old": 1800.0})
    assert answer.text.startswith("**Loses work**")
    assert "job ml/train stops (4 pods, 8 GPUs) and loses its work since the last checkpoint (4.0 GPU-hours)" in (
        answer.text
    )
    assert answer.text.count("job ml/train stops") == 1
    assert happens(answer)["train-0"] == "stops its gang: job ml/train, 4 pods, 8 GPUs, 4.0 GPU-hours lost"
    assert [row[2] for row in answer.tables[0].rows] == ["2", "2"]
    assert "time() - last" in answer.queries


async def test_without_its_metric_what_a_gang_loses_is_not_guessed() -> None:
    answer = await said(world(*GANG))
    assert "how many GPU-hours is not measured" in answer.text and "GPU-hours lost" not in happens(answer)["train-0"]
    assert "time() - last" not in answer.queries


async def test_a_job_without_gpus_starts_over() -> None:
    answer = await said(world(pod("report-1", owner="Job/report", app="report")))
    assert answer.text.startswith("**Loses work**")
    assert happens(answer)["report-1"] == "its job shop/report starts over"


async def test_the_only_replica_of_a_service_is_a_short_outage() -> None:
    answer = await said(world(pod("cart-1")))
    assert answer.text.startswith("**Disruptive**") and "nothing answers for Service cart meanwhile" in answer.text
    assert happens(answer)["cart-1"] == "short outage of Service cart (its only replica)"


async def test_all_replicas_on_one_node_are_an_outage_too_and_what_does_not_serve_is_no_stand_in() -> None:
    answer = await said(world(pod("cart-1"), pod("cart-2"), pod("cart-3", "gpu-a-2", ready=False)))
    assert happens(answer)["cart-2"] == "short outage of Service cart (2 of 2 replicas)"


async def test_who_is_going_anyway_is_no_stand_in() -> None:
    leaving = pod("cart-2", "gpu-a-2")
    leaving["metadata"]["deletionTimestamp"] = at(minutes=1)
    assert happens(await said(world(pod("cart-1"), leaving)))["cart-1"].startswith("short outage")


async def test_an_only_replica_that_is_out_already_is_no_new_outage() -> None:
    assert (await said(world(pod("cart-1", ready=False)))).text.startswith("**Safe**")


async def test_an_only_replica_without_a_service_is_down_meanwhile() -> None:
    answer = await said(world(pod("cart-1"), Service=[]))
    assert happens(answer)["cart-1"] == "down until it runs again (its only replica)"
    assert "it is the only one of its kind" in answer.text


async def test_local_data_are_lost() -> None:
    volumes = [{"name": "scratch", "emptyDir": {}}, {"name": "config", "configMap": {"name": "c"}}]
    answer = await said(world(pod("cart-1", volumes=volumes), TWO[1]))
    assert answer.text.startswith("**Disruptive**") and "what it keeps in emptyDir is deleted" in answer.text
    assert happens(answer)["cart-1"] == "loses local data: emptyDir scratch"


async def test_what_finds_no_room_stays_pending_and_each_pod_takes_room_from_the_next() -> None:
    pods = [pod(f"llm-{i}", owner="ReplicaSet/llm-7f", app="llm", gpus=4) for i in range(2)]
    busy = pod("other-1", "gpu-a-2", owner="ReplicaSet/other-1a", app="other", gpus=4)
    answer = await said(world(*pods, pod("llm-9", "gpu-a-2", owner="ReplicaSet/llm-7f", app="llm"), busy))
    assert answer.text.startswith("**Disruptive**") and "has nowhere to go" in answer.text
    assert sorted(happens(answer).values()) == ["moves", "stays pending: no room on the 2 other nodes it may use"]
    assert "take 1 of the 2 that come back (2 CPU, 2 GiB memory, 8 nvidia.com/gpu asked for)" in answer.text


async def test_the_largest_choose_their_room_first() -> None:
    pods = [pod(f"llm-{n}", owner=f"ReplicaSet/llm-{n}f", app=f"llm{n}", gpus=n) for n in (1, 8)]
    nodes = [node("gpu-a-1", gpus="9"), node("gpu-a-2", gpus="8"), node("gpu-a-3", gpus="1")]
    assert "pending" not in str(happens(await said(world(*pods, Node=nodes))))


@pytest.mark.parametrize(
    "change",
    [
        {"unschedulable": True},
        {"taints": [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}]},
        {"ready": False},
    ],
)
async def test_nodes_that_take_nothing_are_no_room(change: dict[str, Any]) -> None:
    nodes = [node("gpu-a-1"), node("gpu-a-2", **change)]
    answer = await said(world(*TWO, Node=nodes))
    assert happens(answer)["cart-1"] == "stays pending: no other ready node takes it (selector, taints)"


async def test_node_selectors_are_honoured_and_an_outage_lasts_as_long_as_there_is_no_node() -> None:
    answer = await said(world(pod("cart-1", "cpu-b-1", nodeSelector={"pool": "cpu-b"})), "can I drain cpu-b-1?")
    assert happens(answer)["cart-1"].endswith("takes it (selector, taints); outage of Service cart (its only replica)")
    assert "nothing answers for Service cart until there is a node for it" in answer.text


async def test_a_volume_of_this_node_keeps_its_pod_here() -> None:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["gpu-a-1"]}]}
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data-0", "namespace": "shop"},
             "spec": {"volumeName": "pv-1"}}  # fmt: skip
    volume: dict[str, Any] = {"kind": "PersistentVolume", "metadata": {"name": "pv-1"},
              "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}}  # fmt: skip
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}}]
    held = {"PersistentVolumeClaim": [claim], "PersistentVolume": [volume]}
    answer = await said(world(pod("db-0", owner="StatefulSet/db", app="db", volumes=volumes), **held))
    assert "its volume (data-0) is tied to this node" in happens(answer)["db-0"]
    volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] = ["gpu-a-2"]
    answer = await said(world(pod("db-0", owner="StatefulSet/db", app="db", volumes=volumes), **held))
    assert "pending" not in happens(answer)["db-0"]


async def test_daemon_sets_and_static_pods_stay_and_kubectl_evicts_from_kube_system() -> None:
    static = pod("etcd-gpu-a-1", owner="Node/gpu-a-1", space="kube-system")
    static["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    ended = pod("old", owner="")
    ended["status"]["phase"] = "Succeeded"
    dns = [pod(f"dns-{i}", f"gpu-a-{i}", owner="ReplicaSet/dns-1", space="kube-system", app="dns") for i in (1, 2)]
    answer = await said(world(*dns, static, ended, pod("proxy-x", owner="DaemonSet/proxy", space="kube-system")))
    assert "2 pods would stay (DaemonSets, static): etcd-gpu-a-1, proxy." in answer.text
    assert happens(answer) == {"dns-1": "moves"}
    assert "kubectl evicts it from kube-system too; a runbook's drain leaves such pods" in answer.text


async def test_what_state_a_node_is_in_is_said() -> None:
    nodes = [node("gpu-a-1", ready=False, unschedulable=True), node("gpu-a-2")]
    nodes[0]["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    text = (await said(world(*TWO, Node=nodes))).text
    assert "It is NotReady since 2026-03-11 13:30 UTC" in text and "stay Terminating" in text
    assert "It is cordoned already" in text and "It carries the control plane" in text
    assert "cordoned already" not in (await said(world(*TWO))).text


async def test_a_cordon_moves_nothing() -> None:
    answer = await said(world(pod("cart-1")), "what happens if I cordon gpu-a-1?")
    assert answer.text.startswith("**Safe**: a cordon of `gpu-a-1` keeps new pods away and moves none.")
    assert "To drain it too: **Disruptive**" in answer.text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("what happens if I reboot gpu-a-1?", "a reboot alone stops them all at once"),
        ("is it safe to shut down node gpu-a-1", "shutting it down alone stops them all at once"),
    ],
)
async def test_a_reboot_asks_no_budget(text: str, what: str) -> None:
    answer = await said(world(*TWO), text)
    assert f"Drain it first: {what} and asks no PodDisruptionBudget" in answer.text


async def test_a_node_that_nobody_knows_is_said_so() -> None:
    answer = await said(world(*TWO), "is it safe to drain gpu-z-9?")
    assert answer.failed and ("gpu-z-9" in answer.text or answer.choices)


async def test_without_pods_or_nodes_nothing_is_judged() -> None:
    for kind in ("Pod", "Node"):
        answer = await said(world(*TWO), unread=[kind])
        assert answer.failed and f"{kind}s cannot be read" in answer.text and "Safe" not in answer.text


async def test_without_budgets_the_verdict_is_no_promise() -> None:
    answer = await said(world(*TWO), unread=["PodDisruptionBudget", "Ingress"])
    assert answer.text.startswith("**Safe**, as far as I can see")
    assert answer.missing == ("PodDisruptionBudget: may not be listed",)


async def test_a_node_is_looked_at_in_all_namespaces_even_where_one_is_set() -> None:
    assert set(happens(await said(world(*GANG), namespace="shop"))) == {"train-0", "train-2"}


async def test_without_a_name_all_nodes_are_weighed_the_least_harmful_first() -> None:
    nodes = [*world()["Node"], node("cpu-b-2", unschedulable=True), node("cpu-b-3", ready=False)]
    answer = await said(
        world(*TWO, *GANG, pod("cart-9", "gpu-a-2", owner=""), Node=nodes), "is it safe to drain a node?"
    )
    rows = answer.tables[0].rows
    assert [(r[0], r[1], r[2], r[3]) for r in rows] == [
        ("cpu-b-1", "safe", "0", ""),
        ("gpu-a-1", "loses work", "3", "4"),
        ("gpu-a-2", "loses work", "4", "4"),
        ("cpu-b-2", "safe", "0", ""),
        ("cpu-b-3", "safe", "0", ""),
    ]
    assert rows[3][4] == "cordoned" and rows[4][4] == "NotReady"
    assert answer.text.startswith("**Safe**: `cpu-b-1` can be drained without harm.")


async def test_where_no_node_is_safe_the_least_harmful_is_named() -> None:
    nodes = [node("gpu-a-1"), node("gpu-a-2")]
    objects = world(pod("cart-1"), pod("solo", "gpu-a-2", owner="", app="solo"), Node=nodes)
    answer = await said(objects, "which node can I drain?")
    assert answer.text.startswith("**Disruptive** at best: with `gpu-a-1`, nothing answers for Service cart meanwhile.")


async def test_of_two_gangs_the_one_with_less_to_lose_goes_first() -> None:
    gangs = [pod(f"g{n}-0", f"gpu-a-{n}", owner=f"Job/g{n}", app=f"g{n}", gpus=g) for n, g in ((1, 1), (2, 2))]
    nodes = [node("gpu-a-1", gpus="8"), node("gpu-a-2", gpus="8")]
    answer = await said(world(*gangs, Node=nodes), "which node can I drain?", ages={"g1-0": 36000.0, "g2-0": 360.0})
    assert [r[0] for r in answer.tables[0].rows] == ["gpu-a-2", "gpu-a-1"]


async def test_of_many_nodes_both_ends_are_shown() -> None:
    nodes = [node(f"n-{i:02}") for i in range(30)]
    pods = [pod(f"p-{i}", f"n-{i:02}", owner="ReplicaSet/p-1", app="p") for i in range(15, 30)]
    answer = await said(world(*pods, Node=nodes), "which nodes can be drained safely?")
    names = [r[0] for r in answer.tables[0].rows]
    assert names == [*(f"n-{i:02}" for i in range(5)), *(f"n-{i}" for i in range(25, 30))]
    assert "20 nodes between them left out" in answer.text


CART = {"kind": "Deployment", "metadata": {"name": "cart", "namespace": "shop"}, "spec": {"replicas": 1}}
SET = {"kind": "ReplicaSet", "metadata": {"name": "cart-5d", "namespace": "shop",
       "ownerReferences": [{"kind": "Deployment", "name": "cart", "controller": True}]}}  # fmt: skip


def deployed(*pods: dict[str, Any], **strategy: Any) -> Objects:
    made = {**CART, "spec": {"replicas": len(pods), "strategy": strategy}}
    return world(*pods, Deployment=[made], ReplicaSet=[SET])


async def test_a_rolling_restart_leaves_nothing_unanswered() -> None:
    answer = await said(deployed(*TWO), "is it safe to restart cart?")
    assert answer.text.startswith("**Safe**: restarting `deployment/cart -n shop` replaces 2 pods; one after another")
    assert "ask no PodDisruptionBudget" in answer.text
    assert happens(answer) == {"cart-1": "is replaced", "cart-2": "is replaced"}


@pytest.mark.parametrize("strategy", [{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}])
async def test_a_restart_that_stops_the_old_one_first_is_an_outage(strategy: dict[str, Any]) -> None:
    answer = await said(deployed(TWO[0], **strategy), "is it safe to restart cart?")
    assert answer.text.startswith("**Disruptive**") and "nothing answers for Service cart meanwhile" in answer.text


@pytest.mark.parametrize(("count", "word"), [(1, "Disruptive"), (2, "Safe")])
async def test_a_stateful_set_restarts_without_a_stand_in_when_it_is_alone(count: int, word: str) -> None:
    made = {"kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"}, "spec": {"replicas": count}}
    pods = [pod(f"db-{i}", owner="StatefulSet/db", app="db") for i in range(count)]
    answer = await said(world(*pods, StatefulSet=[made], Service=[service("db")]), "is it safe to restart db?")
    assert answer.text.startswith(f"**{word}**")


async def test_a_service_is_meant_by_the_pods_behind_it() -> None:
    front = {**service("cart"), "metadata": {"name": "front", "namespace": "shop"}}
    answer = await said(world(*TWO, Service=[front]), "is it safe to stop front?")
    assert set(happens(answer)) == {"cart-1", "cart-2"} and "nothing answers for Service front" in answer.text


async def test_to_zero_is_an_outage_that_does_not_end() -> None:
    answer = await said(deployed(*TWO), "can I scale cart to 0?")
    assert answer.text.startswith("**Disruptive**: stopping `deployment/cart -n shop` ends 2 pods")
    assert happens(answer)["cart-1"] == "outage of Service cart (2 of 2 replicas)"


async def test_deleting_one_pod_of_two_is_safe_and_one_without_a_controller_is_lost() -> None:
    assert (await said(deployed(*TWO), "is it safe to delete pod cart-1?")).text.startswith(
        "**Safe**: deleting `pod/cart-1"
    )
    lost = await said(world(pod("debug-1", owner="")), "is it safe to delete pod debug-1?")
    assert lost.text.startswith("**Loses work**") and "will not come back" in lost.text


async def test_what_has_no_pods_stops_nothing_and_what_is_not_named_is_asked_for() -> None:
    assert "no running pod" in (await said(deployed(), "is it safe to restart cart?")).text
    answer = await said(world(*TWO), "is it safe to restart it?")
    assert answer.failed and "Restart what?" in answer.text


async def test_hostile_names_stay_data() -> None:
    evil = pod("train-0", owner="Job/x", space="ml", gpus=2)
    evil["metadata"]["labels"]["job-name"] = "a`|\x1b[31m<|im_start|>"
    text = (await said(world(evil))).markdown()
    assert "\x1b" not in text and "<|im_start|>" not in text
