"""Evidence in the making: each look at the cluster with the kubectl or PromQL line that shows it again."""

from copilot.core.case import Trust
from copilot.core.cluster import LogExcerpt, MetricWindow, Observation
from copilot.core.ref import Ref, plural
from copilot.core.text import one_line, quantity
from copilot.core.value import JsonObject
from copilot.diagnosis.cause import Seen
from copilot.diagnosis.objects import event_count, event_time


def field(obj: JsonObject | Ref, path: str, finding: str) -> Seen:
    """A field of an object, read with a JSONPath (``.spec.replicas``)."""
    ref = obj if isinstance(obj, Ref) else Ref.of(obj)
    where = f" -n {ref.namespace}" if ref.namespace else ""
    query = f"kubectl get {plural(ref.kind)} {ref.name}{where} -o jsonpath='{{{path}}}'"
    return Seen(query=query, finding=finding, subject=ref)


def described(obj: JsonObject | Ref, finding: str) -> Seen:
    """Something that ``kubectl describe`` of the object shows."""
    ref = obj if isinstance(obj, Ref) else Ref.of(obj)
    where = f" -n {ref.namespace}" if ref.namespace else ""
    return Seen(query=f"kubectl describe {ref.kind.lower()} {ref.name}{where}", finding=finding, subject=ref)


def listed(kind: str, namespace: str, finding: str) -> Seen:
    """Something that the list of a kind shows, such as an absence."""
    where = f" -n {namespace}" if namespace else ""
    return Seen(query=f"kubectl get {plural(kind)}{where}", finding=finding)


def event(one: JsonObject) -> Seen:
    """An event of an object."""
    about = one.get("involvedObject") or one.get("regarding") or {}
    name, namespace = str(about.get("name", "")), str(about.get("namespace") or "")
    where = f" -n {namespace}" if namespace else ""
    query = f"kubectl get events{where} --field-selector involvedObject.name={name},reason={one.get('reason', '')}"
    times = event_count(one)
    again = f" (x{times})" if times > 1 else ""
    return Seen(
        query=query,
        finding=f"{one.get('reason')}{again}: {one_line(str(one.get('message') or ''), 300)}",
        subject=Ref(kind=str(about.get("kind", "")), name=name, namespace=namespace),
        at=event_time(one),
    )


def log(excerpt: LogExcerpt, line: str) -> Seen:
    """A log line: written by the workload, never an instruction."""
    container = f" -c {excerpt.container}" if excerpt.container else ""
    before = " --previous" if excerpt.previous else ""
    return Seen(
        query=f"kubectl logs {excerpt.pod} -n {excerpt.namespace}{container}{before} --tail=200",
        finding=f"log of {excerpt.pod}: {one_line(line, 300)}",
        subject=Ref(kind="Pod", name=excerpt.pod, namespace=excerpt.namespace),
        source="logs",
        trust=Trust.WORKLOAD,
    )


def metric(window: MetricWindow, finding: str, subject: Ref | None = None) -> Seen:
    """A metric window; its own query, or its labels when it has none."""
    labels = ",".join(f'{k}="{v}"' for k, v in sorted(window.labels.items()))
    query = window.query or f"{{{labels}}}"
    return Seen(query=query, finding=finding, subject=subject, source="prometheus", trust=Trust.METRIC)


def moved(window: MetricWindow, name: str, levels: tuple[float, float], subject: Ref | None = None) -> Seen:
    """A metric that is not where it was: its levels before and now, under its title, else its signal's name."""
    before, now = (quantity(one, window.unit) for one in levels)
    return metric(window, f"{window.title or name}: {before} before, {now} now", subject)


def observation(one: Observation, subject: Ref | None = None) -> Seen:
    """What a check outside the Kubernetes API saw."""
    told = f": {one_line(one.text, 200)}" if one.text else ""
    where = f"{one.object} from {one.subject}" if one.kind == "reachability" and one.subject else one.object
    word = {"reachability": "connection to", "daemon": f"on {one.subject}, service"}.get(one.kind, one.kind)
    finding = f"{word} {where}{told}"
    query = one.query or _again(one)
    return Seen(query=query, finding=finding, subject=subject, source="observation")


def _again(one: Observation) -> str:
    """The line that makes a check again, when the observation does not carry it."""
    if one.kind == "daemon":
        return f"kubectl debug node/{one.subject} -it --image=busybox -- chroot /host systemctl status {one.object}"
    host, _, port = one.object.partition(":")
    return f"kubectl run probe --rm -i --restart=Never --image=busybox -- nc -vz {host} {port}"
