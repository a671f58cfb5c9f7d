"""Reads a tar in its own order, and checks each header before tarfile reads what it announces."""

from __future__ import annotations

import re
import stat
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from deploy.errors import BadInput
from deploy.package.entries import (
    CHUNK,
    Entry,
    Meter,
    Source,
    normalise,
    refuse_special,
    shown,
    too_big,
)

if TYPE_CHECKING:
    import gzip
    from collections.abc import Callable, Iterator

MOST_HEADER_BYTES = 128 * 1024
"""Of one extended header: a path has 4 KiB at most, an extended attribute 64 KiB."""

MOST_HEADERS = 8
"""Extended headers before one file: a long name, a long link and a pax header are usual."""

_MOST_PADDING_BYTES = 16 * 1024 * 1024
_PAX = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_EXTENDED = _PAX | {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
_VOLUME_LABEL = b"V"  # GNU tar --label: a name for the archive, and no file of it
_COMMIT = re.compile(rb"[0-9]{2} comment=(?:[0-9a-f]{40}|[0-9a-f]{64})\n")
"""All that `git archive` says of every file: the commit that they are of."""


class BoundedMember(tarfile.TarInfo):
    """tarfile's member, whose stream is asked before anything of it is read.

    `_proc_member` is where tarfile lets a subclass take over (comments in tarfile.py).
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        cast("Forward", cast("Any", archive).fileobj).admit(self)
        following: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return following


class Forward:
    """A stream that tarfile may seek forward only, and whose end can be judged.

    tarfile takes a header that is cut or scrambled, later than the first, for the end; and reads
    a long name of any size into memory.
    """

    def __init__(self, stream: gzip.GzipFile, package: str, meter: Meter) -> None:
        self.meter = meter
        self._package = package
        self._stream = stream
        self._position = 0
        self._last = b""
        self._ahead = b""
        self._extended = 0

    def admit(self, member: tarfile.TarInfo) -> None:
        """Refuse a header that would make tarfile hold or write more than it says."""
        name, kind = member.name, member.type
        if kind == tarfile.XGLTYPE and not self._is_commit(member.size):
            raise BadInput(
                f"package {self._package}: it has a global header ({shown(name)}), which could "
                "rename every file; unpack it and pack the folder again, with tar or zip"
            )
        if kind == tarfile.GNUTYPE_SPARSE:
            raise self._sparse(name)
        if kind not in _EXTENDED:
            self._extended = 0
            return
        self._extended += 1
        if not 0 <= member.size <= MOST_HEADER_BYTES or self._extended > MOST_HEADERS:
            raise BadInput(
                f"package {self._package}: {shown(name)} has a header of impossible size "
                f"({member.size:,} bytes, number {self._extended} before one file; the limits are "
                f"{MOST_HEADER_BYTES:,} bytes and {MOST_HEADERS}); pack it again without extended "
                "attributes (tar --no-xattrs)"
            )
        self.meter.hold(name, member.size)
        if kind in _PAX and b"GNU.sparse." in self._peek(member.size):
            raise self._sparse(name)

    def _is_commit(self, size: int) -> bool:
        """Whether a global header has a commit of git's alone, which changes nothing."""
        return 0 <= size <= tarfile.BLOCKSIZE and bool(_COMMIT.fullmatch(self._peek(size)))

    def _sparse(self, name: str) -> BadInput:
        return BadInput(
            f"package {self._package}: {shown(name)} is a sparse file; pack it again without "
            "--sparse, or on macOS with tar --no-read-sparse"
        )

    def _peek(self, size: int) -> bytes:
        """The next bytes, which are read again."""
        self._ahead += self._read(size - len(self._ahead))
        return self._ahead[:size]

    def _read(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size > 0 and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def tell(self) -> int:
        """How many bytes were read."""
        return self._position

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; tarfile needs no more than two MiB at once."""
        if not 0 <= size <= 2 * CHUNK:
            raise tarfile.ReadError("a header of impossible size")
        ahead, self._ahead = self._ahead[:size], self._ahead[size:]
        self._last = ahead + self._read(size - len(ahead))
        self._position += len(self._last)
        return self._last

    def seek(self, position: int) -> int:
        """Read on to a position; ReadError where it lies behind."""
        if position < self._position:
            raise tarfile.ReadError("a header points backwards")
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def expect_end(self) -> None:
        """Demand tar's own mark of the end, then padding only; gzip's checksum is read too."""
        rest = 0
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("the end is missing")
        while chunk := self.read(CHUNK):
            rest += len(chunk)
            if chunk.strip(b"\0") or rest > _MOST_PADDING_BYTES:
                raise tarfile.ReadError("there is something after the end")


def entries(stream: Forward, spool: BinaryIO, package: str, limit: int) -> Iterator[Entry]:
    """The entries of a tar, in its own order; `spool` takes their contents.

    Raises BadInput for what is unsafe, and for more than `limit` bytes of contents.
    """
    with tarfile.open(
        fileobj=cast("BinaryIO", stream), mode="r:", tarinfo=BoundedMember
    ) as archive:
        left = limit
        earlier: dict[str, Entry] = {}
        while (member := archive.next()) is not None:
            cast("Any", archive).members.clear()  # tarfile keeps every member with its headers
            stream.meter.entry(member.name, member.linkname)
            if member.type == _VOLUME_LABEL:
                continue
            path = normalise(member.name, package)
            if member.islnk():
                entry = _hard_linked(member, path, earlier, package)
            else:
                kind = _kind(member)
                refuse_special(kind, path, package)
                start = spool.tell()
                if kind == stat.S_IFREG:
                    left = _spool(archive, member, spool, left, package, limit)
                entry = Entry(
                    path=path,
                    kind=kind,
                    mode=stat.S_IMODE(member.mode),
                    size=spool.tell() - start,
                    target=member.linkname if kind == stat.S_IFLNK else "",
                    open=_slice_opener(spool, start, spool.tell()),
                )
            earlier[path] = entry
            if path:
                yield entry
            elif entry.kind != stat.S_IFDIR:
                raise BadInput(f"package {package}: its own folder is a file in it; build it again")
        stream.expect_end()


def _hard_linked(
    member: tarfile.TarInfo, path: str, earlier: dict[str, Entry], package: str
) -> Entry:
    """The entry of a hard link: a file or link of its own, with what it is another name of.

    tar writes one where a build has a file under two names, as pnpm does.
    """
    found = earlier.get(normalise(member.linkname, package))
    if found is None or found.kind == stat.S_IFDIR:
        raise BadInput(
            f"package {package}: {shown(path)} is a hard link to {shown(member.linkname)}, which "
            "is no file before it in the package; pack it again (tar --hard-dereference)"
        )
    return replace(found, path=path)


def _kind(member: tarfile.TarInfo) -> int:
    if member.isreg():
        return stat.S_IFREG
    if member.isdir():
        return stat.S_IFDIR
    return stat.S_IFLNK if member.issym() else 0


def _spool(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    spool: BinaryIO,
    left: int,
    package: str,
    limit: int,
) -> int:
    contents = archive.extractfile(member)
    size = 0
    while contents is not None and (chunk := contents.read(CHUNK)):
        size += len(chunk)
        if size > left:
            raise too_big(package, member.name, limit)
        spool.write(chunk)
    if size != member.size:
        raise tarfile.ReadError(f"{member.name!r} ends early")
    return left - size


def _slice_opener(spool: BinaryIO, start: int, end: int) -> Callable[[], Source]:
    return lambda: _Slice(spool, start, end)


class _Slice:
    """A piece of the spool as a stream."""

    def __init__(self, spool: BinaryIO, start: int, end: int) -> None:
        self._spool, self._end = spool, end
        spool.seek(start)

    def read(self, size: int, /) -> bytes:
        return self._spool.read(min(size, self._end - self._spool.tell()))

    def close(self) -> None:
        """Leave the spool open for the next piece."""
