"""The lab's certificate: accepted by a TLS client that trusts it, for loopback only."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from tests.lab.kube_api.serving import CertificateFiles, write_certificate


@pytest.fixture
def files(tmp_path: Path) -> CertificateFiles:
    return write_certificate(tmp_path)


def greet(files: CertificateFiles, hostname: str) -> bytes:
    """What a client that trusts the certificate reads from a server that shows it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=files.certificate)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    left, right = socket.socketpair()

    def answer() -> None:
        try:
            with server.wrap_socket(left, server_side=True) as secured:
                secured.sendall(b"hello")
        except ssl.SSLError:
            left.close()

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        with client.wrap_socket(right, server_hostname=hostname) as secured:
            return secured.recv(5)
    finally:
        right.close()
        thread.join(timeout=5)


@pytest.mark.parametrize("hostname", ["127.0.0.1", "localhost"])
def test_a_client_that_trusts_it_is_served(files: CertificateFiles, hostname: str) -> None:
    assert greet(files, hostname) == b"hello"


def test_it_is_for_loopback_only(files: CertificateFiles) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        greet(files, "example.com")


def test_every_lab_has_a_key_of_its_own(tmp_path: Path, files: CertificateFiles) -> None:
    first = files.key.read_text()
    assert write_certificate(tmp_path).key.read_text() != first
