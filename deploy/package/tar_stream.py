"""Reads a tar in its own order, and checks each header before tarfile reads what it announces."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING, Any, cast

from deploy.errors import BadInput
from deploy.package.entries import CHUNK, Meter, shown

if TYPE_CHECKING:
    import gzip

MOST_HEADER_BYTES = 128 * 1024
"""Of one extended header: a path has 4 KiB at most, an extended attribute 64 KiB."""

MOST_HEADERS = 8
"""Extended headers before one file: a long name, a long link and a pax header are usual."""

_MOST_PADDING_BYTES = 16 * 1024 * 1024
_PAX = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_EXTENDED = _PAX | {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}


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
        if kind == tarfile.XGLTYPE:
            raise BadInput(
                f"package {self._package}: it has a global header ({shown(name)}), as `git "
                "archive` writes it; unpack it and pack the folder again, with tar or zip"
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

    def _sparse(self, name: str) -> BadInput:
        return BadInput(
            f"package {self._package}: {shown(name)} is a sparse file; pack it again without "
            "--sparse"
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
