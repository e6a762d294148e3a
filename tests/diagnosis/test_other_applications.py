"""The same faults in other applications: drivers and languages word them differently, the cause is the same."""

import pytest

from copilot.diagnosis.diagnose import diagnose
from tests.builders import Cluster

DENIED = (
    "java.sql.SQLException: Access denied for user 'ticket'@'172.20.1.9' (using password: YES)",
    "pymysql.err.OperationalError: (1045, \"Access denied for user 'ticket'@'172.20.1.9' (using password: YES)\")",
    "Error 1045 (28000): Access denied for user 'ticket'@'172.20.1.9' (using password: NO)",
    "Error: ER_ACCESS_DENIED_ERROR: Access denied for user 'ticket'@'172.20.1.9' (using password: YES)",
    'org.postgresql.util.PSQLException: FATAL: password authentication failed for user "ticket"',
    "HikariPool-1 - Exception during pool initialization. java.sql.SQLException: Access denied for user 'x'@'y'",
)
UNCONNECTED = (
    "com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure. The last packet sent 0 ms ago",
    (
        "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on 'tickets-db' ([Errno 111] "
        'Connection refused)")'
    ),
    "failed to open mysql: dial tcp 10.68.1.2:3307: connect: connection refused",
    "Error: connect ECONNREFUSED 10.68.1.2:3307 at mysql connection",
    "org.springframework.jdbc.CannotGetJdbcConnectionException: Failed to obtain JDBC Connection",
    "ERROR 2002 (HY000): Can't connect to MySQL server on 'tickets-db' (115)",
)
READ_ONLY = (
    (
        "java.sql.SQLException: The MySQL server is running with the --read-only option so it cannot execute "
        "this statement"
    ),
    (
        "Error 1290 (HY000): The MySQL server is running with the --super-read-only option so it cannot "
        "execute this statement"
    ),
    "ERROR: cannot execute INSERT in a read-only transaction",
    "java.sql.SQLException: Connection is read-only. Queries leading to data modification are not allowed",
    "(1836, 'Running in read-only mode')",
)
TOO_MANY = (
    (
        "java.sql.SQLNonTransientConnectionException: Data source rejected establishment of connection, "
        'message from server: "Too many connections"'
    ),
    "Error 1040: Too many connections",
    "FATAL: sorry, too many clients already",
    "FATAL: remaining connection slots are reserved for non-replication superuser connections",
    "Error 1203 (42000): User ticket already has more than 'max_user_connections' active connections",
)
TAKEN = (
    "Web server failed to start. Port 12031 was already in use.",
    "listen tcp :12031: bind: address already in use",
    "Error: listen EADDRINUSE: address already in use :::12031",
    "OSError: [Errno 98] Address already in use",
    "nginx: [emerg] bind() to 0.0.0.0:12031 failed (98: Address already in use)",
    "System.IO.IOException: Failed to bind to address http://[::]:12031: address already in use.",
)
UNKNOWN = (
    "java.net.UnknownHostException: orders",
    "requests.exceptions.ConnectionError: Failed to resolve 'orders' ([Errno -2] Name or service not known)",
    "dial tcp: lookup orders on 169.254.20.10:53: no such host",
    "Error: getaddrinfo ENOTFOUND orders",
    (
        "io.netty.resolver.dns.DnsNameResolverTimeoutException; java.net.UnknownHostException: failed to "
        "resolve 'orders' after 2 queries"
    ),
    'could not translate host name "orders" to address: Name or service not known',
)


def tickets(*lines: str, env: dict[str, str] | None = None, crash: bool = True) -> Cluster:
    """Three services and their database; ``tickets`` is in trouble."""
    c = Cluster(namespace="rail")
    c.app("tickets-db", port=3306, image="mysql:5.7")
    for name in ("routes", "orders"):
        c.app(name, port=12032, env=env or {"DB_HOST": "tickets-db"})
    c.app("tickets", port=12031, env=env or {"DB_HOST": "tickets-db"})
    if crash:
        c.crashed("tickets")
    c.log("tickets", *lines * 6)
    return c


