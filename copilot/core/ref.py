"""Naming one object of the world: a Kubernetes object, a cloud resource, or a device."""

from copilot.core.text import one_line
from copilot.core.value import JsonObject, Value

_PLURALS = {"Endpoints": "endpoints"}


class Ref(Value):
    """One object, by kind and name; ``uid`` pins the very instance when it is known.

    Kinds outside Kubernetes: ``Service`` graph nodes use ``Workload``; devices use ``GPU`` with name ``node/index``;
    cloud resources use ``NodeGroup``.
    """

    kind: str
    name: str
    namespace: str = ""
    api_version: str = ""
    uid: str = ""

    @classmethod
    def of(cls, obj: JsonObject) -> "Ref":
        """Return the reference of a raw Kubernetes object."""
        meta = obj.get("metadata") or {}
        return cls(
            kind=str(obj.get("kind", "")),
            name=str(meta.get("name", "")),
            namespace=str(meta.get("namespace") or ""),
            api_version=str(obj.get("apiVersion", "")),
            uid=str(meta.get("uid") or ""),
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """Identity that ignores uid and API version: ``(kind, namespace, name)``."""
        return (self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        where = f" -n {self.namespace}" if self.namespace else ""
        said = f"{self.kind.lower()}/{self.name}{where}"
        # Names come from labels too, which anybody may write; a name of Kubernetes is always printable.
        return said if said.isprintable() else one_line(said)


def plural(kind: str) -> str:
    """Return the lower-case plural resource name of a Kubernetes kind (``Deployment`` -> ``deployments``).

    The rule is apimachinery's ``UnsafeGuessKindToResource``, except that Gateways keep their y.
    """
    low = kind.lower()
    if low.endswith("s"):
        guess = f"{low}es"
    elif low.endswith("y") and low[-2:-1] not in "aeiou":
        guess = f"{low[:-1]}ies"
    else:
        guess = f"{low}s"
    return _PLURALS.get(kind, guess)
