"""Reads the entries of a zip, a tar.gz or a folder, each checked.

Nothing is unpacked here: contents are streams. A name that could reach outside of the release's
folder, or that is no plain file, folder or inner link, ends in BadInput.
"""

from __future__ import annotations

import gzip
import io
import re
import stat
import tempfile
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from deploy.errors import BadInput
from deploy.package import folder, tar_stream, zip_names
from deploy.package.entries import (
    MOST_ENTRIES,
    MOST_NAME_BYTES,
    Entry,
    Meter,
    Source,
    normalise,
    refuse_special,
    refusing,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LONGEST_TARGET_BYTES = 4096
_DIRECTORY_ENTRY, _END, _END_BYTES = b"PK\x01\x02", b"PK\x05\x06", 22
_MOST_DIRECTORY_BYTES = 46 * MOST_ENTRIES + MOST_NAME_BYTES
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
    meter = Meter(path.name)
    with refusing(path):
        if path.exists() and not (path.is_dir() or path.is_file()):
            raise BadInput(  # a pipe would be waited for
                f"package {path.name}: it is a device, a pipe or a socket; name a file or a folder"
            )
        if path.is_dir():
            yield folder.entries(path, meter)
        elif lower.endswith((".zip", ".nupkg")):
            with _ZipFile(io.FileIO(path)) as file, _directory(file, path.name) as archive:
                yield _zip(archive, path.name, meter, is_nupkg=lower.endswith(".nupkg"))
        elif lower.endswith((".tar.gz", ".tgz")):
            with (
                gzip.open(path) as unzipped,
                tempfile.TemporaryFile(dir=workspace) as spool,
            ):
                stream = tar_stream.Forward(unzipped, path.name, meter)
                yield tar_stream.entries(stream, spool, path.name, max_unpacked_bytes)
        else:
            raise BadInput(
                f"package {path}: no kind of package; it must be a .zip, .nupkg, .tar.gz, .tgz "
                "or a folder",
            )


class _ZipFile(io.BufferedReader):
    """A zip's file whose directory is measured before zipfile makes objects of it."""

    is_opening = True

    def read(self, size: int | None = -1, /) -> bytes:
        is_large = self.is_opening and size is not None and size > _MOST_DIRECTORY_BYTES
        data = b"" if is_large else super().read(size)
        if is_large or (self.is_opening and data.count(_DIRECTORY_ENTRY) > MOST_ENTRIES):
            raise _DirectoryTooLarge
        return data


class _DirectoryTooLarge(Exception):
    """zipfile was about to read a directory of too many entries."""


@contextmanager
def _directory(file: _ZipFile, package: str) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except _DirectoryTooLarge as error:
        raise BadInput(
            f"package {package}: its directory has more than the limit of {MOST_ENTRIES:,} "
            f"entries, or of {_MOST_DIRECTORY_BYTES >> 20} MiB; pack fewer files, for example as "
            "an archive inside the package"
        ) from error
    file.is_opening = False
    with archive:
        # zipfile passes over what follows its end, where another reader may find another archive.
        file.seek(-len(archive.comment) - _END_BYTES, io.SEEK_END)
        if file.read(len(_END)) != _END:
            raise zipfile.BadZipFile("there is something after the end")
        yield archive


def _zip(
    archive: zipfile.ZipFile, package: str, meter: Meter, *, is_nupkg: bool
) -> Iterator[Entry]:
    infos = archive.infolist()
    has_modes = any(info.external_attr >> 16 for info in infos)
    for info in infos:
        meter.entry(info.orig_filename)
        name = zip_names.name_of(info, package).replace("\\", "/")
        if is_nupkg:
            name = zip_names.unescaped(name, package).replace("\\", "/")
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
