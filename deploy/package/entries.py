"""One entry of a package, and the rules that it must keep before anything is written."""

from __future__ import annotations

import gzip
import lzma
import re
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from deploy.errors import BadInput, reading
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Bytes read at a time.
CHUNK = 1 << 20

# More would fill a host's inodes however few bytes they hold.
MOST_ENTRIES = 200_000

# Names, link targets and extended headers are held in memory, and are no contents.
MOST_NAME_BYTES = 32 * 1024 * 1024

_LONGEST_PART_BYTES = 255
_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_SHOWN = 60
_HOST_PROGRAM = re.compile(r"/usr/(?:[A-Za-z0-9._+-]+/)+[A-Za-z0-9._+-]+")
_LONGEST_PATH_BYTES = 3_800  # Linux takes 4,096, of which a release's folder is a part


class Source(Protocol):
    """Bytes that come in order."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""

    def close(self) -> None:
        """Let go of whatever lies behind."""


@dataclass(frozen=True)
class Entry:
    """One file, folder or link of a package.

    path: relative, with slashes, without `.` or `..`.
    kind: stat.S_IFREG, S_IFDIR or S_IFLNK.
    mode: permission bits, None where the archive carries no modes at all.
    size: bytes of the contents, as the archive says; target: where a link points.
    open: the contents, from their start; one at a time.
    """

    path: str
    kind: int
    mode: int | None
    size: int
    target: str
    open: Callable[[], Source]


class Meter:
    """Counts what a package makes us hold in memory, beside its contents; refuses at a limit."""

    def __init__(self, package: str, most_entries: int = MOST_ENTRIES) -> None:
        self._package, self._most_entries = package, most_entries
        self._entries = self._bytes = 0

    def entry(self, path: str, target: str = "") -> None:
        """Count a file, folder or link with its name; BadInput where that is one too many."""
        self._entries += 1
        if self._entries > self._most_entries:
            raise BadInput(
                f"package {self._package}: with {shown(path)} it has more than the limit of "
                f"{self._most_entries:,} files, folders and links; pack fewer, for example as an "
                "archive inside the package"
            )
        self.hold(path, len(path.encode(errors="replace")) + len(target.encode(errors="replace")))

    def hold(self, path: str, count: int) -> None:
        """Count bytes of names or headers; BadInput where they are too many."""
        self._bytes += count
        if self._bytes > MOST_NAME_BYTES:
            raise BadInput(
                f"package {self._package}: with {shown(path)} its names, links and headers have "
                f"more than the limit of {MOST_NAME_BYTES >> 20} MiB; pack fewer files, or with "
                "shorter names and without extended attributes"
            )


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn whatever a broken or unreadable package makes the readers raise into BadInput."""
    with reading(f"package {visible(path.name)}", "build or copy it again"), _foreseen(path):
        yield


@contextmanager
def _foreseen(path: Path) -> Iterator[None]:
    """Turn what the readers are known to raise into BadInput, with what to do about each."""
    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(f"package {error.filename or path}: there is no such file") from error
    except PermissionError as error:
        raise BadInput(
            f"package {error.filename or path}: you may not read it; "
            "give yourself the right to, or name another package",
        ) from error
    except MemoryError as error:
        raise BadInput(
            f"package {path.name}: there is not enough memory here to read it; make it smaller"
        ) from error
    except RecursionError as error:
        raise _damaged(path, error) from error
    except RuntimeError as error:
        # zipfile's word for a password or an unknown way of compressing.
        raise BadInput(
            f"package {path.name}: {error}; make it again as a plain zip (deflate, no password)",
        ) from error
    except (
        zipfile.BadZipFile,
        gzip.BadGzipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        struct.error,
        EOFError,
        ValueError,
        OverflowError,
    ) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        # Readers raise it without a number for bad contents, the system with one.
        if error.errno is None:
            raise _damaged(path, error) from error
        raise BadInput(f"package {path.name}: it cannot be read or repacked: {error}") from error


