"""A self-signed certificate for loopback, made with the standard library alone.

kubectl sends credentials over TLS only, so the lab's Kubernetes API needs a certificate; its kubeconfig trusts exactly
this one. P-256 and ECDSA after FIPS 186-4, X.509 after RFC 5280, DER after X.690. Not constant-time: a key that lives
as long as a lab on one's own loopback needs no more.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_A = _P - 3
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_CURVE = (1, 2, 840, 10045, 3, 1, 7)
_EC_KEY = (1, 2, 840, 10045, 2, 1)
_ECDSA_SHA256 = (1, 2, 840, 10045, 4, 3, 2)
_Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Certificate and private key as PEM text."""

    certificate: str
    key: str


def self_signed(name: str = "infra-copilot-lab", *, valid: timedelta = timedelta(days=365)) -> Certificate:
    """Return a new certificate for ``localhost`` and ``127.0.0.1`` that is its own authority."""
    secret = secrets.randbelow(_N - 1) + 1
    point = _times(secret, _G)
    public = b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")
    body = _to_be_signed(name, public, valid)
    algorithm = _sequence(_oid(_ECDSA_SHA256))
    whole = _sequence(body, algorithm, _bits(_sign(secret, body)))
    key = _sequence(
        _integer(1),
        _tlv(0x04, secret.to_bytes(32, "big")),
        _tlv(0xA0, _oid(_CURVE)),
        _tlv(0xA1, _bits(public)),
    )
    return Certificate(_pem("CERTIFICATE", whole), _pem("EC PRIVATE KEY", key))


def _to_be_signed(name: str, public: bytes, valid: timedelta) -> bytes:
    now = datetime.now(UTC) - timedelta(hours=1)
    who = _sequence(_tlv(0x31, _sequence(_oid((2, 5, 4, 3)), _tlv(0x0C, name.encode()))))
    identifier = hashlib.sha1(public, usedforsecurity=False).digest()
    key = _sequence(_sequence(_oid(_EC_KEY), _oid(_CURVE)), _bits(public))
    return _sequence(
        _tlv(0xA0, _integer(2)),
        _integer(secrets.randbits(120) | 1),
        _sequence(_oid(_ECDSA_SHA256)),
        who,
        _sequence(_time(now), _time(now + valid)),
        who,
        key,
        _tlv(0xA3, _sequence(*_extensions(identifier))),
    )


def _extensions(identifier: bytes) -> list[bytes]:
    names = _sequence(_tlv(0x82, b"localhost"), _tlv(0x87, bytes((127, 0, 0, 1))))
    return [
        _extension((2, 5, 29, 19), _sequence(_tlv(0x01, b"\xff")), critical=True),
        _extension((2, 5, 29, 15), _tlv(0x03, b"\x02\x84"), critical=True),
        _extension((2, 5, 29, 37), _sequence(_oid((1, 3, 6, 1, 5, 5, 7, 3, 1)))),
        _extension((2, 5, 29, 17), names),
        _extension((2, 5, 29, 14), _tlv(0x04, identifier)),
        _extension((2, 5, 29, 35), _sequence(_tlv(0x80, identifier))),
    ]


def _extension(oid: tuple[int, ...], value: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_oid(oid), *([_tlv(0x01, b"\xff")] if critical else []), _tlv(0x04, value))


# ---- the curve


def _plus(one: _Point | None, two: _Point | None) -> _Point | None:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % _P == 0:
        return None
    if one == two:
        slope = (3 * one[0] ** 2 + _A) * pow(2 * one[1], -1, _P) % _P
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, _P) % _P
    x = (slope**2 - one[0] - two[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _times(factor: int, point: _Point) -> _Point:
    total: _Point | None = None
    power: _Point | None = point
    while factor:
        if factor & 1:
            total = _plus(total, power)
        power = _plus(power, power)
        factor >>= 1
    assert total is not None
    return total


def _sign(secret: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    nonce = secrets.randbelow(_N - 1) + 1
    r = _times(nonce, _G)[0] % _N
    s = pow(nonce, -1, _N) * (digest + r * secret) % _N
    return _sequence(_integer(r), _integer(s))


# ---- DER


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _bits(content: bytes) -> bytes:
    return _tlv(0x03, b"\x00" + content)


def _time(moment: datetime) -> bytes:
    return _tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _oid(parts: tuple[int, ...]) -> bytes:
    content = bytes((parts[0] * 40 + parts[1],))
    for part in parts[2:]:
        septets = [part & 0x7F]
        while part := part >> 7:
            septets.append(0x80 | (part & 0x7F))
        content += bytes(reversed(septets))
    return _tlv(0x06, content)


def _pem(label: str, content: bytes) -> str:
    text = base64.b64encode(content).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""))
