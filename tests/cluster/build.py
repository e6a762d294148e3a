"""Build or fetch every program of the real control plane: `python -m tests.cluster.build`.

Go programs are built from the modules pinned in `go/` and `go-ksm/` (5 to 11 minutes on 2 cores the first time, seconds
while the Go build cache is warm); a program whose stamp matches is left alone. etcd and Prometheus come from PATH or,
where they are missing, from Debian packages that are unpacked beside the build: nothing is installed and no service is
started.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.programs import BIN, BUILD, DEBIAN_PROGRAMS, GO_PROGRAMS, HERE, GoProgram, find


class BuildError(Exception):
    """A program of the control plane could not be built or fetched; the message says what to do."""


def main() -> int:
    """Make every program available; return 0, or 1 after saying which one failed and why."""
    try:
        for program in GO_PROGRAMS:
            build(program)
        fetch_debian()
    except BuildError as error:
        print(f"cannot make the control plane: {error}", file=sys.stderr)
        return 1
    return 0


def build(program: GoProgram) -> None:
    """Build one Go program into the build folder unless its stamp says it is there already."""
    target, stamp = BIN / program.name, BIN / f"{program.name}.stamp"
    wanted = _stamp(program)
    if target.is_file() and stamp.is_file() and stamp.read_text() == wanted:
        _say(f"{program.name}: up to date")
        return
    if shutil.which("go") is None:
        raise BuildError(f"{program.name} is built from source and there is no `go` on PATH; install Go 1.24 or later")
    _say(f"{program.name}: building (minutes the first time)")
    started = time.monotonic()
    BIN.mkdir(parents=True, exist_ok=True)
    _run(
        [
            *("nice", "-n", "10", "env", "CGO_ENABLED=0", "go", "build", "-mod=mod", "-trimpath", "-buildvcs=false"),
            *("-ldflags", program.ldflags, "-o", str(target), program.package),
        ],
        cwd=HERE / program.module,
    )
    stamp.write_text(wanted)
    _say(f"{program.name}: built in {time.monotonic() - started:.0f} s")


def fetch_debian() -> None:
    """Unpack the Debian packages of the programs that are not there, with `apt-get` (root refreshes its lists)."""
    packages = sorted({program.package for program in DEBIAN_PROGRAMS if find(program.name) is None})
    if not packages:
        _say("etcd, prometheus, alertmanager: found")
        return
    if shutil.which("apt-get") is None:
        raise BuildError(f"there is no `apt-get` here; put the programs of {', '.join(packages)} on PATH")
    _say(f"unpacking {', '.join(packages)} (nothing is installed, no service is started)")
    if os.geteuid() == 0:
        _run(["apt-get", "update", "-qq"], cwd=HERE)
    downloads = BUILD / "packages"
    downloads.mkdir(parents=True, exist_ok=True)
    # The download user of apt may not write here; it then says so and works as the caller, which is what we want.
    _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *packages], cwd=downloads)
    for archive in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(archive), str(BUILD / "debian")], cwd=HERE)


def _stamp(program: GoProgram) -> str:
    digest = hashlib.sha256(f"{program.package}\n{program.ldflags}\n".encode())
    for name in ("go.mod", "go.sum"):
        digest.update((HERE / program.module / name).read_bytes())
    return digest.hexdigest()


def _run(argv: list[str], *, cwd: Path) -> None:
    finished = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if finished.returncode != 0:
        tail = "\n".join(finished.stdout.splitlines()[-15:])
        raise BuildError(f"`{' '.join(argv)}` ended with {finished.returncode}:\n{tail}")


def _say(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    sys.exit(main())
