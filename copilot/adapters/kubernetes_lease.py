"""Leader election over a ``coordination.k8s.io`` Lease, as client-go does it: for several replicas in one cluster.

Somebody else's lease counts as lapsed once this process has seen no renewal for its duration on its own monotonic
clock, so that skewed clocks elect nobody twice.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import orjson

from copilot.adapters.kubernetes_config import KubernetesOptions, api_client
from copilot.core.text import one_line
from copilot.errors import Unavailable
from copilot.ports.store import Lease

_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class _Seen:
    renewal: str
    at: float


class KubernetesLease:
    """One Lease object. ``fence`` is its ``leaseTransitions``."""

    def __init__(self, options: KubernetesOptions, *, namespace: str, name: str) -> None:
        from kubernetes.client import CoordinationV1Api

        self._client = api_client(options)
        self._api: Any = CoordinationV1Api(self._client)
        self._namespace = namespace
        self._name = name
        self._seen = _Seen("", time.monotonic())

    async def acquire(self, name: str, holder: str, *, ttl: timedelta) -> Lease | None:
        """Take or renew the lease; None when somebody else holds it; raises ``Unavailable``."""
        return await asyncio.to_thread(self._acquire, name, holder, ttl)

    async def release(self, lease: Lease) -> None:
        """Give the lease back, if it is still held."""
        await asyncio.to_thread(self._release, lease)

    async def close(self) -> None:
        """Release connections."""
        await asyncio.to_thread(self._client.close)

    def _acquire(self, name: str, holder: str, ttl: timedelta) -> Lease | None:
        now = datetime.now(UTC)
        found = self._call("read_namespaced_lease", self._name, self._namespace)
        if found is None:
            body = {"metadata": {"name": self._name}, "spec": _spec({}, holder, now, ttl)}
            made = self._call("create_namespaced_lease", self._namespace, body)
        else:
            spec = found.get("spec") or {}
            if spec.get("holderIdentity") not in ("", None, holder) and not self._lapsed(spec):
                return None
            found["spec"] = _spec(spec, holder, now, ttl)
            made = self._call("replace_namespaced_lease", self._name, self._namespace, found)
        if made is None:
            return None
        return Lease(name, holder, int(made["spec"].get("leaseTransitions") or 0), now + ttl)

    def _lapsed(self, spec: dict[str, Any]) -> bool:
        renewal = f"{spec.get('holderIdentity')} {spec.get('renewTime')}"
        if renewal != self._seen.renewal:
            self._seen = _Seen(renewal, time.monotonic())
        return time.monotonic() - self._seen.at > float(spec.get("leaseDurationSeconds") or 0)

    def _release(self, lease: Lease) -> None:
        found = self._call("read_namespaced_lease", self._name, self._namespace)
        if found and (found.get("spec") or {}).get("holderIdentity") == lease.holder:
            found["spec"] = {**found["spec"], "holderIdentity": ""}
            self._call("replace_namespaced_lease", self._name, self._namespace, found)

    def _call(self, method: str, *given: object) -> dict[str, Any] | None:
        """Return the object; None when it is absent, or somebody else was faster; raises ``Unavailable``."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            call = getattr(self._api, method)
            answer: dict[str, Any] = orjson.loads(call(*given, _preload_content=False, _request_timeout=_TIMEOUT).data)
        except ApiException as error:
            if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                return None
            why = f"{error.status} {one_line(str(error.reason))}"
            raise Unavailable(
                f"The lease {self._namespace}/{self._name} cannot be had: {why}.",
                hint="Its Role is in deploy/kustomize/base/rbac-reader.yaml.",
            ) from error
        except (HTTPError, OSError, ValueError) as error:
            raise Unavailable(
                f"The API server cannot be reached for the lease: {one_line(str(error), 200)}."
            ) from error
        return answer


def _spec(before: dict[str, Any], holder: str, now: datetime, ttl: timedelta) -> dict[str, Any]:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    same = before.get("holderIdentity") == holder
    return {
        "holderIdentity": holder,
        "leaseDurationSeconds": int(ttl.total_seconds()),
        "acquireTime": before.get("acquireTime") if same else stamp,
        "renewTime": stamp,
        "leaseTransitions": int(before.get("leaseTransitions") or 0) + (0 if same else 1),
    }
