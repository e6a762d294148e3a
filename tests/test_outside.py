"""With which credential the world outside is written to."""

from pathlib import Path
from typing import Any

import pytest

from copilot.adapters import kubernetes_config
from copilot.config import Settings
from copilot.outside import writers


@pytest.mark.parametrize(
    ("given", "context"),
    [
        ({"executor_token_file": Path("token")}, "staging"),
        ({"executor_context": "acts"}, "acts"),
        ({"executor_kubeconfig": Path("other")}, None),
    ],
)
def test_the_executor_writes_to_the_cluster_that_is_read(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], context: str | None
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(kubernetes_config, "api_client", asked.append)
    writers(Settings(kubeconfig=Path("reader"), context="staging", **given))
    assert [o.context for o in asked] == [context]
