"""A small cluster that lives behind the API: controllers and kubelets work in a thread while tests talk HTTP."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from copilot.core.value import JsonObject
from copilot.lab.kube_api.app import kube_app
from copilot.lab.kube_api.context import Hooks, LogLine
from copilot.lab.kube_api.request_log import RequestLog
from tests.lab.fake_kubelet import Cluster
from tests.lab.kube_api.serving import TOKENS, served, write_certificate


@dataclass(frozen=True)
class Live:
    """A running cluster: its store, its write log, and a kubeconfig per role."""

    cluster: Cluster
    log: RequestLog
    url: str
    folder: Path

    def kubeconfig(self, role: str) -> Path:
        """The kubeconfig file of a role."""
        return self.folder / f"{role}.kubeconfig"


def logs(pod: JsonObject, container: str, previous: bool) -> Sequence[LogLine]:
    """Three lines a second apart; a previous run says so."""
    start = Cluster(nodes=0).clock()
    words = ("old", "older", "oldest") if previous else ("one", "two", "three")
    return [(start + timedelta(seconds=number), f"{word} of {container}") for number, word in enumerate(words)]


def _work(cluster: Cluster, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        with cluster.store.lock:
            cluster.settle(steps=1)


def _write_kubeconfig(path: Path, url: str, token: str, authority: Path) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user", "namespace": "shop"}}],
    }
    path.write_text(yaml.safe_dump(document))


@contextmanager
def live(folder: Path, *, secure: bool = True) -> Iterator[Live]:
    """Run a cluster of three nodes with one Deployment of three pods and its Service."""
    cluster = Cluster(nodes=3, gpus=2)
    cluster.store.create(
        {
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
        }
    )
    cluster.deployment(replicas=3)
    tls, log, stop = write_certificate(folder), RequestLog(), threading.Event()
    app = kube_app(cluster.store, TOKENS, hooks=Hooks(logs=logs), log=log)
    worker = threading.Thread(target=_work, args=(cluster, stop), daemon=True)
    with served(app, tls=tls if secure else None) as url:
        for role, token in TOKENS.items():
            _write_kubeconfig(folder / f"{role}.kubeconfig", url, token, tls.certificate)
        worker.start()
        try:
            yield Live(cluster, log, url, folder)
        finally:
            stop.set()
            worker.join(timeout=5)
