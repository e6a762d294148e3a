"""Which of several diagnoses a case is about."""

from collections.abc import Sequence

from copilot.core.case import Anomaly, Case, Diagnosis


def choose(diagnoses: Sequence[Diagnosis], case: Case) -> tuple[Diagnosis | None, tuple[Diagnosis, ...]]:
    """Return the diagnosis that explains most of the case's anomalies (ties: the more important), and the rest.

    One that explains none is taken only when it is about the same namespace, else about the cluster as a whole.
    """
    if not diagnoses:
        return None, ()
    hurt = {key for a in case.anomalies for key in _keys(a)}

    def explained(diagnosis: Diagnosis) -> int:
        refs = [*diagnosis.symptoms, *([diagnosis.object] if diagnosis.object else [])]
        return len({r.key[1:] for r in refs} & hurt)

    best = max(range(len(diagnoses)), key=lambda i: (explained(diagnoses[i]), -i))
    if not explained(diagnoses[best]):
        spaces = {namespace for namespace, _ in hurt} - {""}
        where = [d.object.namespace if d.object else "" for d in diagnoses]
        wide = [i for i, d in enumerate(diagnoses) if not where[i] and not _only_others_suffer(d, spaces)]
        close = [i for i, space in enumerate(where) if space in spaces] or wide
        if not close:
            return None, tuple(diagnoses)
        best = close[0]
    return diagnoses[best], tuple(d for i, d in enumerate(diagnoses) if i != best)


def _only_others_suffer(diagnosis: Diagnosis, spaces: set[str]) -> bool:
    """Whether a cause is known to hurt something, and nothing in these namespaces."""
    suffering = {ref.namespace for ref in diagnosis.symptoms} - {""}
    return bool(suffering) and not suffering & spaces


def _keys(anomaly: Anomaly) -> tuple[tuple[str, str], ...]:
    """Return (namespace, name) of what an anomaly is about and of the workload that owns it."""
    owner = anomaly.labels.get("owner", "").partition("/")[2]
    return (anomaly.resource.key[1:], *(((anomaly.resource.namespace, owner),) if owner else ()))
