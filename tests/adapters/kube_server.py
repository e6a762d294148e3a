"""A tiny API server for reading: lists with continue, single objects, logs, watches, all scripted."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.adapters.http_server import Answer, Asked

Json = dict[str, Any]
DATE = "Wed, 04 Mar 2026 12:00:00 GMT"


def say(body: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", "Date": DATE, **headers})


def refuse(code: int, message: str = "no", **headers: str) -> Answer:
    return say({"kind": "Status", "code": code, "message": message}, code, **headers)


@dataclass
class FakeApi:
    """Collections by path; ``rules`` come first and may answer anything (None: go on)."""

    collections: dict[str, list[Json]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    rules: list[Callable[[Asked], Answer | None]] = field(default_factory=list)
    page: int = 500

    def __call__(self, asked: Asked) -> Answer:
        for rule in self.rules:
            answer = rule(asked)
            if answer is not None:
                return answer
        if asked.path == "/version":
            return say({"gitVersion": "v1.33.1"})
        if asked.path.endswith("/log"):
            pod = asked.path.split("/")[-2]
            text = self.logs.get(pod + ("!" if asked.query.get("previous") else ""))
            return refuse(400, "no log") if text is None else Answer(200, text.encode())
        if asked.path in self.collections:
            return self._list(asked)
        folder, _, name = asked.path.rpartition("/")
        for one in self.collections.get(folder, []):
            if one["metadata"]["name"] == name:
                return say(one)
        return refuse(404, "not found") if folder in self.collections else say({"items": [], "metadata": {}})

    def _list(self, asked: Asked) -> Answer:
        items = self.collections[asked.path]
        start = int(asked.query.get("continue", ["0"])[0])
        limit = min(int(asked.query.get("limit", ["500"])[0]), self.page)
        meta: Json = {"resourceVersion": "100"}
        if start + limit < len(items):
            meta["continue"] = str(start + limit)
        return say({"kind": "List", "metadata": meta, "items": items[start : start + limit]})


def pod(name: str, namespace: str = "shop", **status: Any) -> Json:
    meta = {"name": name, "namespace": namespace, "uid": f"u-{name}", "resourceVersion": "1", "managedFields": [{}]}
    return {"metadata": meta, "spec": {"containers": [{"name": "app"}]}, "status": {"phase": "Running", **status}}


def container(**fields: Any) -> Json:
    return {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}, **fields}
