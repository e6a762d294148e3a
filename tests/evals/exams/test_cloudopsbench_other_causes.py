"""The causes that none of the development incidents has, from recorded text of another system: each is named first."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from copilot.diagnosis.diagnose import diagnose
from evals.exams._cloudops.answers import answers
from evals.exams._cloudops.dump import read
from tests.evals.exams.recorded import SPACE, App, described, listed, recorded, system

Incident = tuple[dict[str, App], dict[str, str]]


def changed(name: str, **changes: object) -> Incident:
    """The system with one app changed."""
    apps = system()
    apps[name] = replace(apps[name], **changes)  # type: ignore[arg-type]
    return apps, {}


def logged(name: str, *lines: str, **changes: object) -> Incident:
    """An app whose error log repeats some lines."""
    return changed(name, logs=tuple((line, 37) for line in lines), **changes)


def crashed(name: str, *lines: str, **changes: object) -> Incident:
    """An app that ends again and again with some last lines."""
    told = (("BackOff", "Back-off restarting failed container main in pod"),)
    return logged(name, *lines, reason="CrashLoopBackOff", ready=False, restarts=4, events=told, **changes)


def everybody_logs(line: str) -> Incident:
    """Both clients of the database write a line again and again."""
    apps = system()
    for name in ("order", "route"):
        apps[name] = replace(apps[name], logs=((line, 41),))
    return apps, {}


def waits_for_volume(volume_class: str, claim_class: str) -> Incident:
    """The database waits for a claim whose class no volume has."""
    apps, more = changed(
        "tickets-mysql", claim="mysql-data", state="Pending", ready=False,
        events=(("FailedScheduling", "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."),),
    )  # fmt: skip
    more |= listed(
        "persistentvolumeclaims",
        "NAME         STATUS    VOLUME   CAPACITY   ACCESS MODES   STORAGECLASS   VOLUMEATTRIBUTESCLASS   AGE\n"
        f"mysql-data   Pending                                      {claim_class}           <unset>                 4m",
    )
    more |= described(
        "persistentvolumeclaims",
        "mysql-data",
        f"Name:          mysql-data\nNamespace:     {SPACE}\nStorageClass:  {claim_class}\nStatus:        Pending\n"
        "Volume:        \nLabels:        <none>\nCapacity:      \nAccess Modes:  \nVolumeMode:    Filesystem\nEvents:\n"
        "  Type     Reason              Age  From                         Message\n  ----     ------        ----\n"
        "  Warning  ProvisioningFailed  9s (x9 over 2m)  persistentvolume-controller  storageclass.storage.k8s.io "
        f'"{claim_class}" not found',
    )
    more |= listed(
        "persistentvolumes",
        "NAME       CAPACITY   ACCESS MODES   RECLAIM POLICY   STATUS      CLAIM   STORAGECLASS   REASON   AGE\n"
        f"mysql-pv   10Gi       RWO            Retain           Available           {volume_class}                  9d",
    )
    more |= listed(
        "storageclasses",
        "NAME    PROVISIONER                    RECLAIMPOLICY   VOLUMEBINDINGMODE   ALLOWVOLUMEEXPANSION   AGE\n"
        f"{volume_class}   kubernetes.io/no-provisioner   Delete          Immediate           false              90d",
    )
    apps["tickets-mysql"].pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "mysql-data"}}]
    return apps, more


def ingress(service: str, port: int) -> Incident:
    """What stands before the system sends everything to a Service and port."""
    backend = {"service": {"name": service, "port": {"number": port}}}
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "front", "namespace": SPACE}}
    apps, more = changed("edge", beside=({**made, "spec": {"ingressClassName": "nginx", "rules": rules}},))
    more |= listed("ingresses", "NAME   CLASS  HOSTS  ADDRESS   PORTS  AGE\nfront  nginx  *      10.0.0.1  80     9d")
    more |= described(
        "ingresses",
        "front",
        f"Name:             front\nNamespace:        {SPACE}\nAddress:          10.0.0.1\nIngress Class:    nginx\n"
        "Default backend:  <default>\nRules:\n  Host        Path  Backends\n  ----        ----  --------\n"
        f'  *           \n              /   {service}:{port} (<error: endpoints "{service}" not found>)\n'
        "Annotations:  <none>\nEvents:       <none>",
    )
    return apps, more


def order_without(key: str) -> Incident:
    apps, more = crashed("order", f"Could not resolve placeholder '{key}' in value \"${{{key}}}\"", secrets=())
    more |= listed(
        "secrets",
        "NAME         TYPE     DATA   AGE\norder-keys   Opaque   2      9d\nroute-keys   Opaque   2      9d\n"
        "seat-keys    Opaque   2      9d\norder-db     Opaque   2      9d\nroute-db     Opaque   2      9d\n"
        "mysql-root   Opaque   1      9d",
    )
    return apps, more


DENIED = "java.sql.SQLException: Access denied for user 'order'@'172.20.1.5' (using password: YES)"
REFUSED = "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure: Connection refused"
READ_ONLY = "The MySQL server is running with the --read-only option so it cannot execute this statement"
UNKNOWN_HOST = "java.net.UnknownHostException: seat: Temporary failure in name resolution"

CASES: dict[str, tuple[str, str, Callable[[], Incident]]] = {
    "too many connections": (
        "db_connection_exhaustion", "app/tickets-mysql",
        lambda: everybody_logs("java.sql.SQLNonTransientConnectionException: Too many connections"),
    ),
    "connection slots": (
        "db_connection_exhaustion", "app/tickets-mysql",
        lambda: everybody_logs("ERROR 1040 (08004): Too many connections"),
    ),
    "read only": ("db_read_only", "app/tickets-mysql", lambda: everybody_logs(f"java.sql.SQLException: {READ_ONLY}")),
    "super read only": (
        "db_read_only", "app/tickets-mysql",
        lambda: everybody_logs("ERROR 1290 (HY000): The MySQL server is running with the --super-read-only option"),
    ),
    "no replicas": ("deployment_zero_replicas", "app/seat", lambda: changed("seat", replicas=0)),
    "password wrong": ("mysql_invalid_credentials", "app/order", lambda: logged("order", DENIED)),
    "password wrong at start": ("mysql_invalid_credentials", "app/order", lambda: crashed("order", DENIED)),
    "port wrong": (
        "mysql_invalid_port", "app/order",
        lambda: logged("order", REFUSED, env={**system()["order"].env, "DB_PORT": "3307"}),
    ),
    "port wrong in the URL": (
        "mysql_invalid_port", "app/order",
        lambda: crashed(
            "order", REFUSED, env={"SPRING_DATASOURCE_URL": "jdbc:mysql://tickets-mysql:13306/orders?useSSL=false"}
        ),
    ),
    "sidecar takes the port": (
        "service_sidecar_port_conflict", "app/seat",
        lambda: crashed(
            "seat", "nginx: [emerg] bind() to 0.0.0.0:18898 failed (98: Address already in use)",
            sidecars=(("proxy", "docker.io/library/nginx:1.27", 18898),),
        ),
    ),
    "class of the claim": (
        "pvc_storage_class_mismatch", "app/tickets-mysql", lambda: waits_for_volume("local", "fast"),
    ),
    "backend that is not there": ("gateway_misroute", "app/edge", lambda: ingress("edgee", 8080)),
    "name does not resolve": (
        "service_dns_resolution_failure", "app/order",
        lambda: logged("order", UNKNOWN_HOST, pod={"dnsPolicy": "Default"}),
    ),
    "nameserver that does not answer": (
        "service_dns_resolution_failure", "app/order",
        lambda: logged(
            "order", UNKNOWN_HOST, pod={"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.53"]}}
        ),
    ),
    "secret is not given": ("missing_secret_binding", "app/order", lambda: order_without("JWT_KEY")),
    "secret is not there": (
        "missing_secret_binding", "app/route",
        lambda: changed(
            "route", state="Pending", reason="CreateContainerConfigError", ready=False,
            events=(("Failed", 'Error: secret "route-db" not found'),),
        ),
    ),
    "volume belongs to root": (
        "volume_mount_permission_denied", "app/tickets-mysql",
        lambda: crashed(
            "tickets-mysql", "mkdir: cannot create directory '/var/lib/mysql/data': Permission denied",
            claim="mysql-data", pod={"securityContext": {"runAsUser": 999}},
        ),
    ),
    "volume is not writable": (
        "volume_mount_permission_denied", "app/tickets-mysql",
        lambda: crashed(
            "tickets-mysql", "mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (OS errno 13 - "
            "Permission denied)", claim="mysql-data",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_named_first(name: str) -> None:
    cause, where, make = CASES[name]
    apps, more = make()
    dump = read(recorded(apps, **more), {}, "", SPACE)
    findings = diagnose(dump.dump, namespace=SPACE)
    given = [(a.cause, a.object) for a, _ in answers(findings, dump)]
    assert given[:1] == [(cause, where)], [(d.cause, str(d.object), d.summary) for d in findings.diagnoses]


def test_the_healthy_system_is_healthy() -> None:
    assert diagnose(read(recorded(system()), {}, "", SPACE).dump, namespace=SPACE).diagnoses == ()
