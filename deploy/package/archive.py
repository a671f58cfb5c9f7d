"""The archive from which each host is sent what it lacks: sorted and normalised.

It is a tar in gzip members. Folders and links come first, then each file in members of its own, or
a few small ones together: any choice of members in their order is an archive again, so a package
is compressed once, whatever its hosts lack.
"""

from __future__ import annotations

import hashlib
import stat
import tarfile
import zlib
from contextlib import closing
from pathlib import PurePosixPath
from typing import BinaryIO

from deploy.package import program
from deploy.package.entries import CHUNK, Entry, Source, too_big
from deploy.package.manifest import DIGEST_BITS, File

FILES = "files"
"""The folder that all entries of the archive lie in."""

_FOLDER, _FILE, _EXECUTABLE = 0o750, 0o640, 0o750

# Compressing to more than this share of the size is not worth the time.
_WORTHWHILE = 0.95

# Smaller files share a gzip member until it holds this much, which is as far as gzip looks back.
_SHARED = 32 * 1024


class Bundle:
    """A normalised tar.gz being written; digests its files and the release on the way.

    digest: of the release, over paths, executability and contents; unpacked: bytes of contents;
    files: each regular file; spans: by path, from which to which byte of the archive its members
    go; skeleton: where the folders and links end; links: how many; packed: the archive's bytes;
    machines: which machines each program that was asked for is for, where it is an ELF file;
    interpreters: what each of these needs to be started; windows_scripts: those that no shell here
    can read; unmarked: ELF programs whose modes say that they are none, where other files' do.
    """

    def __init__(self, file: BinaryIO, package: str, limit: int) -> None:
        self.digest = hashlib.sha256()
        self.files: list[File] = []
        self.spans: dict[str, tuple[int, int]] = {}
        self.machines: dict[str, frozenset[str]] = {}
        self.interpreters: dict[str, tuple[str, ...]] = {}
        self.windows_scripts: set[str] = set()
        self.unmarked: list[str] = []
        self.skeleton = self.links = self.unpacked = 0
        self._packed = Packed(file)
        self._sharing: list[str] = []
        self._began = 0
        self._package, self._limit = package, limit

    @property
    def packed(self) -> int:
        """The archive's bytes so far."""
        return self._packed.bytes

    def write(self, contents: dict[str, Entry], marked: set[str]) -> None:
        """Write all of `contents`, which is sorted; the paths in `marked` become executable."""
        self._frame(contents)
        self._packed.flush()
        self.skeleton = self._began = self.packed
        for path, entry in contents.items():
            if entry.kind == stat.S_IFREG:
                if self._packed.waiting + entry.size > _SHARED:
                    self._close()
                with closing(entry.open()) as source:
                    self._file(entry, _Start(source), is_marked=path in marked)
                if entry.size > _SHARED:
                    self._close()
        self._close()
        self._packed.write(bytes(2 * tarfile.BLOCKSIZE))
        self._packed.flush()

    def _frame(self, contents: dict[str, Entry]) -> None:
        """Write folders and links."""
        occupied = {str(PurePosixPath(path).parent) for path in contents}
        self._packed.write(header(FILES, tarfile.DIRTYPE, _FOLDER))
        for path, entry in contents.items():
            if entry.kind == stat.S_IFLNK:
                self.links += 1
                self._digest("link", path, entry.target)
                self._header(path, tarfile.SYMTYPE, 0o777, target=entry.target)
            elif entry.kind == stat.S_IFDIR:
                # A zip may leave folders out: only an empty one tells packages apart.
                if path not in occupied:
                    self._digest("folder", path, "")
                self._header(path, tarfile.DIRTYPE, _FOLDER)

    def _close(self) -> None:
        """End the gzip member; the files that share it have the same span."""
        self._packed.flush()
        self.spans.update(dict.fromkeys(self._sharing, (self._began, self.packed)))
        self._sharing.clear()
        self._began = self.packed

    def _file(self, entry: Entry, contents: _Start, *, is_marked: bool) -> None:
        executable = is_marked or (
            program.is_program(contents.start) if entry.mode is None else bool(entry.mode & 0o111)
        )
        if is_marked:
            program.refuse_unstartable(contents.start, entry.path, self._package)
            if machines := program.machines(contents.start):
                self.machines[entry.path] = machines
            if interpreters := program.interpreters(contents.start):
                self.interpreters[entry.path] = interpreters
        if (
            not executable
            and entry.mode is not None
            and program.is_started(contents.start, entry.path)
        ):
            self.unmarked.append(entry.path)
        if program.is_for_windows_shells(contents.start, entry.path):
            self.windows_scripts.add(entry.path)
        self.unpacked += entry.size
        if self.unpacked > self._limit:
            raise too_big(self._package, entry.path, self._limit)
        self._header(
            entry.path,
            tarfile.REGTYPE,
            _EXECUTABLE if executable else _FILE,
            size=entry.size,
        )
        self._sharing.append(entry.path)
        digest = hashlib.blake2b(digest_size=DIGEST_BITS // 8)
        left = entry.size
        # One byte more than promised is asked for: it also makes zipfile check the CRC.
        while chunk := contents.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            self._packed.write(chunk)
        if left:
            raise tarfile.ReadError(f"{entry.path!r} has another size than it says")
        self._packed.write(bytes(-entry.size % tarfile.BLOCKSIZE))
        self._digest("executable" if executable else "file", entry.path, digest.hexdigest())
        self.files.append(File(entry.path, digest.hexdigest(), entry.size, executable))

    def _header(
        self, path: str, kind: bytes, mode: int, *, size: int = 0, target: str = ""
    ) -> None:
        whole = f"{FILES}/{path}"
        self._packed.write(header(whole, kind, mode, size=size, target=target))

    def _digest(self, kind: str, path: str, what: str) -> None:
        self.digest.update(f"{kind}\0{path}\0{what}\n".encode())


def header(path: str, kind: bytes, mode: int, *, size: int = 0, target: str = "") -> bytes:
    """A tar's header without a trace of when, where and by whom it was made."""
    made = tarfile.TarInfo(path)
    made.type, made.mode, made.size, made.linkname = kind, mode, size, target
    return made.tobuf(tarfile.GNU_FORMAT, "utf-8")


class _Start:
    """A stream that shows its first bytes beforehand."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.start = source.read(program.HEAD_BYTES)
        self._waiting = self.start

    def read(self, size: int) -> bytes:
        if self._waiting:
            first, self._waiting = self._waiting[:size], self._waiting[size:]
            return first
        return self._source.read(size)


class Packed:
    """Gzip in members of about a MiB, each compressed or, where that gains nothing, stored.

    Compressing what cannot shrink costs seconds per 100 MB; gzip reads members as one file.
    bytes: how many were written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = bytearray()
        self.bytes = 0

    @property
    def waiting(self) -> int:
        """How many bytes the open member holds."""
        return len(self._buffer)

    def write(self, data: bytes) -> None:
        """Add to the open member; a full one is written."""
        self._buffer += data
        if len(self._buffer) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write the open member, if anything is in it."""
        if not self._buffer:
            return
        data = bytes(self._buffer)
        self._buffer.clear()
        middle = len(data) // 2
        sample = data[:4096] + data[middle : middle + 4096] + data[-4096:]
        shrinks = len(zlib.compress(sample, 1)) < _WORTHWHILE * len(sample)
        self.bytes += self._file.write(zlib.compress(data, 1 if shrinks else 0, wbits=31))
