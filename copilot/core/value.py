"""The base of every value, and the one canonical form that digests are taken over."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

JsonObject = dict[str, Any]
"""A decoded JSON object of a foreign schema, such as a raw Kubernetes object."""


class Value(BaseModel):
    """Frozen and tolerant: unknown fields are ignored, so that stored rows survive a removed field."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def canonical(data: object) -> bytes:
    """Return the canonical JSON bytes of ``data`` (sorted keys, no spaces, UTF-8), as RFC 8785 orders them.

    Raises ``ValueError`` on NaN or infinity, ``TypeError`` on anything JSON cannot say.
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(data: object) -> str:
    """Return the sha256 of the canonical form, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data)).hexdigest()
