"""Reads a file of `sha256sum`, and finds the digest of a package in it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

# About 10,000 lines.
LARGEST_BYTES = 1 << 20

_PLAIN = re.compile(r"(\\?)(?P<digest>[0-9A-Fa-f]{64}) [ *](?P<path>.+)")
_TAGGED = re.compile(r"(\\?)SHA256 \((?P<path>.+)\) = (?P<digest>[0-9A-Fa-f]{64})")
_OTHER_TAG = re.compile(r"\\?(?!SHA256 )[A-Z][A-Za-z0-9/-]{1,15} \(.+\) = [0-9A-Fa-f]+")
_ESCAPES = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}


@dataclass(frozen=True)
class Listed:
    """One line of the file.

    Attributes:
        number: Of the line, from 1.
        digest: 64 hex digits in lower case.
        path: As the line has it, unescaped.
    """

    number: int
    digest: str
    path: str


def listed(data: bytes, file: Path, package: Path) -> Listed:
    """The line for a package; both paths are absolute.

    A line counts when it has the package's bare file name, or a path that leads to the package
    from the folder of the file, as for `sha256sum --check`. Comments, blank lines and tagged
    lines of other algorithms are passed over.

    Raises:
        BadInput: A line is in neither form of sha256sum, none is for the package, or two of them
            contradict each other.
    """
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{file}: it is no UTF-8 text, so it cannot be the output of sha256sum (PowerShell's "
            "`>` may write UTF-16); write it with sha256sum, or convert it to UTF-8"
        ) from error
    found = [line for n, text in enumerate(lines, 1) if (line := _line(text, n, file))]
    mine = [line for line in found if _is_for(line.path, file, package)]
    if not mine:
        raise BadInput(f"package {package.name}: {file} {_without(found, package)}")
    if {line.digest for line in mine} != {mine[0].digest}:
        numbers = " and ".join(str(line.number) for line in mine[:4])
        raise BadInput(
            f"package {package.name}: lines {numbers} of {file} give it different digests; keep "
            "the one of the package that the build made"
        )
    return mine[0]


def _line(text: str, number: int, file: Path) -> Listed | None:
    """The line's digest and path; None for a line that lists nothing of ours."""
    line = text.removesuffix("\r")
    if not line.strip() or line.startswith("#") or _OTHER_TAG.fullmatch(line):
        return None
    match = _PLAIN.fullmatch(line) or _TAGGED.fullmatch(line)
    path = _unescaped(match["path"], is_escaped=bool(match[1])) if match else None
    if match is None or path is None:
        raise BadInput(
            f"{file}: line {number} is no line of sha256sum: {line[:80]!r}; a line is 64 hex "
            "digits, two spaces and a file name, or `SHA256 (file name) = ` and 64 hex digits"
        )
    return Listed(number, match["digest"].lower(), path)


def _unescaped(path: str, *, is_escaped: bool) -> str | None:
    """Undo what sha256sum does to a name with a line break or a backslash; None if it did not."""
    if not is_escaped:
        return path
    if re.fullmatch(r"(?:[^\\]|\\[\\nr])+", path) is None:
        return None
    return re.sub(r"\\.", lambda match: _ESCAPES[match[0]], path)


def _is_for(path: str, file: Path, package: Path) -> bool:
    """Whether a line's path means the package; a NUL is in no path."""
    plain = re.sub(r"^(?:\./+)+", "", path)
    return plain == package.name or os.path.normpath(file.parent / path) == str(package)


def _without(found: list[Listed], package: Path) -> str:
    near = [line.path for line in found if line.path.rpartition("/")[2] == package.name]
    if near:
        return (
            f"lists {near[0][:200]!r}, which from there is another file; run sha256sum in the "
            "folder of the package"
        )
    return (
        f"has no line for it ({len(found)} for other files); where the package is built, add the "
        f"output of `sha256sum {package.name}`"
    )
