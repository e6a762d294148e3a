"""The lab's own kubeconfig: one cluster, one context per role; never the user's file."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from copilot.core.value import JsonObject

CLUSTER = "infra-copilot-lab"


def write_kubeconfig(path: Path, *, server: str, authority: str, tokens: Mapping[str, str]) -> None:
    """Write a kubeconfig (JSON, which is YAML) for roles -> tokens; the current context is the first role."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority.encode()).decode()}
    config: JsonObject = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": cluster}],
        "users": [{"name": role, "user": {"token": token}} for role, token in tokens.items()],
        "contexts": [{"name": role, "context": {"cluster": CLUSTER, "user": role}} for role in tokens],
        "current-context": next(iter(tokens)),
    }
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(json.dumps(config, indent=2))
    path.chmod(0o600)
