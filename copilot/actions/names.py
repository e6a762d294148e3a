"""Names as Kubernetes allows them, so that no argument can be read as a flag, a path or a second command."""

from typing import Annotated

from pydantic import Field, StringConstraints

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

Label = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}$", max_length=63)]
"""An RFC 1123 label: namespaces, containers, ports."""

ObjectName = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]
"""An RFC 1123 subdomain: almost every object."""

EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=253)]
"""An environment variable or a ConfigMap key used as one."""

ConfigKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)]
"""A key of a ConfigMap."""

QualifiedKey = Annotated[
    str,
    StringConstraints(
        pattern=rf"^({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$", max_length=317
    ),
]
"""A label or taint key, with an optional DNS prefix."""

LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", max_length=63)]
"""A label or taint value."""

Image = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$", max_length=512)]
"""A container image reference; it can hold neither spaces nor a leading dash."""

Quantity = Annotated[
    str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$", max_length=32)
]
"""A resource quantity, such as ``500m`` or ``2Gi``."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP or UDP port number."""

Replicas = Annotated[int, Field(ge=0, le=10_000)]
"""A number of replicas or instances."""
