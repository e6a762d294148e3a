"""What the answers of an API server to a write mean, as errors of ours: one table.

Which status leaves the outcome open matters most: 500, 502 and 504 may come after the object was stored.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from copilot.core.plan import KubernetesChange
from copilot.core.text import one_line, redact
from copilot.core.value import JsonObject
from copilot.errors import (
    Blocked,
    CopilotError,
    DeadlineExceeded,
    Forbidden,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
    Overloaded,
    Unavailable,
    Unsupported,
    WorldChanged,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status code, decoded body (empty when it is no JSON object), seconds of Retry-After."""

    status: int
    body: JsonObject
    retry_after: float | None = None

    @classmethod
    def read(cls, status: int, data: bytes, headers: Mapping[str, str]) -> "Answer":
        """Return an answer from its bytes."""
        try:
            body: Any = json.loads(data)
        except ValueError:
            body = {}
        wait = str(headers.get("Retry-After", ""))
        return cls(status, body if isinstance(body, dict) else {}, float(wait) if wait.isdecimal() else None)

    @property
    def message(self) -> str:
        """Return what the server said, in one line, without secrets."""
        return one_line(redact(str(self.body.get("message") or f"status {self.status}")), 300)

    @property
    def is_status(self) -> bool:
        """Return whether the API server itself answered, rather than something in between."""
        return self.body.get("kind") == "Status"


def status_error(answer: Answer, change: KubernetesChange, *, safe: bool) -> CopilotError:
    """Return the error that an answer of 300 and above means; ``safe`` requests change nothing whatever happens."""
    said = f"{change.verb} of {change.target}: {answer.message}"
    if answer.status == 429:
        return _too_many(answer, said)
    if answer.status == 400 and safe and _cannot_dry_run(answer.message):
        return Unsupported(f"{said}.", hint="A webhook does not declare its side effects.")
    if answer.status == 500 and "PodDisruptionBudget" in answer.message:
        return InvalidInput(f"{said}.", hint="A pod may have one disruption budget.")
    if answer.status >= 500:
        return _server(answer, said, safe=safe)
    kind = _CLIENT.get(answer.status, InvalidInput)
    return kind(f"{said}.", hint=_HINTS.get(kind, ""))


_CLIENT: dict[int, type[CopilotError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: Unsupported,
    409: WorldChanged,
    410: WorldChanged,
    501: Unsupported,
}
_HINTS: dict[type[CopilotError], str] = {
    Forbidden: "The executor's role lacks this right; 'infra-copilot doctor' prints what it needs.",
    WorldChanged: "It was changed meanwhile; a new plan is needed.",
}


def _too_many(answer: Answer, said: str) -> CopilotError:
    causes = (answer.body.get("details") or {}).get("causes") or ()
    budget = any(c.get("reason") == "DisruptionBudget" for c in causes) or "disruption budget" in answer.message
    if budget:
        return Blocked(f"{said}.", hint="A PodDisruptionBudget holds it back.")
    wait = timedelta(seconds=answer.retry_after or 1.0)
    return Overloaded(f"{said}.", hint="The server asks to slow down.", retry_after=wait)


def _server(answer: Answer, said: str, *, safe: bool) -> CopilotError:
    if safe or (answer.status == 503 and answer.is_status):
        wait = None if answer.retry_after is None else timedelta(seconds=answer.retry_after)
        return Unavailable(f"{said}.", hint="Try again.", retry_after=wait)
    return OutcomeUnknown(f"{said}.", hint="Look before anything is repeated.")


def _cannot_dry_run(message: str) -> bool:
    lowered = message.lower()
    return "dry run" in lowered or "dry-run" in lowered or "sideeffects" in lowered


def unsent(change: KubernetesChange, error: Exception) -> CopilotError:
    """Return the error for a request that surely changed nothing."""
    kind = DeadlineExceeded if "timed out" in str(error) else Unavailable
    return kind(f"The API server could not be asked about {change.target}: {_kind(error)}.", hint="Try again.")


def sent(change: KubernetesChange, error: Exception) -> CopilotError:
    """Return the error for a request that went out and whose answer was never read."""
    said = f"No answer to {change.verb} of {change.target}: {_kind(error)}"
    return OutcomeUnknown(f"{said}.", hint="Look before anything is repeated.")


def _kind(error: Exception) -> str:
    return one_line(type(error).__name__)
