"""State signals: what the Kubernetes API itself says is wrong, without any metric.

Patient on purpose: a rollout within its deadline, a Job that is retried, a node under maintenance with nothing waiting
for it and a service that warms up are not anomalies.
"""

from collections.abc import Callable, Iterable

from copilot.core.case import Anomaly
from copilot.core.cluster import ClusterDump
from detectors.state.findings import Finding, as_anomalies
from detectors.state.nodes import nodes
from detectors.state.pods import pods
from detectors.state.services import services
from detectors.state.view import View
from detectors.state.workloads import claims, jobs, workloads

CHECKS: tuple[Callable[[View], Iterable[Finding]], ...] = (pods, workloads, jobs, claims, nodes, services)
"""Every check, in the order in which they run."""


def anomalies(dump: ClusterDump) -> list[Anomaly]:
    """Return what is wrong by the objects' own state, one per signal and owner, worst first then oldest."""
    view = View(dump)
    return as_anomalies(view, (finding for check in CHECKS for finding in check(view)))
