"""What could not be looked at and could matter: every kind that was refused, and Secrets where one would have decided.

Secrets are never asked for. That is worth a word only where a cause is open that may lie in what a Secret holds.
"""

from collections.abc import Iterable

from copilot.core.case import Diagnosis, Verdict
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.references import required

_CONFIGURED = frozenset({"access", "application", "configuration", "databases", "probes"})
"""Families of causes that may lie in a value that a workload is given."""


def unread(facts: Facts, diagnoses: Iterable[Diagnosis]) -> tuple[str, ...]:
    """Return a line for each thing that was not looked at."""
    refused = [f"{m.what}: {m.why}" for m in facts.dump.missing if m.what != "Secret"]
    named = [] if facts.all("Secret") else [one for d in diagnoses if (one := _secrets(d, facts))]
    return (*refused, *dict.fromkeys(named))


def _secrets(diagnosis: Diagnosis, facts: Facts) -> str:
    """The Secrets that an open diagnosis' object is given; empty when it is settled, or none is."""
    if diagnosis.verdict is Verdict.CONFIRMED or diagnosis.family not in _CONFIGURED or diagnosis.object is None:
        return ""
    given = sorted(required(facts.template(facts.get(*diagnosis.object.key) or {}), "Secret"))
    if not given:
        return ""
    return f"Secret {', '.join(given)}: never read; what it holds could decide what is wrong with {diagnosis.object}"
