"""``kubectl describe`` text into raw objects: what is printed is read back."""

import pytest

from copilot.adapters.describe_pod import probe, toleration
from copilot.adapters.describe_text import config_data, event_rows, merged, parse, quotas_in_namespace
from copilot.adapters.describe_tree import age_seconds, table
from tests.builders import NOW
from tests.evals.exams.test_cloudopsbench import POD

SERVICE = """Name:                     cart
Namespace:                shop
Selector:                 app=cart,tier=back
Type:                     ClusterIP
IP:                       10.68.1.1
Port:                     grpc  7070/TCP
TargetPort:               grpc-api/TCP
Endpoints:                10.0.0.9:7070
Events:                   <none>
"""
NODE = """Name:               worker-1
Labels:             kubernetes.io/hostname=worker-1
                    zone=a
Taints:             team=ml:NoSchedule
                    node.kubernetes.io/not-ready:NoExecute
Unschedulable:      true
Conditions:
  Type    Status  LastHeartbeatTime                 LastTransitionTime                Reason           Message
  ----    ------  -----------------                 ------------------                ------           -------
  Ready   False   Fri, 02 Jan 2026 12:59:30 +0800   Fri, 02 Jan 2026 12:58:29 +0800   KubeletNotReady  runtime is down
Allocatable:
  cpu:     8
  memory:  15Gi
Allocated resources:
  (Total limits may be over 100 percent, i.e., overcommitted.)
  Resource  Requests    Limits
  --------  --------    ------
  cpu       425m (5%)   0 (0%)
Events:     <none>
"""
DEPLOYMENT = """Name:                   cart
Namespace:              shop
Selector:               app=cart
Replicas:               0 desired | 0 updated | 0 total | 0 available | 0 unavailable
StrategyType:           RollingUpdate
RollingUpdateStrategy:  25% max unavailable, 25% max surge
Pod Template:
  Labels:  app=cart
  Containers:
   server:
    Image:      cart:1
    Port:       7070/TCP
    Environment:
      TOKEN:    <set to the key 'token' in secret 'keys'>  Optional: false
  Volumes:
   data:
    Type:       PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)
    ClaimName:  cart-data
Conditions:
  Type           Status  Reason
  ----           ------  ------
  Available      True    MinimumReplicasAvailable
"""


def read(text: str, kind: str) -> dict[str, object]:
    found = parse(text, kind, now=NOW)
    assert found is not None
    return found[0]


def test_pod_and_its_events() -> None:
    found = parse(POD, "Pod", now=NOW)
    assert found is not None
    pod, events = found
    assert pod["metadata"]["labels"] == {"app": "billing", "pod-template-hash": "7d9c6bdf5c"}
    assert pod["metadata"]["ownerReferences"][0]["name"] == "billing-7d9c6bdf5c"
    assert pod["status"]["containerStatuses"][0]["state"] == {"waiting": {"reason": "ImagePullBackOff"}}
    assert pod["spec"]["containers"][0]["env"] == [{"name": "LEDGER_ADDR", "value": "ledger:7000"}]
    assert pod["spec"]["nodeName"] == "node-a"
    assert [(e["reason"], e["count"], e["type"]) for e in events] == [("Failed", 2, "Warning")]
    assert events[0]["involvedObject"] == {"kind": "Pod", "name": "billing-7d9c6bdf5c-x2x2x", "namespace": "shop"}


def test_service() -> None:
    spec = read(SERVICE, "Service")["spec"]
    assert isinstance(spec, dict)
    assert spec["selector"] == {"app": "cart", "tier": "back"}
    assert spec["ports"] == [{"port": 7070, "protocol": "TCP", "name": "grpc", "targetPort": "grpc-api"}]


