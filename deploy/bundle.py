"""The one archive that hosts are sent: sorted, with times, owners and modes normalised."""

from __future__ import annotations

import hashlib
import stat
import tarfile
import zlib
from contextlib import closing
from pathlib import PurePosixPath
from typing import BinaryIO

from deploy.entries import CHUNK, Entry, Source, too_big

_FOLDER, _FILE, _EXECUTABLE = 0o750, 0o640, 0o750

# Compressing to more than this share of the size is not worth the time.
_WORTHWHILE = 0.95


class Bundle:
    """A normalised tar.gz being written; digests itself, its files and the release on the way.

    digest: of the release, over paths, executability and contents; unpacked: bytes of contents;
    manifest: a line for `sha256sum -c` per file; packed: the archive's own digest and size.
    """

    def __init__(self, file: BinaryIO, package: str, limit: int) -> None:
        self.packed = _Packed(file)
        self.digest = hashlib.sha256()
        self.manifest: list[str] = []
        self.unpacked = 0
        self._package, self._limit = package, limit

    def write(self, contents: dict[str, Entry], marked: set[str]) -> None:
        """Write all of `contents`, which is sorted; the paths in `marked` become executable."""
        occupied = {str(PurePosixPath(path).parent) for path in contents}
        for path, entry in contents.items():
            if entry.kind == stat.S_IFREG:
                with closing(entry.open()) as source:
                    self._file(entry, _Start(source), is_marked=path in marked)
            elif entry.kind == stat.S_IFLNK:
                self._digest("link", path, entry.target)
                self._header(path, tarfile.SYMTYPE, 0o777, target=entry.target)
            else:
                # A zip may leave folders out: only an empty one tells packages apart.
                if path not in occupied:
                    self._digest("folder", path, "")
                self._header(path, tarfile.DIRTYPE, _FOLDER)
        self.packed.write(bytes(2 * tarfile.BLOCKSIZE))
        self.packed.flush()

    def _file(self, entry: Entry, contents: _Start, *, is_marked: bool) -> None:
        executable = is_marked or (
            contents.start.startswith((b"\x7fELF", b"#!"))
            if entry.mode is None
            else bool(entry.mode & 0o111)
        )
        self.unpacked += entry.size
        if self.unpacked > self._limit:
            raise too_big(self._package)
        self._header(
            entry.path,
            tarfile.REGTYPE,
            _EXECUTABLE if executable else _FILE,
            size=entry.size,
        )
        digest = hashlib.sha256()
        left = entry.size
        # One byte more than promised is asked for: it also makes zipfile check the CRC.
        while chunk := contents.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            self.packed.write(chunk)
        if left:
            raise tarfile.ReadError(f"{entry.path!r} has another size than it says")
        self.packed.write(bytes(-entry.size % tarfile.BLOCKSIZE))
        self._digest("executable" if executable else "file", entry.path, digest.hexdigest())
        self.manifest.append(f"{digest.hexdigest()}  {entry.path}\n")

    def _header(
        self,
        path: str,
        kind: bytes,
        mode: int,
        *,
        size: int = 0,
        target: str = "",
    ) -> None:
        header = tarfile.TarInfo(path)
        header.type, header.mode, header.size, header.linkname = kind, mode, size, target
        self.packed.write(header.tobuf(tarfile.GNU_FORMAT, "utf-8"))

    def _digest(self, kind: str, path: str, what: str) -> None:
        self.digest.update(f"{kind}\0{path}\0{what}\n".encode())


class _Start:
    """A stream that shows its first four bytes beforehand."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.start = source.read(4)
        self._waiting = self.start

    def read(self, size: int) -> bytes:
        if self._waiting:
            first, self._waiting = self._waiting[:size], self._waiting[size:]
            return first
        return self._source.read(size)


class _Packed:
    """Gzip in members of about a MiB, each compressed or, where that gains nothing, stored.

    Compressing what cannot shrink costs seconds per 100 MB; gzip reads members as one file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = bytearray()
        # BLAKE2: a host takes it in half the time of sha256sum.
        self.digest = hashlib.blake2b()
        self.bytes = 0

    def write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        middle = len(data) // 2
        sample = data[:4096] + data[middle : middle + 4096] + data[-4096:]
        shrinks = len(zlib.compress(sample, 1)) < _WORTHWHILE * len(sample)
        member = zlib.compress(data, 1 if shrinks else 0, wbits=31)
        self._file.write(member)
        self.digest.update(member)
        self.bytes += len(member)
