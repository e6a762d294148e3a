"""A self-signed certificate for the lab's loopback port, because kubectl sends bearer tokens over TLS only.

Pure Python: X.509 v3 (RFC 5280) over ECDSA P-256 with SHA-256 (FIPS 186-4, RFC 5758). Good for loopback and nothing
else: the arithmetic does not run in constant time.
"""

import base64
import hashlib
import ipaddress
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_A = _P - 3
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_SIZE = 32
_LIFETIME = timedelta(days=30)
_CLOCK_SLACK = timedelta(hours=1)
_INTEGER, _BITS, _OCTETS, _OID, _UTF8, _UTC_TIME = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x17
_SEQUENCE, _SET = 0x30, 0x31
_TRUE = b"\x01\x01\xff"
_Point = tuple[int, int] | None


class CertificateFiles(NamedTuple):
    """PEM files: the certificate, which is its own authority, and its private key."""

    certificate: Path
    key: Path


def _add(left: _Point, right: _Point) -> _Point:
    if left is None or right is None:
        return left or right
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = (3 * x1 * x1 + _A) * pow(2 * y1, -1, _P) if left == right else (y2 - y1) * pow(x2 - x1, -1, _P)
    x3 = (slope * slope - x1 - x2) % _P
    return x3, (slope * (x1 - x3) - y1) % _P


def _times(scalar: int, point: _Point) -> _Point:
    total: _Point = None
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


def _public(key: int) -> bytes:
    point = _times(key, _G) or (0, 0)
    return b"\x04" + point[0].to_bytes(_SIZE) + point[1].to_bytes(_SIZE)


def _sign(key: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest())
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        point = _times(nonce, _G)
        r = (point[0] if point else 0) % _N
        s = pow(nonce, -1, _N) * (digest + r * key) % _N
        if r and s:
            return _sequence(_integer(r), _integer(s))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(_SEQUENCE, b"".join(parts))


def _integer(number: int) -> bytes:
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def _bits(content: bytes, unused: int = 0) -> bytes:
    return _der(_BITS, bytes((unused,)) + content)


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    made = [first * 40 + second]
    for number in rest:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        made += reversed(digits)
    return _der(_OID, bytes(made))


def _name(common: str) -> bytes:
    return _sequence(_der(_SET, _sequence(_oid("2.5.4.3"), _der(_UTF8, common.encode()))))


def _time(moment: datetime) -> bytes:
    return _der(_UTC_TIME, moment.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def _extension(dotted: str, content: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_oid(dotted), *([_TRUE] if critical else []), _der(_OCTETS, content))


def _extensions(public: bytes) -> bytes:
    own_id = hashlib.sha1(public, usedforsecurity=False).digest()
    address = _der(0x87, ipaddress.ip_address("127.0.0.1").packed)
    made = _sequence(
        _extension("2.5.29.19", _sequence(_TRUE), critical=True),
        _extension("2.5.29.15", _bits(b"\x84", unused=2), critical=True),
        _extension("2.5.29.37", _sequence(_oid("1.3.6.1.5.5.7.3.1"))),
        _extension("2.5.29.17", _sequence(_der(0x82, b"localhost"), address)),
        _extension("2.5.29.14", _der(_OCTETS, own_id)),
        _extension("2.5.29.35", _sequence(_der(0x80, own_id))),
    )
    return _der(0xA3, made)


def _pem(label: str, content: bytes) -> str:
    text = base64.b64encode(content).decode()
    lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def self_signed(common: str, *, now: datetime) -> tuple[str, str]:
    """Return ``(certificate, private key)`` as PEM text for loopback, valid for 30 days from ``now``."""
    key = secrets.randbelow(_N - 1) + 1
    public = _public(key)
    algorithm = _sequence(_oid("1.2.840.10045.4.3.2"))
    curve = _oid("1.2.840.10045.3.1.7")
    body = _sequence(
        _der(0xA0, _integer(2)),
        _integer(secrets.randbits(63)),
        algorithm,
        _name(common),
        _sequence(_time(now - _CLOCK_SLACK), _time(now + _LIFETIME)),
        _name(common),
        _sequence(_sequence(_oid("1.2.840.10045.2.1"), curve), _bits(public)),
        _extensions(public),
    )
    certificate = _sequence(body, algorithm, _bits(_sign(key, body)))
    private = _sequence(_integer(1), _der(_OCTETS, key.to_bytes(_SIZE)), _der(0xA0, curve), _der(0xA1, _bits(public)))
    return _pem("CERTIFICATE", certificate), _pem("EC PRIVATE KEY", private)


def write_certificate(folder: Path, *, now: datetime | None = None) -> CertificateFiles:
    """Write a new certificate and key into ``folder`` (key readable by its owner only); returns their paths."""
    certificate, key = self_signed("infra-copilot lab", now=now or datetime.now(UTC))
    files = CertificateFiles(folder / "lab-ca.crt", folder / "lab.key")
    files.certificate.write_text(certificate)
    descriptor = os.open(files.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as target:
        target.write(key)
    return files