def first(c: Cluster) -> tuple[str, str]:
    found = diagnose(c.dump()).diagnoses
    assert found, "nothing was found"
    assert found[0].object is not None
    return found[0].cause, found[0].object.name


@pytest.mark.parametrize("line", DENIED)
def test_credentials(line: str) -> None:
    assert first(tickets(line)) == ("database_credentials_rejected", "tickets")


@pytest.mark.parametrize("crash", [True, False])
@pytest.mark.parametrize("line", UNCONNECTED)
def test_port(line: str, crash: bool) -> None:
    assert first(tickets(line, crash=crash)) == ("database_port_wrong", "tickets")


@pytest.mark.parametrize("line", READ_ONLY)
def test_read_only(line: str) -> None:
    assert first(tickets(line, crash=False)) == ("database_read_only", "tickets-db")


@pytest.mark.parametrize("line", TOO_MANY)
def test_connections(line: str) -> None:
    assert first(tickets(line, crash=False)) == ("database_connections_exhausted", "tickets-db")


@pytest.mark.parametrize("line", TAKEN)
def test_port_conflict(line: str) -> None:
    c = tickets(line)
    pod = c.pods("tickets")[0]
    pod["spec"]["containers"].append({"name": "agent", "image": "agent:1"})
    assert first(c) == ("port_conflict", "tickets")


@pytest.mark.parametrize("line", UNKNOWN)
def test_unknown_host(line: str) -> None:
    c = tickets(line, crash=False, env={"ORDERS_URL": "http://orders:12032"})
    c.remove("Service", "orders")
    assert first(c) == ("service_missing", "orders")


def test_many_clients_without_connection_accuse_the_database() -> None:
    c = tickets(UNCONNECTED[0], crash=False)
    c.crashed("tickets-db", 137, "OOMKilled")
    for name in ("routes", "orders"):
        c.log(name, *[UNCONNECTED[0]] * 6)
    assert first(c) == ("oom_killed", "tickets-db")


def test_wrong_port_in_a_config_map() -> None:
    c = Cluster()
    c.app("tickets-db", port=3306, image="mysql:5.7")
    c.app("tickets", port=12031, envFrom=[{"configMapRef": {"name": "conf"}}])
    c.add("ConfigMap", "conf", data={"MYSQL_HOST": "tickets-db", "MYSQL_PORT": "3307"})
    assert first(c) == ("database_port_wrong", "tickets")


def test_unbound_secret() -> None:
    c = Cluster()
    for name in ("ts-order-service", "ts-user-service", "ts-route-service"):
        c.app(name, envFrom=[{"secretRef": {"name": name.replace("service", "mysql")}}])
        c.add("Secret", name.replace("service", "mysql"))
    c.app("ts-price-service")
    c.add("Secret", "ts-price-mysql")
    c.crashed("ts-price-service")
    c.log("ts-price-service", "Caused by: java.net.ConnectException: Connection refused")
    assert first(c) == ("missing_secret", "ts-price-service")


def test_gateway_route_to_the_wrong_service() -> None:
    c = Cluster()
    for name in ("ts-order-service", "ts-user-service", "ts-route-service", "ts-price-service"):
        c.app(name, port=12000)
    rows = [("order", "order"), ("user", "user"), ("route", "price"), ("price", "price")]
    text = "spring:\n  cloud:\n    gateway:\n      routes:\n" + "".join(
        (
            f"      - id: {a}\n        uri: http://ts-{b}-service:12000\n        predicates:\n        - "
            f"Path=/api/v1/{a}service/**\n"
        )
        for a, b in rows
    )
    c.app("ts-gateway-service", port=18888)
    c.get("Deployment", "ts-gateway-service")["spec"]["template"]["spec"]["volumes"] = [
        {"name": "c", "configMap": {"name": "gw"}}
    ]
    c.add("ConfigMap", "gw", data={"application.yml": text})
    assert first(c) == ("gateway_misroute", "ts-gateway-service")
