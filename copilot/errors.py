"""Every error this product raises on purpose.

::

    CopilotError                     exit 2 unless said otherwise
    ├── ConfigError                  a setting or argument cannot be used
    ├── InvalidInput                 data from outside is malformed; nothing of it was taken
    ├── NotFound                     the named thing does not exist
    ├── Unsupported                  the other side cannot do this
    ├── Unavailable                  could not be reached or was not ready; trying again may help
    │   ├── DeadlineExceeded         no answer in time
    │   └── Overloaded               the other side asks us to slow down (retry_after)
    ├── Refused                      understood, and not allowed
    │   ├── Forbidden                the credential lacks the right
    │   ├── PolicyRefused            our own policy says no
    │   ├── NotApproved              no valid approval covers this plan (absent, expired, used, other digest)
    │   └── Suspended                the suspend switch is on
    ├── WorldChanged                 the world is no longer the one the plan was made for
    ├── Blocked                      a guard of the other side holds for now (PodDisruptionBudget, state lock)
    ├── OutcomeUnknown               sent, and the answer never read: look, do not repeat
    ├── Fenced                       another process took over; this one must stop writing
    └── Corrupt                      stored data fails its own check (journal chain, checkpoint)

A message says what happened, to what, and what to do next. Adapters map foreign errors to these.
"""

from datetime import timedelta


class CopilotError(Exception):
    """Base of all errors that a person is meant to read."""

    exit_code = 2
    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(CopilotError):
    """A setting or an argument cannot be used."""


class InvalidInput(CopilotError):
    """Data from outside is malformed; nothing of it was taken."""


class NotFound(CopilotError):
    """The named thing does not exist."""


class Unsupported(CopilotError):
    """The other side cannot do this."""


class Unavailable(CopilotError):
    """The other side could not be reached or was not ready; trying again may help."""

    retryable = True

    def __init__(self, message: str, *, hint: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class DeadlineExceeded(Unavailable):
    """No answer came within the deadline."""


class Overloaded(Unavailable):
    """The other side asked us to slow down; see ``retry_after``."""


class Refused(CopilotError):
    """The request was understood and is not allowed."""


class Forbidden(Refused):
    """The credential lacks the right."""


class PolicyRefused(Refused):
    """Our own policy does not allow this plan."""


class NotApproved(Refused):
    """No valid approval covers this plan: absent, expired, used up, or given for another digest."""


class Suspended(Refused):
    """The suspend switch is on; nothing is executed until somebody resumes."""


class WorldChanged(CopilotError):
    """The world is no longer the one the plan was made for; a new plan and a new approval are needed."""


class Blocked(CopilotError):
    """A guard of the other side holds for now, such as a PodDisruptionBudget or a Terraform state lock."""

    retryable = True


class OutcomeUnknown(CopilotError):
    """A request was sent and its answer never read; the world must be looked at before anything is repeated."""


class Fenced(CopilotError):
    """Another process holds a newer lease; this one must stop writing."""


class Corrupt(CopilotError):
    """Stored data fails its own check, such as the journal's hash chain."""

    exit_code = 1
