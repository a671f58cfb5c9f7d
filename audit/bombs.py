"""Packages that are small and want much memory: each with what it abuses, built in a second."""

from __future__ import annotations

import gzip
import itertools
import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

MANY = 4_000_000
_BLOCK = tarfile.BLOCKSIZE


def _header(name: str, kind: bytes, size: int = 0) -> bytes:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.mode = kind, size, 0o644
    return made.tobuf(tarfile.GNU_FORMAT, "utf-8")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _pax(**records: str) -> bytes:
    lines = b""
    for key, value in records.items():
        body = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(body) + len(str(len(body)))
        length += len(str(length)) - len(str(len(body)))
        lines += str(length).encode() + body
    return _header("pax", tarfile.XHDTYPE, len(lines)) + _padded(lines)


def _tar(path: Path, parts: Iterable[bytes]) -> None:
    """Write a gzip member for each part; one that comes again is compressed once."""
    known: dict[bytes, bytes] = {}
    with path.open("wb") as file:
        for part in itertools.chain(parts, [bytes(2 * _BLOCK)]):
            if part not in known:
                known = dict(list(known.items())[-4:]) | {part: gzip.compress(part, 1)}
            file.write(known[part])


def _sparse_map(path: Path) -> None:
    """A map in a file's data: `0` and a newline, forty million times."""
    extended = _pax(GNU__sparse__major="1", GNU__sparse__minor="0", GNU__sparse__name="web")
    count = 40_000_000
    data = f"{count}\n".encode()
    chunk = b"0\n" * (1 << 19)

    def parts() -> Iterable[bytes]:
        yield extended + _header("web", tarfile.REGTYPE, 4 * count)
        yield data
        for _ in range(4 * count // len(chunk)):
            yield chunk

    _tar(path, parts())


def _old_sparse(path: Path) -> None:
    """GNU's older form: blocks of twenty-one places each, and each says that one more follows."""
    first = bytearray(_header("web", tarfile.GNUTYPE_SPARSE, _BLOCK))
    entry = b"00000000001\0" * 2
    first[386 : 386 + 96] = entry * 4
    first[482] = 1
    first[148:156] = b" " * 8
    first[148:156] = f"{sum(first):06o}\0 ".encode()
    more = _padded(entry * 21 + b"\1")
    _tar(path, [bytes(first), *([more * 2000] * 150)])


def _pax_headers(path: Path) -> None:
    """1.9 MB of headers for each of 1,500 folders."""
    body = _pax(comment="x" * 1_900_000)
    folders = ((body, _header(f"d{n}", tarfile.DIRTYPE)) for n in range(1500))
    _tar(path, itertools.chain.from_iterable(folders))


def _small_pax_headers(path: Path) -> None:
    """Each below the limit, and many."""
    body = _pax(comment="x" * 100_000)
    folders = ((body, _header(f"d{n}", tarfile.DIRTYPE)) for n in range(5000))
    _tar(path, itertools.chain.from_iterable(folders))


def _pax_chain(path: Path) -> None:
    """A header before a header before a header."""
    _tar(path, [_pax(comment="x" * 100_000)] * 5000)


def _long_names(path: Path) -> None:
    name = _header("././@LongLink", tarfile.GNUTYPE_LONGNAME, 120_000) + _padded(b"n" * 120_000)
    files = ((name, _header(f"f{n}", tarfile.REGTYPE)) for n in range(5000))
    _tar(path, itertools.chain.from_iterable(files))


def _global_headers(path: Path) -> None:
    body = _pax(**{f"comment{n}": "x" * 30 for n in range(2000)})
    as_global = bytearray(body)
    as_global[156:157] = tarfile.XGLTYPE
    as_global[148:156] = b" " * 8
    as_global[148:156] = f"{sum(as_global[:_BLOCK]):06o}\0 ".encode()
    _tar(path, [bytes(as_global)] * 2000)


def _roots(path: Path) -> None:
    """The package's own folder, again and again."""
    _tar(path, [_header("./", tarfile.DIRTYPE) * 10_000] * 25)


def _padding(path: Path) -> None:
    """A GB of padding after the end."""
    _tar(path, [_header("web", tarfile.REGTYPE), bytes(2 * _BLOCK)])
    zeros = gzip.compress(bytes(64 << 20), 1)
    with path.open("ab") as file:
        for _ in range(16):
            file.write(zeros)


def _deep(path: Path) -> None:
    """Folders that no entry names, two thousand above each file."""
    deep = "/".join(["a"] * 1890)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(40):
            archive.writestr(f"{number}/{deep}", b"")


def _zip_directory(path: Path, count: int, name: bytes) -> None:
    """A directory of so many entries of one name; a zip64 where the count needs it."""
    central = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0
    )
    entry = central + name
    with path.open("wb") as file:
        for _ in range(count // 1000):
            file.write(entry * 1000)
        size = count // 1000 * 1000 * len(entry)
        file.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0))
        file.write(struct.pack("<4sLQL", b"PK\6\7", 0, size, 1))
        file.write(
            struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        )


def _zip_many(path: Path) -> None:
    _zip_directory(path, MANY, b"web")


def _zip_nameless(path: Path) -> None:
    """Within the directory's limit of bytes, and twice as many as the limit of entries."""
    _zip_directory(path, 400_000, b"")


def _zip_long_names(path: Path) -> None:
    _zip_directory(path, 190_000, b"n" * 250)


def _zip_link(path: Path) -> None:
    """A link whose target is a GB of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as target:
            for _ in range(200):
                target.write(bytes(1 << 20))


BOMBS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a sparse map in data": ("tar.gz", _sparse_map),
    "old sparse headers": ("tar.gz", _old_sparse),
    "large pax headers": ("tar.gz", _pax_headers),
    "many pax headers": ("tar.gz", _small_pax_headers),
    "a chain of pax headers": ("tar.gz", _pax_chain),
    "long names": ("tar.gz", _long_names),
    "global headers": ("tar.gz", _global_headers),
    "the root again and again": ("tar.gz", _roots),
    "padding": ("tar.gz", _padding),
    "deep folders": ("zip", _deep),
    "four million entries": ("zip", _zip_many),
    "entries without names": ("zip", _zip_nameless),
    "entries with long names": ("zip", _zip_long_names),
    "a large link": ("zip", _zip_link),
}
