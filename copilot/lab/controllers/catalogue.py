"""Which controllers a lab cluster runs, in the order in which they get their turn."""

from collections.abc import Callable

from copilot.lab.controllers.base import Controller
from copilot.lab.controllers.cronjob import CronJobController
from copilot.lab.controllers.daemonset import DaemonSetController
from copilot.lab.controllers.deployment import DeploymentController
from copilot.lab.controllers.disruption import DisruptionController
from copilot.lab.controllers.endpoints import EndpointsController
from copilot.lab.controllers.expiry import EventExpiry
from copilot.lab.controllers.garbage import GarbageCollector
from copilot.lab.controllers.job import JobController
from copilot.lab.controllers.namespaces import NamespaceController
from copilot.lab.controllers.nodes import NodeLifecycle
from copilot.lab.controllers.quota import QuotaController
from copilot.lab.controllers.replicaset import ReplicaSetController, ReplicationControllerController
from copilot.lab.controllers.scheduler import Scheduler
from copilot.lab.controllers.statefulset import StatefulSetController
from copilot.lab.controllers.volumes import VolumeBinder
from copilot.lab.kube_api.events import EventRecorder
from copilot.lab.kube_api.store import ObjectStore

CONTROLLERS: tuple[Callable[[ObjectStore, EventRecorder], Controller], ...] = (
    NamespaceController,
    GarbageCollector,
    NodeLifecycle,
    CronJobController,
    JobController,
    DeploymentController,
    ReplicaSetController,
    ReplicationControllerController,
    StatefulSetController,
    DaemonSetController,
    VolumeBinder,
    Scheduler,
    EndpointsController,
    DisruptionController,
    QuotaController,
    EventExpiry,
)
"""Every controller but the autoscaler, which also needs CPU readings."""
