"""The kubelet: states, reasons, exit codes and words that an engineer knows."""

from datetime import timedelta

from copilot.core.value import JsonObject
from copilot.lab.faults.edits import edit_container, edit_template, set_env
from copilot.lab.world.world import World


def _broken(world: World, role: str) -> JsonObject:
    """The status of the first container that is not ready in the newest pods of a workload."""
    workload = world.design.role(role)
    for pod in world.store.peek_all("Pod", workload.namespace):
        if pod["metadata"]["labels"].get("app") == workload.name:
            found: JsonObject = pod["status"]["containerStatuses"][0]
            if not found["ready"]:
                return found
    raise AssertionError("every pod is ready")


def _events(world: World, reason: str) -> list[str]:
    return [event["message"] for event in world.store.peek_all("Event") if event["reason"] == reason]


def test_a_crash_loop_backs_off(world: World) -> None:
    set_env(world, world.design.role("cart"), "CACHE_ADDR", None)
    world.advance(timedelta(minutes=3))
    status = _broken(world, "cart")
    assert status["restartCount"] >= 2
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["state"]["waiting"]["message"].startswith("back-off ")


def test_out_of_memory_is_137(world: World) -> None:
    def change(one: JsonObject) -> None:
        one["resources"]["limits"]["memory"] = one["resources"]["requests"]["memory"] = "64Mi"

    edit_container(world, world.design.role("cart"), change)
    world.advance(timedelta(minutes=2))
    last = _broken(world, "cart")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "OOMKilled")


def test_pull_errors_say_what_the_registry_said(world: World) -> None:
    edit_container(world, world.design.role("cart"), lambda one: one.update(image="registry.example.com/none:1"))
    world.advance(timedelta(minutes=2))
    waiting = _broken(world, "cart")["state"]["waiting"]
    assert waiting["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert any("not found" in message for message in _events(world, "Failed"))


def test_an_absent_key_is_a_config_error(world: World) -> None:
    entry = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "nothing", "key": "x"}}}
    edit_container(world, world.design.role("cart"), lambda one: one["env"].append(entry))
    world.advance(timedelta(minutes=1))
    waiting = _broken(world, "cart")["state"]["waiting"]
    assert (waiting["reason"], waiting["message"]) == ("CreateContainerConfigError", 'configmap "nothing" not found')


def test_an_init_container_runs_first(world: World) -> None:
    cart = world.design.role("cart")
    init = {"name": "wait", "image": f"{world.design.names.registry}/{world.design.names.shop}/nothing:1"}
    edit_template(world, cart, lambda spec: spec.update(initContainers=[init]))
    world.advance(timedelta(minutes=1))
    assert _broken(world, "cart")["state"]["waiting"]["reason"] in ("ContainerCreating", "PodInitializing")


def test_a_liveness_probe_that_fails_restarts(world: World) -> None:
    def change(one: JsonObject) -> None:
        one["livenessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 1, "failureThreshold": 2}

    edit_container(world, world.design.role("catalog"), change)
    world.advance(timedelta(minutes=2))
    assert _broken(world, "catalog")["restartCount"] >= 1
    assert any("failed liveness probe, will be restarted" in message for message in _events(world, "Killing"))


def test_eviction_under_disk_pressure(world: World) -> None:
    node = next(node for node in world.site.nodes.values() if node.pool == "general")
    node.disk_used = node.disk * 0.9
    world.advance(timedelta(minutes=3))
    reasons = {pod["status"].get("reason") for pod in world.store.peek_all("Pod")}
    assert "Evicted" in reasons
    stored = world.store.peek("Node", "", node.name)
    assert stored is not None
    assert any(taint["key"] == "node.kubernetes.io/disk-pressure" for taint in stored["spec"]["taints"])


def test_a_silent_node_is_unknown_and_its_pods_move(world: World) -> None:
    node = next(node for node in world.site.nodes.values() if node.pool == "general")
    node.kubelet_up = False
    world.advance(timedelta(minutes=8))
    stored = world.store.peek("Node", "", node.name)
    assert stored is not None
    ready = next(one for one in stored["status"]["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    for workload in world.design.workloads.values():
        if workload.kind == "Deployment":
            found = world.store.peek("Deployment", workload.namespace, workload.name)
            assert found is not None
            assert found["status"].get("readyReplicas") == workload.replicas, workload.name
