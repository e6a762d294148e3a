"""The lab's API on a loopback port for tests that need a real socket."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette

from copilot.lab.certificate import self_signed

TOKENS = {"admin": "a" * 32, "reader": "b" * 32, "executor": "c" * 32}


class CertificateFiles(NamedTuple):
    """PEM files: the certificate, which is its own authority, and its private key."""

    certificate: Path
    key: Path


def write_certificate(folder: Path) -> CertificateFiles:
    """Write a new certificate and its key into a folder."""
    made = self_signed()
    files = CertificateFiles(folder / "lab-ca.crt", folder / "lab.key")
    files.certificate.write_text(made.certificate)
    files.key.write_text(made.key)
    return files


@contextmanager
def served(app: Starlette, *, tls: CertificateFiles | None = None) -> Iterator[str]:
    """Run the application, with TLS when given a certificate; yields its base URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    if tls is not None:
        config.ssl_certfile, config.ssl_keyfile = tls.certificate, tls.key
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
