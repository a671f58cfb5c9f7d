"""Reads a folder as a package; a file that changes meanwhile is refused."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.package.entries import Entry, Meter, Source, normalise, refuse_special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Windows has neither links of this kind nor a mode for text.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_FLAGS |= getattr(os, "O_BINARY", 0)


def entries(root: Path, meter: Meter) -> Iterator[Entry]:
    """Everything below `root`; a link is an entry and is not followed.

    Raises BadInput for what is no file, folder or link, or was replaced meanwhile.
    """
    # Windows' file system has no modes: what stat shows there is made up.
    has_modes = os.name == "posix"
    waiting = [(str(root), os.stat(root))]  # noqa: PTH116 - the root itself may be a link
    while waiting:
        folder, seen = waiting.pop()
        children = _listed(folder, root, meter)
        if folder != str(root) and not os.path.samestat(os.lstat(folder), seen):
            raise _replaced(folder, root.name)
        for whole in children:
            found = os.lstat(whole)
            kind = stat.S_IFMT(found.st_mode)
            path = normalise(os.path.relpath(whole, root).replace(os.sep, "/"), root.name)
            refuse_special(kind, path, root.name)
            if kind == stat.S_IFDIR:
                waiting.append((whole, found))
            yield Entry(
                path=path,
                kind=kind,
                mode=stat.S_IMODE(found.st_mode) if has_modes else None,
                size=found.st_size if kind == stat.S_IFREG else 0,
                target=os.readlink(whole) if kind == stat.S_IFLNK else "",  # noqa: PTH115 - keep the text as it is
                open=_opener(whole, found, root.name),
            )


def _listed(folder: str, root: Path, meter: Meter) -> list[str]:
    """What lies in a folder, sorted; counted while it is read."""
    found = list[str]()
    with os.scandir(folder) as children:
        for child in children:
            meter.entry(os.path.relpath(child.path, root))
            found.append(child.path)
    return sorted(found)


def _opener(whole: str, seen: os.stat_result, package: str) -> Callable[[], Source]:
    """Open the very file that was looked at: a link in its place could lead anywhere."""

    def start() -> Source:
        try:
            # Unbuffered: a MiB is read at a time.
            file = open(whole, "rb", buffering=0, opener=_open)  # noqa: SIM115 - closed by whoever reads
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.EMLINK, errno.ENXIO}:
                raise
            raise _replaced(whole, package) from error
        if not os.path.samestat(os.fstat(file.fileno()), seen):
            file.close()
            raise _replaced(whole, package)
        return file

    return start


def _open(path: str, _flags: int) -> int:
    return os.open(path, _FLAGS)


def _replaced(whole: str, package: str) -> BadInput:
    return BadInput(
        f"package {package}: {whole} was replaced while the package was read; let the build end "
        "first, and run the same command again"
    )
