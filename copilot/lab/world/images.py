"""What the images in the registry do when they run: a release is a tag, and so is a bad one."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["service", "database", "cache", "queue", "worker", "vllm", "trainer", "batch", "system"]
MIB = 1024.0**2
GIB = 1024.0**3


@dataclass(frozen=True, slots=True)
class App:
    """Behaviour of one program. Times in seconds, memory in bytes, CPU in core-seconds.

    ``threads`` bound the requests one pod works on at once; ``listens`` are TCP ports; ``paths`` answer 200 to an HTTP
    probe; ``requires`` are environment variables without which it exits at once; ``run_for`` > 0 ends it,
    with an error the first time if it ``fails_first``.
    """

    role: Role = "service"
    listens: tuple[int, ...] = (8080,)
    paths: tuple[str, ...] = ("/healthz", "/ready")
    startup: float = 8.0
    work: float = 0.012
    cpu: float = 0.006
    idle_cpu: float = 0.02
    threads: int = 16
    memory: float = 180 * MIB
    memory_per_request: float = 0.15 * MIB
    leak_per_request: float = 0.0
    error_ratio: float = 0.0004
    requires: tuple[str, ...] = ()
    run_for: float = 0.0
    health_latency: float = 0.004
    fails_first: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """One tag in a registry; a ``private`` one can be pulled only with a pull secret for its registry."""

    ref: str
    app: App
    size: float = 220 * MIB
    private: bool = False

    @property
    def registry(self) -> str:
        """Host part of the reference."""
        return self.ref.split("/", 1)[0]


class ImageCatalog:
    """All tags that exist; any other reference is not found."""

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}

    def add(self, image: Image) -> Image:
        """Publish a tag."""
        self._images[image.ref] = image
        return image

    def find(self, ref: str) -> Image | None:
        """Return the image behind a reference, or ``None`` when the registry does not know it."""
        return self._images.get(ref)
