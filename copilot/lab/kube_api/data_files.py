"""The data that ships with the lab's API: field types, table columns and the discovery document of the real server."""

from functools import cache
from importlib import resources
from typing import Any

import orjson


@cache
def load(name: str) -> Any:
    """Return the parsed file ``data/<name>.json``; do not change what it returns."""
    folder = resources.files("copilot.lab.kube_api") / "data"
    return orjson.loads((folder / f"{name}.json").read_bytes())
