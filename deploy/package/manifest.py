"""The files of a release with their digests, and which of them a host has already."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

DIGEST_BITS = 256
FORMAT = 1

# To copy a file from another path takes a process of its own; a smaller one is sent sooner.
LEAST_COPIED_BYTES = 8 * 1024

_FOUND = re.compile(r"(?P<place>[^\t/]+(?:/files)?)\t(?P<digest>[0-9a-f]{64})  \./(?P<path>.+)")


@dataclass(frozen=True)
class File:
    """A file of a package.

    path: relative, with slashes, without control characters; digest: 64 hex digits of BLAKE2b, as
    `b2sum -l 256` prints them; size: bytes.
    """

    path: str
    digest: str
    size: int
    executable: bool


@dataclass(frozen=True)
class Found:
    """A file that lies on a host, at `<place>/<path>` below the folder of releases."""

    place: str
    path: str
    digest: str


@dataclass(frozen=True)
class Copied:
    """A file of a package that the host copies from what it found."""

    file: File
    source: Found


@dataclass(frozen=True)
class Difference:
    """How each file of a package comes to a host.

    sent: from the workstation; copied: on the host; kept: it lies where it shall be, left there
    by an upload that was cut off.
    """

    sent: tuple[File, ...]
    copied: tuple[Copied, ...]
    kept: tuple[File, ...]


def write(files: Iterable[File], release_digest: str) -> str:
    """The manifest that a host stores of a release: what `b2sum --check` reads in its folder.

    Its first line, which b2sum passes over, carries the format's number and the release's full
    digest: what distinguishes two releases whose short digests are the same.
    """
    head = f"# changeover manifest, format {FORMAT}, release {release_digest}\n"
    return head + _lines(files)


def stored_digests(files: Iterable[File], release_digest: str) -> frozenset[str]:
    """The digests (64 hex digits) of a manifest file that says that it is this release.

    Of format 1, and of format 0, which had no first line.
    """
    listed = tuple(files)
    texts = (write(listed, release_digest), _lines(listed))
    return frozenset(text_digest(text.encode()) for text in texts)


def digest(files: Iterable[File], release_digest: str) -> str:
    """The digest of what `write` returns, as `b2sum -l 256` prints it."""
    return text_digest(write(files, release_digest).encode())


def _lines(files: Iterable[File]) -> str:
    return "".join(f"{file.digest}  ./{file.path}\n" for file in files)


def text_digest(text: bytes) -> str:
    """The digest of a manifest's text, 64 hex digits."""
    return hashlib.blake2b(text, digest_size=DIGEST_BITS // 8).hexdigest()


def read(text: str) -> tuple[Found, ...]:
    """What a host found: a manifest's lines, each after its place and a tab; others are no lines.

    Only a newline ends a line: a name may hold what else Unicode takes for one.
    """
    matches = (_FOUND.fullmatch(line) for line in text.split("\n"))
    return tuple(Found(m["place"], m["path"], m["digest"]) for m in matches if m)


def stored(text: str, place: str) -> tuple[Found, ...]:
    """The files that a stored manifest lists, at a place; other lines are none."""
    return read("\n".join(f"{place}\t{line}" for line in text.split("\n")))


def compare(files: Collection[File], found: Iterable[Found], part: str) -> Difference:
    """How each file comes to the host that found these.

    part: the place where the release is being put together: what is not right there will be
    written over. The same content under several paths is sent once, where it is worth a copy.
    """
    wanted = {(file.digest, file.path) for file in files}
    exact: dict[tuple[str, str], Found] = {}
    somewhere: dict[str, Found] = {}
    for each in found:
        key = (each.digest, each.path)
        if each.place == part and key not in wanted:
            continue
        if each.place == part or key not in exact:
            exact[key] = each
        somewhere.setdefault(each.digest, each)
    sent: list[File] = []
    copied: list[Copied] = []
    kept: list[File] = []
    for file in files:
        here = exact.get((file.digest, file.path))
        other = somewhere.get(file.digest) if file.size >= LEAST_COPIED_BYTES else None
        source = here or other
        if source is None:
            sent.append(file)
            somewhere[file.digest] = Found(part, file.path, file.digest)
        elif source.place == part and source.path == file.path:
            kept.append(file)
        else:
            copied.append(Copied(file, source))
    return Difference(tuple(sent), tuple(copied), tuple(kept))
