"""The files of a snapshot, out of a directory, a tar or a zip: read into memory, never unpacked onto the disk.

An archive from a colleague is untrusted: names that climb out, links, devices, bombs and endless archives are refused.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from copilot.errors import InvalidInput, NotFound

MOST_FILES = 50_000
MOST_BYTES_OF_FILE = 256 * 1024 * 1024
MOST_BYTES = 1024 * 1024 * 1024
_HINT = "Read it in parts, or point at the directory that matters."


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One file: its path inside the snapshot, its bytes, and when it was last changed (unix seconds, 0 unknown)."""

    path: PurePosixPath
    data: bytes
    changed: float = 0.0

    @property
    def text(self) -> str:
        """Return the content as text; what is no UTF-8 is marked."""
        return self.data.decode("utf-8-sig", "replace")


def files(path: Path) -> Iterator[SnapshotFile]:
    """Yield the regular files of a snapshot, in the order of their names where there is one.

    Raises ``NotFound`` when there is nothing at the path, ``InvalidInput`` when an archive is damaged, tries to escape
    or is larger than a snapshot can be.
    """
    if not path.exists():
        raise NotFound(f"There is no snapshot at {path}.", hint="'infra-copilot snapshot FILE' writes one.")
    try:
        yield from _bounded(_source(path))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, RuntimeError) as problem:
        raise InvalidInput(f"{path.name} is damaged or no archive: {problem}.", hint="Copy it again.") from problem
    except OSError as problem:
        raise InvalidInput(
            f"{path.name} cannot be read: {problem.strerror or problem}.", hint="Copy it again."
        ) from problem


def _source(path: Path) -> Iterator[SnapshotFile]:
    if path.is_dir():
        return _directory(path)
    if zipfile.is_zipfile(path):
        return _zip(path)
    if tarfile.is_tarfile(path):
        return _tar(path)
    return iter((SnapshotFile(PurePosixPath(path.name), _limited(path.open("rb"), path.name), path.stat().st_mtime),))


def _bounded(source: Iterator[SnapshotFile]) -> Iterator[SnapshotFile]:
    total = 0
    for count, one in enumerate(source, start=1):
        total += len(one.data)
        if count > MOST_FILES or total > MOST_BYTES:
            raise InvalidInput("The snapshot is larger than any that is read here.", hint=_HINT)
        yield one


def _limited(stream: IO[bytes], name: str) -> bytes:
    """Read at most the limit and a byte: what the archive declares is not believed."""
    with stream:
        data = stream.read(MOST_BYTES_OF_FILE + 1)
    if len(data) > MOST_BYTES_OF_FILE:
        raise InvalidInput(f"{name} is larger than any file that is read here.", hint=_HINT)
    return data


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise InvalidInput(f"The archive wants to write outside itself ({name!r}).", hint="Do not trust this file.")
    return path


def _directory(root: Path) -> Iterator[SnapshotFile]:
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        inside = PurePosixPath(path.relative_to(root).as_posix())
        if any(part.startswith(".") for part in inside.parts):
            continue
        yield SnapshotFile(inside, _limited(path.open("rb"), str(inside)), path.stat().st_mtime)


def _tar(path: Path) -> Iterator[SnapshotFile]:
    with tarfile.open(path) as archive:
        for member in archive:
            inside = _inside(member.name)
            stream = archive.extractfile(member) if member.isreg() else None
            if stream is not None:
                yield SnapshotFile(inside, _limited(stream, member.name), float(member.mtime))


def _zip(path: Path) -> Iterator[SnapshotFile]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            inside = _inside(member.filename)
            if not member.is_dir():
                yield SnapshotFile(inside, _limited(archive.open(member), member.filename))
