"""The syntax of systemd's unit files: quoting, sections, assignments, time spans. Pure.

The only home of systemd's quoting and of the rules by which it reads a file.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


_SPACE = " \t\n\r\0"


class Line(NamedTuple):
    """One logical line of a unit file: a line with those that continue it.

    Attributes:
        section: The section that it is in, empty before the first one.
        name: What is assigned, such as `ExecStart`; empty for a comment, a header or a blank.
        value: The value without surrounding space, continuation lines joined by a space.
        text: The line as it is in the file, with its line ends.
    """

    section: str
    name: str
    value: str
    text: str


def is_control(character: str) -> bool:
    """Whether a character is a control character or half a surrogate pair: no line may hold it."""
    return unicodedata.category(character) in {"Cc", "Cs"}


def quote(word: str) -> str:
    """Write a word so that systemd reads it back unchanged: quotes, escapes and specifiers."""
    escaped = "".join(
        f"\\x{ord(character):02x}" if ord(character) < ord(" ") else character
        for character in word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    )
    return escaped if re.fullmatch(r"[\w@%+=:,./*-]+", escaped, re.ASCII) else f'"{escaped}"'


def lines(text: str) -> Iterator[Line]:
    """Read a unit file as systemd does: comments, continuation lines, sections, space."""
    section, raw, parts = "", "", list[str]()
    # Not by splitlines(): a vertical tab or U+2028 ends no line of systemd's.
    for line in re.findall(r"[^\n\r\0]*[\n\r\0]|[^\n\r\0]+", text):
        raw += line
        stripped = line.strip(_SPACE)
        if stripped.startswith(("#", ";")) or (not parts and not stripped):
            if not parts:  # a comment between continuation lines belongs to none of them
                yield Line(section, "", "", raw)
                raw = ""
            continue
        body = line.rstrip("\r\n\0")
        continues = (len(body) - len(body.rstrip("\\"))) % 2 == 1
        parts.append(body[:-1] if continues else body)
        if continues:
            continue
        yield (found := _logical(section, " ".join(parts), raw))
        section, raw, parts = found.section, "", []
    if raw:
        yield _logical(section, " ".join(parts), raw)


def _logical(section: str, joined: str, raw: str) -> Line:
    joined = joined.strip(_SPACE)
    if joined.startswith("[") and joined.endswith("]"):
        return Line(joined[1:-1], "", "", raw)
    name, equals, value = joined.partition("=")
    return Line(section, name.strip(_SPACE) if equals else "", value.strip(_SPACE), raw)


def assignments(text: str, section: str) -> tuple[tuple[str, str], ...]:
    """Give the names and values that a section assigns, in the file's order."""
    found = (each for each in lines(text) if each.section == section and each.name)
    return tuple((each.name, each.value) for each in found)


def words(values: Collection[str]) -> tuple[str, ...]:
    """Give the entries of a directive that lists them: each value adds, an empty one resets."""
    found: list[str] = []
    for value in values:
        found = [*found, *re.split(r"[ \t]+", value)] if value else []
    return tuple(word.strip("\"'") for word in found)


def without(text: str, section: str, names: Collection[str]) -> str:
    """Give the file's text without a section's assignments of these names."""
    return "".join(e.text for e in lines(text) if e.section != section or e.name not in names)


def seconds(span: str) -> float | None:
    """Read systemd's time span (`90`, `1min 30s`); None for none, infinity, or a rarer unit."""
    units = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "ms": 0.001}
    parts = re.findall(r"([0-9.]+)\s*([a-z]*)", span)
    if not parts or any(unit not in units for _, unit in parts):
        return None
    return sum(float(number) * units[unit] for number, unit in parts)
