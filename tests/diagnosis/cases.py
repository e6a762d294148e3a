"""For each cause of the catalogue: the smallest cluster that shows it, and what refutes it."""

from tests.builders import Cluster
from tests.diagnosis import cases_around, cases_metrics, cases_objects, cases_pods

CASES: dict[str, tuple[Cluster, Cluster]] = {
    **cases_pods.CASES,
    **cases_around.CASES,
    **cases_objects.CASES,
    **cases_metrics.CASES,
}
