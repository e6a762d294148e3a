"""Images that cannot be pulled or run: not found, not allowed, registry out of reach, wrong architecture."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rapidfuzz.distance import DamerauLevenshtein

from copilot.core.ref import Ref
from copilot.core.value import JsonObject
from copilot.diagnosis import looks
from copilot.diagnosis.cause import Cause, Certainty, Match, Seen
from copilot.diagnosis.facts import Facts
from copilot.diagnosis.objects import container_statuses, containers, name_of, spec

_WAITING = (
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
)
_NO_HOST = re.compile(
    r"no such host|server misbehaving|temporary failure in name resolution|name or service not known"
    r"|lookup \S+(?: on \S+)?:"
    r"|no route to host|network is unreachable|i/o timeout|connection refused|context deadline exceeded"
    r"|tls handshake timeout"
    r"|client\.timeout exceeded|x509:",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"not found|manifest unknown|manifest for \S+|no matching manifest|repository name not known"
    r"|name unknown|invalid reference format"
    r"|couldn't parse image|failed to apply default image tag|does not exist(?! or may require)",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"unauthorized|authentication required|authorization failed|failed to authorize"
    r"|no basic auth credentials|access denied"
    r"|requested access to the resource is denied|denied:|forbidden|\b401\b|\b403\b|may require",
    re.IGNORECASE,
)
_TOKEN = re.compile(
    (
        r"failed to authorize|fetch (?:anonymous|oauth) token|no basic auth|authentication required"
        r"|unauthorized|\b401\b|may require|denied"
    ),
    re.IGNORECASE,
)
_LIMIT = re.compile(r"toomanyrequests|rate limit|\b429\b", re.IGNORECASE)
_ARCH = re.compile(
    r"exec format error|no match for platform|no matching manifest for \S+ in the manifest list", re.IGNORECASE
)
_SIMILAR = 0.75


@dataclass(frozen=True, slots=True)
class Pull:
    """An image that could not be pulled, and what the runtime said."""

    pod: JsonObject
    owner: Ref
    container: str
    image: str
    message: str
    seen: tuple[Seen, ...]
    secret_gone: str = ""


def pulls(facts: Facts) -> list[Pull]:
    """Yield one failed pull per workload and container."""
    return facts.once(_pulls)


def _pulls(facts: Facts) -> Iterator[Pull]:
    told: set[tuple[tuple[str, str, str], str]] = set()
    for pod in facts.symptoms.troubled_pods:
        owner = facts.owner(pod)
        for one in container_statuses(pod):
            waiting = (one.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in _WAITING or (owner.key, str(one.get("name"))) in told:
                continue
            told.add((owner.key, str(one.get("name"))))
            yield _pull(pod, owner, one, waiting, facts)


def _pull(pod: JsonObject, owner: Ref, one: JsonObject, waiting: JsonObject, facts: Facts) -> Pull:
    image = next((str(c.get("image")) for c in containers(spec(pod)) if c.get("name") == one.get("name")), "")
    image = image or str(one.get("image") or "")
    failed = [
        e
        for e in facts.events(pod, "Failed", "InspectFailed")
        if "ailed to pull" in str(e.get("message")) or "InvalidImageName" in str(e.get("message"))
    ]
    failed = [e for e in failed if image in str(e.get("message"))] or failed
    message = str((failed[-1] if failed else {}).get("message") or waiting.get("message") or "")
    state = looks.field(
        pod, ".status.containerStatuses", f"container {one.get('name')} is waiting: {waiting.get('reason')}"
    )
    gone = facts.events(pod, "FailedToRetrieveImagePullSecret")
    name = re.search(r"\(([^)]*)\)", str(gone[-1].get("message"))) if gone else None
    seen = (*(looks.event(e) for e in [*failed[-1:], *gone[-1:]]), state)
    return Pull(pod, owner, str(one.get("name")), image, message, seen, name[1] if name else "")


def kind_of(one: Pull, facts: Facts) -> str:
    """Return why the pull failed: reference, secret, registry, limit, arch or unknown."""
    reason = str(
        next(
            (
                (s.get("state") or {}).get("waiting") or {}
                for s in container_statuses(one.pod)
                if s.get("name") == one.container
            ),
            {},
        ).get("reason", "")
    )
    message = one.message
    for kind, hit in (
        ("unknown", reason == "ErrImageNeverPull"),
        ("reference", reason == "InvalidImageName"),
        ("arch", bool(_ARCH.search(message))),
        ("limit", bool(_LIMIT.search(message))),
    ):
        if hit:
            return kind
    if _REFUSED.search(message):
        return _refused(one, facts)
    if _NO_HOST.search(message):
        return "registry"
    if one.secret_gone:
        return "secret"
    return "reference" if _ABSENT.search(message) else "unknown"


def _refused(one: Pull, facts: Facts) -> str:
    """Registries answer 401 or 403 for a private image and for one that is not there: what else runs here decides."""
    if one.secret_gone:
        return "secret"
    registry, path = split(one.image)
    if registry == "docker.io" and path.startswith("library/"):
        return "reference"
    running = {split(other) for other in _running(facts)}
    if (registry, path) in running:
        return "secret"  # The repository is there: a tag that is missing would be called not found.
    if any(_spelt_like(registry, path, *other) for other in running):
        return "reference"
    if registry == "docker.io" and not _TOKEN.search(one.message):
        return "reference"
    return "secret"


def _spelt_like(registry: str, path: str, other_registry: str, other: str) -> bool:
    """The same registry and folder, or nearly the same path, is pulled here without trouble."""
    if registry != other_registry:
        return False
    (folder, _, name), (other_folder, _, other_name) = path.rpartition("/"), other.rpartition("/")
    if folder and folder == other_folder:
        return True
    alike = DamerauLevenshtein.normalized_similarity
    return alike(folder, other_folder) >= _SIMILAR and alike(name, other_name) >= _SIMILAR


def _running(facts: Facts) -> set[str]:
    """Images that containers run here without a pull secret of their own."""
    return {
        str(one.get("image"))
        for pod in facts.pods
        if not spec(pod).get("imagePullSecrets")
        for one in container_statuses(pod)
        if (one.get("state") or {}).get("running")
    }


def split(image: str) -> tuple[str, str]:
    """Return registry host and repository path of an image reference, with Docker's defaults filled in."""
    bare = image.partition("@")[0]
    head, slash, rest = bare.partition("/")
    if slash and ("." in head or ":" in head or head == "localhost"):
        return head, re.sub(r":[^/]*$", "", rest)
    path = re.sub(r":[^/]*$", "", bare)
    return "docker.io", path if "/" in path else f"library/{path}"


