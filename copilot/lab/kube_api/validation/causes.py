"""Refusals of single fields, worded like ``k8s.io/apimachinery`` field errors, and Go's way to print values."""

import re
from collections.abc import Iterable, Iterator, Mapping

from copilot.lab.kube_api.status import Cause

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = f"{_LABEL}(\\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_ENV_NAME = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL}')"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    f"'{_LABEL_1035}')"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_QUALIFIED}')"
)
_ENV_TEXT = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not "
    "start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is "
    f"'{_ENV_NAME}')"
)
_PORT_TEXT = "must be between 1 and 65535, inclusive"
_LABEL_MOST, _SUBDOMAIN_MOST = 63, 253
_PORT_MOST = 65535


def go(value: object) -> str:
    """A value as Go's ``%#v`` prints it in a field error."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, Mapping):
        inner = ", ".join(f"{go(key)}:{go(value[key])}" for key in sorted(value))
        return f"map[string]string{{{inner}}}"
    return "null" if value is None else str(value)


def bad(field: str, value: object, why: str) -> Cause:
    """An invalid value."""
    shown = value if isinstance(value, _Shown) else go(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", field)


class _Shown(str):
    """Text that is already in Go's notation."""


def shown(text: str) -> str:
    """Mark text as already in Go's notation."""
    return _Shown(text)


def required(field: str, why: str = "") -> Cause:
    """A missing value."""
    return Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def duplicate(field: str, value: object) -> Cause:
    """A value that is there twice."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {go(value)}", field)


def unsupported(field: str, value: object, known: Iterable[str]) -> Cause:
    """A value that is none of those known."""
    listed = ", ".join(f'"{name}"' for name in known)
    return Cause("FieldValueNotSupported", f"Unsupported value: {go(value)}: supported values: {listed}", field)


def not_found(field: str, value: object) -> Cause:
    """A reference to something that the object does not have."""
    return Cause("FieldValueNotFound", f"Not found: {go(value)}", field)


def forbidden(field: str, why: str) -> Cause:
    """A field that may not be set or changed."""
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


def subdomain(field: str, name: str) -> Iterator[Cause]:
    """The name of most objects."""
    if len(name) > _SUBDOMAIN_MOST:
        yield Cause("FieldValueInvalid", f"Invalid value: {go(name)}: must be no more than 253 characters", field)
    if not _matches(_SUBDOMAIN, name):
        yield bad(field, name, _SUBDOMAIN_TEXT)


def label(field: str, name: str) -> Iterator[Cause]:
    """A DNS label: namespaces, containers, volumes."""
    if len(name) > _LABEL_MOST:
        yield bad(field, name, "must be no more than 63 characters")
    if not _matches(_LABEL, name):
        yield bad(field, name, _LABEL_TEXT)


def label_1035(field: str, name: str) -> Iterator[Cause]:
    """The name of a Service."""
    if len(name) > _LABEL_MOST:
        yield bad(field, name, "must be no more than 63 characters")
    if not _matches(_LABEL_1035, name):
        yield bad(field, name, _LABEL_1035_TEXT)


def env_name(field: str, name: str) -> Iterator[Cause]:
    """The name of an environment variable."""
    if not name:
        yield required(field)
    elif not _matches(_ENV_NAME, name):
        yield bad(field, name, _ENV_TEXT)


def labels(field: str, given: Mapping[str, str] | None) -> Iterator[Cause]:
    """Keys and values of labels."""
    for key, value in (given or {}).items():
        yield from qualified_key(field, key)
        if value and not (len(value) <= _LABEL_MOST and _matches(_QUALIFIED, value)):
            why = "must be no more than 63 characters" if len(value) > _LABEL_MOST else _LABEL_VALUE_TEXT
            yield bad(field, value, why)


def qualified_key(field: str, key: str) -> Iterator[Cause]:
    """Keys of labels, annotations and taints: an optional DNS prefix and a name."""
    prefix, slash, name = key.rpartition("/")
    if slash and not _matches(_SUBDOMAIN, prefix):
        yield bad(field, key, f"prefix part {_SUBDOMAIN_TEXT}")
    if not _matches(_QUALIFIED, name):
        yield bad(field, key, _KEY_TEXT)


def port(field: str, number: object) -> Iterator[Cause]:
    """A port number."""
    if not isinstance(number, int) or not 1 <= number <= _PORT_MOST:
        yield bad(field, number, _PORT_TEXT)


def at_least(field: str, number: int | None, least: int) -> Iterator[Cause]:
    """A lower bound."""
    if number is not None and number < least:
        why = f"must be greater than or equal to {least}" if least == 0 else f"must be greater than {least - 1}"
        yield bad(field, number, why)


def at_most(field: str, number: int | None, most: int) -> Iterator[Cause]:
    """An upper bound."""
    if number is not None and number > most:
        yield bad(field, number, f"must be less than or equal to {most}")
