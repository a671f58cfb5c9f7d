"""The digest of a package's bytes, by which the cache finds what was made of them."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.package import folder, release
from deploy.package.entries import CHUNK, Meter

if TYPE_CHECKING:
    from typing import BinaryIO

    from deploy.package.entries import Source


@dataclass(frozen=True)
class Content:
    """What a package is at a moment.

    key: 64 hex digits of its bytes, and of the code that reads them; no path and no time is in it.
    stamp: what differs whenever a file was written or replaced meanwhile.
    """

    key: str
    stamp: str


def of_package(path: Path) -> Content | None:
    """What the package at `path` is now; None where it cannot be read: opening it says why."""
    try:
        return _of_folder(path) if path.is_dir() else _of_file(path)
    except (OSError, BadInput):
        return None


def digest(source: Source | BinaryIO, most_bytes: int) -> tuple[str, int]:
    """SHA-256 and size of a stream; of one that holds more, at most one byte more is counted."""
    found, size = hashlib.sha256(), 0
    while chunk := source.read(min(CHUNK, most_bytes + 1 - size)):
        found.update(chunk)
        size += len(chunk)
    return found.hexdigest(), size


def _of_file(path: Path) -> Content | None:
    with open(path, "rb", opener=_opener) as file:
        seen = os.fstat(file.fileno())
        if not stat.S_ISREG(seen.st_mode):
            return None
        found, size = digest(file, seen.st_size)
    if size != seen.st_size:
        return None  # it is being written
    kind = path.name[len(release.stem(path.name)) :].lower()
    return Content(_key(kind, found), _stamp(seen))


def _of_folder(root: Path) -> Content:
    key, stamps = hashlib.sha256(), hashlib.sha256()
    for entry in sorted(folder.entries(root, Meter(root.name)), key=lambda entry: entry.path):
        seen = os.lstat(root / entry.path)
        found = ""
        if entry.kind == stat.S_IFREG:
            with closing(entry.open()) as source:
                found, _ = digest(source, seen.st_size)
        fields = (entry.path, str(entry.kind), str(entry.mode), entry.target, found)
        key.update("\0".join(fields).encode() + b"\n")
        stamps.update(f"{_stamp(seen)}\n".encode())
    return Content(_key("folder", key.hexdigest()), stamps.hexdigest())


def _opener(path: str, flags: int) -> int:
    """A pipe is opened without waiting for its writer, and then passed over."""
    return os.open(path, flags | os.O_NONBLOCK)


def _stamp(seen: os.stat_result) -> str:
    """No program can set a file's change time back."""
    return f"{seen.st_dev} {seen.st_ino} {seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns}"


def _key(kind: str, found: str) -> str:
    return hashlib.sha256(f"{_code()}\0{kind}\0{found}".encode()).hexdigest()


@cache
def _code() -> str:
    """A digest of the code that opens packages: no version reads what another one computed."""
    found = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(__file__).parent.parent.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()
