"""Folders that only this user may enter, and the files in them.

Everything is done relative to the folder's descriptor: what was checked is what is used, wherever
its path leads meanwhile.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK
_OTHERS = 0o077


def of_user(variable: str, default: str) -> Path | None:
    """Changeover's folder below the one that a variable of the XDG specification names.

    A relative path there counts as none, as that specification has it; `default` is then taken
    below the home folder. None where there is no home.
    """
    base = Path(os.environ.get(variable, ""))
    if not base.is_absolute():
        try:
            base = Path.home() / default
        except RuntimeError:
            return None
    return base / "changeover"


@contextmanager
def opened(folder: Path | None) -> Iterator[int | None]:
    """The folder's descriptor, made if need be; None where it is not this user's alone."""
    place = None
    try:
        if folder:
            with suppress(OSError):
                place = _opened(folder)
        yield place
    finally:
        if place is not None:
            os.close(place)


def _opened(folder: Path) -> int | None:
    if not folder.is_dir():
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.parent.stat().st_uid != os.geteuid():
            return None  # with sudo, HOME may be another user's
        folder.mkdir(mode=0o700, exist_ok=True)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    if _is_private(os.fstat(place)):
        return place
    os.close(place)
    return None


def _is_private(seen: os.stat_result) -> bool:
    return seen.st_uid == os.geteuid() and not seen.st_mode & _OTHERS


@contextmanager
def reading(place: int, name: str) -> Iterator[BinaryIO]:
    """Open a file; ValueError where it is no file of this user's alone."""
    descriptor = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=place)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode) or not _is_private(seen):
            raise ValueError(name)
        yield file


@contextmanager
def writing(place: int, name: str, partial: str) -> Iterator[BinaryIO]:
    """A new file, which gets its name at the block's end; nothing is left where that fails."""
    descriptor = os.open(
        partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600, dir_fd=place
    )
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
        os.replace(partial, name, src_dir_fd=place, dst_dir_fd=place)
    finally:
        remove(place, partial)


def remove(place: int, name: str) -> None:
    """Remove a file, if it is there and can be removed."""
    with suppress(OSError):
        os.unlink(name, dir_fd=place)
