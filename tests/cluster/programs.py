"""The programs of the real control plane: their names, where they lie, and which are missing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE / ".build"
BIN = BUILD / "bin"

KUBERNETES = "v1.33.13"
"""The release that `go/go.mod` requires; the API server reports it at /version."""

_VERSION = "k8s.io/component-base/version"
_STRIP = "-s -w"
_KUBERNETES_FLAGS = f"{_STRIP} -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=33"


@dataclass(frozen=True)
class GoProgram:
    """One program built from source: its name, its package and the module folder that pins its versions."""

    name: str
    package: str
    module: str = "go"
    ldflags: str = _KUBERNETES_FLAGS


@dataclass(frozen=True)
class DebianProgram:
    """One program taken from a Debian package: its name there and the package that holds it."""

    name: str
    package: str


GO_PROGRAMS = (
    GoProgram("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    GoProgram("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    GoProgram("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    GoProgram("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    GoProgram("kube-state-metrics", "k8s.io/kube-state-metrics/v2", module="go-ksm", ldflags=_STRIP),
)
DEBIAN_PROGRAMS = (
    DebianProgram("etcd", "etcd-server"),
    DebianProgram("prometheus", "prometheus"),
    DebianProgram("promtool", "prometheus"),
    DebianProgram("prometheus-alertmanager", "prometheus-alertmanager"),
)
NAMES = tuple(program.name for program in (*GO_PROGRAMS, *DEBIAN_PROGRAMS))


class ProgramMissingError(Exception):
    """A program of the control plane is neither built nor installed."""


def find(name: str) -> Path | None:
    """Return where the program `name` lies: our build first, then a Debian package unpacked beside it, then PATH."""
    for folder in (BIN, BUILD / "debian" / "usr" / "bin"):
        if (folder / name).is_file():
            return folder / name
    # A kube-apiserver from elsewhere would be of another version than the one the recordings were made with.
    on_path = shutil.which(name) if name in {program.name for program in DEBIAN_PROGRAMS} else None
    return Path(on_path) if on_path else None


def require(name: str) -> Path:
    """Return where the program `name` lies; raise ProgramMissingError, with what to run, when it is nowhere."""
    found = find(name)
    if found is None:
        raise ProgramMissingError(f"{name} is not built or installed: run `make test-cluster`, which builds it first")
    return found


def missing(names: tuple[str, ...] = NAMES) -> tuple[str, ...]:
    """Return those of `names` that are nowhere to be found."""
    return tuple(name for name in names if find(name) is None)