def _of(kind: str, text: str) -> Callable[[Facts], Iterator[Match]]:
    def match(facts: Facts) -> Iterator[Match]:
        for one in pulls(facts):
            if kind_of(one, facts) == kind:
                yield Match(
                    object=one.owner,
                    summary=f"image {one.image} of {one.owner.name}: {text}",
                    seen=one.seen,
                    details={"image": one.image, "container": one.container, "pull_secret": one.secret_gone},
                    certainty=Certainty.HINT if kind == "unknown" else Certainty.DIRECT,
                    next_look=f"kubectl describe pod {name_of(one.pod)}" if kind == "unknown" else "",
                )

    return match


_NETWORK = ("dns", "nodes", "policy", "load")
"""What keeps a node from its registry."""
_KEYS = {"image": "the reference", "container": "its container", "pull_secret": "a named pull secret that is missing"}


def _cause(name: str, title: str, summary: str, must: str, refuted: str, remedy: str, kind: str, text: str) -> Cause:
    seen, unless = ("a container waits for its image", must), (refuted, "the container runs")
    follows = _NETWORK if kind in ("registry", "unknown") else ()
    return Cause(name, "images", title, summary, seen, unless, remedy, _of(kind, text), _KEYS, follows)


CAUSES: tuple[Cause, ...] = (
    _cause(
        "image_not_found",
        "The image does not exist",
        "Repository, name or tag is wrong, or the reference cannot be parsed.",
        "the registry says it is not there, or refuses a name that only differs slightly from images that run here",
        "the registry asks for credentials for another repository",
        "set the right image",
        "reference",
        "the registry has no such image",
    ),
    _cause(
        "missing_image_pull_secret",
        "The image is private and no valid pull secret is given",
        "The registry asks for credentials that the pod does not have.",
        "401, 403 or a refused token for a repository that nothing here runs from, or the named pull secret is missing",
        "the image is public",
        "create the pull secret and name it in the pod or its ServiceAccount",
        "secret",
        "the registry refuses access without credentials",
    ),
    _cause(
        "image_registry_unreachable",
        "The registry cannot be reached",
        "Its name does not resolve, or nothing answers.",
        "'no such host', a timeout or a refused connection from the registry",
        "the registry answers",
        "correct the registry's name, or the node's DNS and network",
        "registry",
        "its registry cannot be reached",
    ),
    _cause(
        "image_rate_limited",
        "The registry limits pulls",
        "Too many pulls were made; the registry answers 429.",
        "429 or 'toomanyrequests'",
        "another error",
        "pull with credentials or through a mirror",
        "limit",
        "the registry limits pulls",
    ),
    _cause(
        "image_architecture",
        "The image is built for another architecture",
        "No manifest for the node's platform.",
        "'no match for platform' or 'exec format error'",
        "another error",
        "use an image for the node's architecture",
        "arch",
        "it is not built for the node's platform",
    ),
    _cause(
        "image_pull_failed",
        "The image cannot be pulled",
        "The runtime may not pull it (policy Never) and the node has none, or it could not and does not say why.",
        "ErrImageNeverPull, or ImagePullBackOff without a telling message",
        "a message that names the reason",
        "look at the node's runtime log",
        "unknown",
        "it cannot be pulled",
    ),
)