def test_node() -> None:
    node = read(NODE, "Node")
    assert node["spec"] == {
        "taints": [
            {"key": "team", "effect": "NoSchedule", "value": "ml"},
            {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
        ],
        "unschedulable": True,
    }
    status = node["status"]
    assert isinstance(status, dict)
    assert status["allocatable"] == {"cpu": "8", "memory": "15Gi"}
    assert status["allocated"] == {"cpu": "425m"}
    assert status["conditions"][0]["message"] == "runtime is down"


def test_deployment() -> None:
    spec = read(DEPLOYMENT, "Deployment")["spec"]
    assert isinstance(spec, dict)
    assert spec["replicas"] == 0
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%", "maxSurge": "25%"}
    template = spec["template"]["spec"]
    assert template["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "cart-data"}}]
    reference = template["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
    assert (reference["name"], reference["key"]) == ("keys", "token")


@pytest.mark.parametrize(
    ("text", "handler"),
    [
        ("grpc <pod>:9555  delay=5s timeout=1s period=5s #success=1 #failure=3", {"grpc": {"port": 9555}}),
        ("tcp-socket :6379 delay=5s timeout=1s period=5s #success=1 #failure=3", {"tcpSocket": {"port": 6379}}),
        ("http-get https://:web/healthz delay=0s timeout=1s period=10s #success=1 #failure=3",
         {"httpGet": {"scheme": "HTTPS", "port": "web", "path": "/healthz"}}),
        ((
            "exec [cat /tmp/ok] delay=0s timeout=1s "
            "period=10s #success=1 #failure=3"
        ), {"exec": {"command": ["cat", "/tmp/ok"]}}),
    ],
)  # fmt: skip
def test_probe(text: str, handler: dict[str, object]) -> None:
    found = probe(text)
    assert found is not None
    assert {k: v for k, v in found.items() if not k.endswith(("Seconds", "Threshold"))} == handler


def test_toleration() -> None:
    assert toleration("node.kubernetes.io/not-ready:NoExecute op=Exists for 300s") == {
        "key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "operator": "Exists",
    }  # fmt: skip
    assert toleration("team=ml:NoSchedule") == {
        "key": "team",
        "value": "ml",
        "effect": "NoSchedule",
        "operator": "Equal",
    }


def test_quota_of_a_namespace() -> None:
    text = (
        "Name: shop\n\nResource Quotas\n  Name:     limit\n  Resource  Used  Hard\n  --------  ---   ---\n  "
        "pods      10    10\n"
    )
    found = quotas_in_namespace(text, "shop")
    assert found[0]["status"] == {"used": {"pods": "10"}, "hard": {"pods": "10"}}


def test_config_map_data() -> None:
    text = "Name: c\nData\n====\na.yml:\n----\nx: 1\n\nb:\n----\ny\n\nBinaryData\n====\n\nEvents:  <none>\n"
    assert config_data(text) == {"a.yml": "x: 1", "b": "y"}


def test_event_rows() -> None:
    text = (
        "LAST SEEN   TYPE      REASON   OBJECT        MESSAGE\n2m15s       Warning   BackOff  pod/cart-1    "
        "Back-off restarting\n"
    )
    found = event_rows(text, "shop", now=NOW)
    assert [(e["reason"], e["involvedObject"]["kind"]) for e in found] == [("BackOff", "Pod")]


def test_merged_lays_describe_over_manifest() -> None:
    base = {"spec": {"affinity": {"a": 1}, "containers": [{"name": "x", "image": "old", "workingDir": "/"}]}}
    over = {"spec": {"containers": [{"name": "x", "image": "new"}], "nodeSelector": {}}}
    expected = {
        "affinity": {"a": 1},
        "containers": [{"name": "x", "image": "new", "workingDir": "/"}],
        "nodeSelector": {},
    }
    assert merged(base, over)["spec"] == expected


def test_small_formats() -> None:
    assert age_seconds("2m41s") == 161
    assert age_seconds("soon") is None
    assert table(["A    B C", "---  ---", "x    y z"]) == [{"A": "x", "B C": "y z"}]
    assert parse("nothing here", "Pod", now=NOW) is None
