"""The grammar of every value that comes from a host, a service or an API. Pure.

A parser takes text and returns the value, or None where the text does not match. The caller
reports None as unknown, and never puts such text into a path, a command or a decision. `checked`
stands at the other end: builders of commands refuse a name outside the grammar.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_JSON = 16 * 1024
"""Characters of one JSON document; the longest of ours has about 500."""

MOST_TEXT = 800

MOST_PID = 2**22
"""The kernel's own limit (PID_MAX_LIMIT in include/linux/threads.h)."""

MOST_KIB = 2**50
"""A pebibyte in KiB times 1024: more than any disk or memory has."""

# As in `release.parse_name`: two to four numbers, a prerelease, a build; at most 64 characters.
_VERSION = (
    r"(?=[^ ]{1,64}-[0-9a-f]{12}\Z)[0-9]+(?:\.[0-9]+){1,3}"
    r"(?:-[0-9A-Za-z.-]+?)?(?:\+[0-9A-Za-z.-]+?)?"
)
_RELEASE_ID = re.compile(rf"{_VERSION}-[0-9a-f]{{12}}\Z")
_UNIT_DIGEST = re.compile(r"(?:[0-9a-f]{12}|[0-9a-f]{64})\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_TOKEN = re.compile(r"[0-9a-f]{32}\Z")
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}\Z")
_ZONE = re.compile(r"[a-z0-9][a-z0-9-]{1,40}\Z")
_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}\Z")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
# systemd.unit(5): letters, digits, and ":-_.\", an "@" before an instance; 255 characters.
_UNIT_NAME = re.compile(
    r"[A-Za-z0-9:_.\\-]{1,200}(?:@[A-Za-z0-9:_.\\-]{0,50})?\.(?:service|scope|socket)\Z"
)
_ANY_UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\-]{1,200}(?:@[A-Za-z0-9:_.\\-]{0,50})?\.[a-z]{4,9}\Z")
_PATH = re.compile(r"(?:/[A-Za-z0-9_.@:+=,~%-]{1,255}){1,64}\Z")
_VERSION_START = re.compile(r"v?([0-9]{1,6})")
_CURSOR = re.compile(r"[a-z]=[0-9a-f]{1,32}(?:;[a-z]=[0-9a-f]{1,32}){2,9}\Z")
_STAMP = re.compile(r"[A-Z][a-z]{2} (\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) UTC\Z", re.ASCII)


class Malformed(ValueError):
    """A name outside the grammar was about to become part of a command: a defect of ours."""


def checked(parse: Callable[[str], str | None], text: str) -> str:
    """The text, where it matches; Malformed where it does not."""
    value = parse(text)
    if value is None:
        raise Malformed(f"{text[:80]!r} does not match {parse.__name__}")
    return value


def _matched(pattern: re.Pattern[str], text: str) -> str | None:
    return text if pattern.match(text) else None


def release_id(text: str) -> str | None:
    """A release's folder name: its version, a dash, 12 hex digits of its digest."""
    found = _matched(_RELEASE_ID, text)
    return None if found is None or ".." in found else found


def unit_digest(text: str) -> str | None:
    """A unit's digest: 64 hex digits, or 12 as earlier versions wrote it."""
    return _matched(_UNIT_DIGEST, text)


def digest(text: str) -> str | None:
    """64 hex digits."""
    return _matched(_DIGEST, text)


def token(text: str) -> str | None:
    """The name of one holder of a lock, one invocation of a unit or one run: 32 hex digits."""
    return _matched(_TOKEN, text)


def instance_id(text: str) -> str | None:
    """An EC2 instance's id."""
    return _matched(_INSTANCE_ID, text)


def zone(text: str) -> str | None:
    """An availability zone's name, such as `eu-west-1a`, or `all`."""
    return _matched(_ZONE, text)


def number(text: str, most: int = MOST_KIB) -> int | None:
    """A whole number from 0 to `most`, in ASCII digits."""
    if not _NUMBER.match(text):
        return None
    value = int(text)
    return value if value <= most else None


def pid(text: str) -> int | None:
    """A process id, 0 for none."""
    return number(text, MOST_PID)


def major_version(text: str) -> int | None:
    """The leading number of a program's version: 252 of `252.39-1`, `252~rc1` or `v252`."""
    match = _VERSION_START.match(text)
    return int(match[1]) if match else None


def word(text: str) -> str | None:
    """A word of systemd's, the kernel's or SELinux's: `active`, `exit-code`, `Enforcing`."""
    return _matched(_WORD, text)


def name(text: str) -> str | None:
    """An app's, a user's, a group's or a tool's name."""
    return None if text.strip(".") == "" else _matched(_NAME, text)


def unit_name(text: str) -> str | None:
    """A systemd unit's file name."""
    return None if ".." in text else _matched(_UNIT_NAME, text)


def any_unit_name(text: str) -> str | None:
    """A systemd unit's file name, of any type."""
    return _matched(_ANY_UNIT_NAME, text)


def service_name(text: str) -> str | None:
    """A service unit's name: in a record, that of a previous unit in place of a release."""
    return unit_name(text) if text.endswith(".service") else None


def path(text: str) -> str | None:
    """An absolute path without `..` and in plain characters."""
    return None if {"..", "."} & set(text.split("/")) else _matched(_PATH, text)


def journal_cursor(text: str) -> str | None:
    """The place of a line in a journal, as `journalctl` prints it."""
    return _matched(_CURSOR, text)


def timestamp(text: str) -> int | None:
    """Seconds since 1970 of systemd's `Sat 2026-11-28 06:00:00 UTC`."""
    match = _STAMP.match(text)
    if match is None:
        return None
    try:
        found = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(found.timestamp())


def printable(text: str) -> str | None:
    """Text of at most 800 printable characters: a person's name, a machine's, a time."""
    return text if text.isprintable() and len(text) <= MOST_TEXT else None


def json_object(text: str) -> dict[str, object] | None:
    """A JSON object; None for anything else: too long, nested too deep, NaN, another type."""
    if len(text) > MOST_JSON:
        return None

    def refuse(constant: str) -> object:
        raise ValueError(constant)

    try:
        found = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
