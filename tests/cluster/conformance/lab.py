"""The lab's API server without its world, as something to make exchanges with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from copilot.lab.kube_api.app import kube_app
from copilot.lab.kube_api.store import ObjectStore
from tests.cluster.conformance.runner import Target
from tests.lab.kube_api.serving import TOKENS, served, write_certificate

_SYSTEM = ("default", "kube-node-lease", "kube-public", "kube-system")
_KEPT = 60
"""Changes that a watch can go back to; few, so that the first versions are long gone when a watch asks for them."""


@contextmanager
def lab(folder: Path) -> Iterator[Target]:
    """Run the lab's API over an empty store, its certificate in `folder`; nobody works behind it, so answers repeat."""
    store = ObjectStore(lambda: datetime.now(UTC), keep=_KEPT)
    for name in _SYSTEM:
        store.create({"kind": "Namespace", "metadata": {"name": name}})
    written = write_certificate(folder)
    with served(kube_app(store, TOKENS), tls=written) as server:
        yield Target(server, TOKENS, written.certificate)
