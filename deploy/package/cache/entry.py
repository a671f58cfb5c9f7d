"""One entry of the cache: a seal, a line of JSON about the package, and its archive.

The seal is a keyed digest of the line, and the line holds the archive's digest. Its key lies
outside of the cache: a folder that was brought from another machine, as CI's caches are, holds
nothing that is used here.
"""

from __future__ import annotations

import hmac
import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, TypedDict, cast

from deploy.package.cache import private_folder
from deploy.package.cache.content import digest
from deploy.package.entries import CHUNK

if TYPE_CHECKING:
    from deploy.package.opening import Package

MOST_BYTES = 1 << 30
"""Of all entries together: the ones not used for longest are removed."""

SUFFIX, PARTIAL = ".package", ".partial"
_KEY, _KEY_BYTES = "cache.key", 32
_SEAL_BYTES = 65
_MOST_LINE_BYTES = 256 * 1024 * 1024
_ABANDONED_SECONDS = 3600


class Known(TypedDict):
    """What an entry's line holds: a `Package` but for its paths and the name of its file.

    key: of the package's content; programs: the files that were asked to be executable.
    """

    key: str
    programs: list[str]
    release_digest: str
    file_count: int
    size_bytes: int
    archive_digest: str
    archive_bytes: int
    files: list[str]
    manifest: list[tuple[str, str, int, bool]]
    links: int
    spans: list[tuple[str, int, int]]
    skeleton_bytes: int
    unmarked: list[str]
    machines: dict[str, list[str]]
    interpreters: dict[str, list[str]]
    windows_scripts: list[str]


def sealing_key(state: int) -> bytes:
    """The key for seals, kept in a folder of this user's; made where there is none.

    Raises:
        OSError, ValueError: It cannot be read or made.
    """
    with suppress(FileNotFoundError):
        return _read_key(state)
    new = os.urandom(_KEY_BYTES)
    with private_folder.writing(state, _KEY, _partial()) as file:
        file.write(new)
    return _read_key(state)  # another command's, where that was later


def _read_key(state: int) -> bytes:
    with private_folder.reading(state, _KEY) as file:
        key = file.read(_KEY_BYTES + 1)
    if len(key) != _KEY_BYTES:
        private_folder.remove(state, _KEY)
        raise ValueError(_KEY)
    return key


def read_line(file: BinaryIO, sealing: bytes, key: str) -> Known:
    """What is known of the package; ValueError for a line that is not ours or another package's."""
    seal = file.readline(_SEAL_BYTES)
    line = file.readline(_MOST_LINE_BYTES)
    if not hmac.compare_digest(seal, _seal(line, sealing)):
        raise ValueError(key)
    known = cast("Known", json.loads(line))
    if known["key"] != key:
        raise ValueError(key)
    return known


def copy_archive(file: BinaryIO, to: BinaryIO, known: Known) -> None:
    """Copy the archive that follows the line; ValueError where it is not what the line says."""
    found, size = digest(_Tee(file, to), known["archive_bytes"])
    if (found, size) != (known["archive_digest"], known["archive_bytes"]):
        raise ValueError(found)


class _Tee:
    """A stream that writes what is read of it to another file."""

    def __init__(self, source: BinaryIO, to: BinaryIO) -> None:
        self._source, self._to = source, to

    def read(self, size: int, /) -> bytes:
        chunk = self._source.read(size)
        self._to.write(chunk)
        return chunk

    def close(self) -> None:
        """Leave both open: they belong to the caller."""


def write(
    place: int, name: str, sealing: bytes, key: str, opened: Package, programs: list[str]
) -> None:
    """Write an entry, entire or not at all; nothing where it is too large, or the disk too full.

    Raises:
        OSError: It cannot be written.
    """
    with opened.archive.open("rb") as archive:
        found, _ = digest(archive, opened.archive_bytes)
        archive.seek(0)
        line = json.dumps(_known(opened, found, key, programs)).encode() + b"\n"
        size, disk = len(line) + opened.archive_bytes, os.fstatvfs(place)
        if size > MOST_BYTES or disk.f_bavail * disk.f_frsize < 2 * size:
            return
        with private_folder.writing(place, name, _partial()) as file:
            file.write(_seal(line, sealing) + line)
            while chunk := archive.read(CHUNK):
                file.write(chunk)


def _known(opened: Package, archive_digest: str, key: str, programs: list[str]) -> Known:
    return Known(
        key=key,
        programs=programs,
        release_digest=opened.release.digest,
        file_count=opened.release.files,
        size_bytes=opened.release.size_bytes,
        archive_digest=archive_digest,
        archive_bytes=opened.archive_bytes,
        files=sorted(opened.files),
        manifest=[(each.path, each.digest, each.size, each.executable) for each in opened.manifest],
        links=opened.links,
        spans=[(name, first, last) for name, (first, last) in opened.spans.items()],
        skeleton_bytes=opened.skeleton_bytes,
        unmarked=list(opened.unmarked),
        machines={name: sorted(each) for name, each in opened.machines.items()},
        interpreters={name: list(each) for name, each in opened.interpreters.items()},
        windows_scripts=sorted(opened.windows_scripts),
    )


def _seal(line: bytes, sealing: bytes) -> bytes:
    return hmac.new(sealing, line, "sha256").hexdigest().encode() + b"\n"


def _partial() -> str:
    return f"{os.urandom(16).hex()}{PARTIAL}"


def make_room(place: int) -> None:
    """Remove what killed commands left half written, and the oldest entries beyond the limit."""
    found: list[tuple[float, int, str]] = []
    for name in os.listdir(place):
        if name.endswith((SUFFIX, PARTIAL)):
            with suppress(OSError):
                seen = os.stat(name, dir_fd=place, follow_symlinks=False)
                found.append((seen.st_mtime, seen.st_size, name))
    newest, total = max(found, default=(0.0, 0, ""))[0], 0
    for used, size, name in sorted(found, reverse=True):
        if name.endswith(PARTIAL):
            if newest - used > _ABANDONED_SECONDS:
                private_folder.remove(place, name)
            continue
        total += size
        if total > MOST_BYTES:
            private_folder.remove(place, name)
