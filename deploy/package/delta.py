"""What one host is sent of a package: instructions, and the files that it lacks."""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from deploy.package import manifest
from deploy.package.archive import Packed, header

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.package.manifest import Difference
    from deploy.package.opening import Package


class Parcel:
    """A tar.gz for one host: pieces of the package's archive, after a slip of its own.

    The slip unpacks to `manifest`, `executables` (paths), `copies/<place>` (paths to copy from
    there) and `moves` (what to copy, and its path, in turn), each path with a NUL at its end. The
    pieces unpack to `files/`.
    """

    def __init__(self, archive: BinaryIO, package: Package, difference: Difference) -> None:
        slip = _slip(package, difference)
        spans = {package.spans[file.path] for file in difference.sent}
        end = max((last for _, last in package.spans.values()), default=package.skeleton_bytes)
        spans |= {(0, package.skeleton_bytes), (end, package.archive_bytes)}
        self._pieces: list[tuple[BinaryIO, int, int]] = [(io.BytesIO(slip), 0, len(slip))]
        self._pieces += [(archive, first, last) for first, last in _joined(sorted(spans))]

    @classmethod
    @contextmanager
    def opened(cls, package: Package, difference: Difference) -> Iterator[Parcel]:
        """The parcel; it can be read until the block ends."""
        with package.archive.open("rb") as archive:
            yield cls(archive, package, difference)

    @property
    def size(self) -> int:
        """How many bytes are left to read."""
        return sum(last - first for _, first, last in self._pieces)

    def read(self, size: int, /) -> bytes:
        """At most so many of the next bytes; none at the end."""
        while self._pieces:
            source, first, last = self._pieces[0]
            if first < last:
                source.seek(first)
                read = source.read(min(size, last - first))
                self._pieces[0] = (source, first + len(read), last)
                return read
            del self._pieces[0]
        return b""

    def close(self) -> None:
        """Nothing: the archive is closed at the end of the block."""


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted spans, those that touch made into one."""
    found: list[tuple[int, int]] = []
    for first, last in spans:
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _slip(package: Package, difference: Difference) -> bytes:
    lists: dict[str, list[str]] = {
        "executables": [f"./{file.path}" for file in package.manifest if file.executable],
        "moves": [],
    }
    for copied in difference.copied:
        place, path = copied.source.place, f"./{copied.file.path}"
        if copied.source.path == copied.file.path:
            lists.setdefault(f"copies/{place}", []).append(path)
        else:
            lists["moves"] += [f"../../{place}/{copied.source.path}", path]
    texts = {name: "".join(f"{path}\0" for path in paths) for name, paths in lists.items()}
    texts["manifest"] = manifest.write(package.manifest, package.release.digest)
    made = io.BytesIO()
    packed = Packed(made)
    for name, text in texts.items():
        data = text.encode()
        packed.write(header(name, tarfile.REGTYPE, 0o600, size=len(data)))
        packed.write(data + bytes(-len(data) % tarfile.BLOCKSIZE))
    packed.flush()
    return made.getvalue()
