"""What a package's file holds: its entries, read from a zip, a tar.gz or a folder, each checked.

Nothing is unpacked here: contents are streams. A name that could reach outside of the release's
folder, or that is no plain file, folder or inner link, ends in BadInput.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import tarfile
import tempfile
import urllib.parse
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from deploy.entries import CHUNK, Entry, Source, normalise, refuse_special, refusing, too_big
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LONGEST_TARGET_BYTES = 4096
_NUPKG_METADATA = re.compile(
    r"\[Content_Types\]\.xml|_rels/.*|package/services/metadata/.*|[^/]*\.nuspec|\.signature\.p7s",
    re.IGNORECASE,
)


@contextmanager
def reading(path: Path, max_unpacked_bytes: int, workspace: Path) -> Iterator[Iterator[Entry]]:
    """Give the entries of the package at `path`; they can be opened until the block ends.

    `workspace` takes a tar's contents for the time of the block: a tar can be read only in its
    own order. BadInput for whatever is broken or unsafe, OSError of the workspace excepted.
    """
    lower = path.name.lower()
    with refusing(path):
        if path.is_dir():
            yield _folder(path)
        elif lower.endswith((".zip", ".nupkg")):
            with zipfile.ZipFile(path) as archive:
                yield _zip(archive, path.name, is_nupkg=lower.endswith(".nupkg"))
        elif lower.endswith((".tar.gz", ".tgz")):
            with (
                gzip.open(path) as unzipped,
                tempfile.TemporaryFile(dir=workspace) as spool,
            ):
                stream = _Forward(unzipped)
                yield _tar(stream, spool, path.name, max_unpacked_bytes)
        else:
            raise BadInput(
                f"package {path}: no kind of package; it must be a .zip, .nupkg, .tar.gz, .tgz "
                "or a folder",
            )


def _folder(root: Path) -> Iterator[Entry]:
    def fail(error: OSError) -> None:
        raise error

    # Windows' file system has no modes: what stat shows there is made up.
    has_modes = os.name == "posix"
    for folder, folders, files in os.walk(root, onerror=fail):
        for name in sorted(folders + files):
            whole = os.path.join(folder, name)  # noqa: PTH118 - half the time of pathlib on 10,000 files
            found = os.lstat(whole)
            kind = stat.S_IFMT(found.st_mode)
            path = normalise(os.path.relpath(whole, root).replace(os.sep, "/"), root.name)
            refuse_special(kind, path, root.name)
            yield Entry(
                path=path,
                kind=kind,
                mode=stat.S_IMODE(found.st_mode) if has_modes else None,
                size=found.st_size if kind == stat.S_IFREG else 0,
                target=os.readlink(whole) if kind == stat.S_IFLNK else "",  # noqa: PTH115 - keep the text as it is
                open=_opener(whole),
            )


def _opener(whole: str) -> Callable[[], Source]:
    # Unbuffered: a MiB is read at a time.
    return lambda: open(whole, "rb", buffering=0)  # noqa: PTH123 - closed by whoever reads


def _zip(archive: zipfile.ZipFile, package: str, *, is_nupkg: bool) -> Iterator[Entry]:
    infos = archive.infolist()
    has_modes = any(info.external_attr >> 16 for info in infos)
    for info in infos:
        # orig_filename, since zipfile cuts a name at its first NUL.
        name = info.orig_filename.replace("\\", "/")
        if is_nupkg:
            name = urllib.parse.unquote(name).replace("\\", "/")
        path = normalise(name, package)
        if not path or (is_nupkg and _NUPKG_METADATA.fullmatch(path)):
            continue
        if info.flag_bits & 0x1:
            raise BadInput(
                f"package {package}: {path!r} is encrypted; make the package without a password",
            )
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            # The others give zipfile no way to unpack a bounded piece.
            raise BadInput(
                f"package {package}: {path!r} is compressed in a rare way; "
                "make it again as a plain zip (deflate)",
            )
        mode = info.external_attr >> 16
        kind = stat.S_IFDIR if name.endswith("/") else stat.S_IFMT(mode) or stat.S_IFREG
        refuse_special(kind, path, package)
        yield Entry(
            path=path,
            kind=kind,
            mode=stat.S_IMODE(mode) if has_modes else None,
            size=info.file_size if kind == stat.S_IFREG else 0,
            target=_zipped_target(archive, info) if kind == stat.S_IFLNK else "",
            open=_zip_opener(archive, info),
        )


def _zip_opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], Source]:
    return lambda: cast("BinaryIO", archive.open(info))


def _zipped_target(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    with archive.open(info) as contents:
        return contents.read(_LONGEST_TARGET_BYTES).decode()


def _tar(stream: _Forward, spool: BinaryIO, package: str, limit: int) -> Iterator[Entry]:
    with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r:") as archive:
        left = limit
        for member in archive:
            path = normalise(member.name, package)
            if member.islnk():
                raise BadInput(
                    f"package {package}: {path!r} is a hard link; pack the file twice "
                    "(tar --hard-dereference)",
                )
            kind = _kind(member)
            refuse_special(kind, path, package)
            start = spool.tell()
            if kind == stat.S_IFREG:
                left = _spool(archive, member, spool, left, package)
            if path or kind != stat.S_IFDIR:
                yield Entry(
                    path=path,
                    kind=kind,
                    mode=stat.S_IMODE(member.mode),
                    size=spool.tell() - start,
                    target=member.linkname if kind == stat.S_IFLNK else "",
                    open=_slice_opener(spool, start, spool.tell()),
                )
        stream.expect_end(limit)


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
) -> int:
    contents = archive.extractfile(member)
    size = 0
    while contents is not None and (chunk := contents.read(CHUNK)):
        size += len(chunk)
        if size > left:
            raise too_big(package)
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


class _Forward:
    """A stream that tarfile may seek forward only, and whose end can be judged.

    tarfile takes a header that is cut or scrambled, later than the first, for the end; and reads
    a long name of any size into memory.
    """

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._position = 0
        self._last = b""

    def tell(self) -> int:
        return self._position

    def read(self, size: int, /) -> bytes:
        if not 0 <= size <= 2 * CHUNK:
            raise tarfile.ReadError("a header of impossible size")
        pieces: list[bytes] = []
        while size and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
        self._last = b"".join(pieces)
        self._position += len(self._last)
        return self._last

    def seek(self, position: int) -> int:
        if position < self._position:
            raise tarfile.ReadError("a header points backwards")
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def expect_end(self, limit: int) -> None:
        """Demand tar's own mark of the end, then padding only; gzip's checksum is read too."""
        rest = 0
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("the end is missing")
        while chunk := self.read(CHUNK):
            rest += len(chunk)
            if chunk.strip(b"\0") or rest > limit:
                raise tarfile.ReadError("there is something after the end")