def _damaged(path: Path, error: Exception) -> BadInput:
    name = visible(path.name)
    if kind := _other_kind(path):
        return BadInput(f"package {name}: by its first bytes it is {kind}")
    return BadInput(
        f"package {name}: cut short or damaged ({visible(error)}); build or copy it again",
    )


def _other_kind(path: Path) -> str:
    """What else a file is than its name says, and what to do; empty where that is not plain."""
    start = b""
    with suppress(OSError), path.open("rb") as file:
        start = file.read(tarfile.BLOCKSIZE)
    is_zip = path.suffix.lower() in {".zip", ".nupkg"}
    kinds = {
        "a pointer of Git LFS; run git lfs pull": start.startswith(b"version https://git-lfs"),
        "a web page; the download may have asked for a login": _PAGE.match(start) is not None,
        "gzip; call it .tar.gz": is_zip and start.startswith(b"\x1f\x8b"),
        "a zip; call it .zip": not is_zip and start.startswith(b"PK\3\4"),
        "a tar that is not compressed; run gzip on it": start[257:262] == b"ustar",
    }
    return next((kind for kind, is_it in kinds.items() if is_it), "")


def normalise(name: str, package: str) -> str:
    """Check one name and write it plainly: `./a//b/` becomes `a/b`, the root itself ``."""
    found, package = shown(name), visible(package)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise BadInput(
            f"package {package}: the name {found} holds a control character or is no UTF-8; "
            "rename that file",
        )
    if name.startswith("/") or re.match(r"[A-Za-z]:[\\/]", name):
        raise BadInput(
            f"package {package}: {found} is an absolute path; pack with paths relative "
            "to the folder of the executable",
        )
    if "\\" in name:
        raise BadInput(
            f"package {package}: the name {found} holds a backslash; rename that file",
        )
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise BadInput(
            f"package {package}: {found} leaves the package's folder by '..'; "
            "pack with paths below the folder of the executable",
        )
    if any(len(part.encode()) > _LONGEST_PART_BYTES for part in parts):
        raise BadInput(f"package {package}: a name is longer than 255 bytes: {found}")
    if len(name.encode()) > _LONGEST_PATH_BYTES:
        raise BadInput(
            f"package {package}: a path is longer than {_LONGEST_PATH_BYTES:,} bytes: {found}"
        )
    return "/".join(parts)


def shown(name: str) -> str:
    """A name for a message: its beginning, in quotes."""
    return visible(repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}…")


def check_link(entry: Entry, package: str) -> None:
    """Refuse a link that is absolute or leaves the package's folder.

    `..` is taken at the target's start only: after another link it could climb from elsewhere.
    """
    parts = PurePosixPath(entry.target).parts
    up = len(list(takewhile(lambda part: part == "..", parts)))
    if not entry.target or parts[:1] == ("/",) or up > entry.path.count("/") or ".." in parts[up:]:
        raise BadInput(
            f"package {package}: the link {entry.path!r} points to {entry.target!r}, outside of "
            "the package's folder; pack the file itself, or link to a path below the folder (to a "
            "program under /usr only the command's own file may)",
        )
    normalise("/".join(parts[up:]), package)


def is_host_program(target: str) -> bool:
    """Whether a link's target is a program of the host's under /usr, as in a Python venv.

    Such a link is kept only where the command is started by it; `check_link` refuses others.
    """
    return _HOST_PROGRAM.fullmatch(target) is not None and not {".", ".."} & set(target.split("/"))


def too_big(package: str, path: str, limit: int) -> BadInput:
    """Give the refusal of a package that unpacks to more than `limit` bytes, with this entry."""
    return BadInput(
        f"package {package}: it unpacks to more than the limit of {limit / 2**20:,.0f} MiB with "
        f"{shown(path)}; make it smaller, or raise max_unpacked_mb in the settings",
    )


def refuse_special(kind: int, path: str, package: str) -> None:
    """Refuse what is neither file nor folder nor link."""
    if kind not in {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}:
        raise BadInput(
            f"package {package}: {path!r} is a device, a pipe or a socket; "
            "only files, folders and links inside the package can be deployed",
        )
