"""Parses what `find` printed of owners, modes and types of paths on a host. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.hosts.service_user import decoded

PRINTED = r"%m %U %G %n %y %p\0%l\0"
"""The format for find's -printf whose output, in hexadecimal, `entries` reads."""

_MODE = re.compile(r"[0-7]{1,6}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_FACTS = 6


@dataclass(frozen=True)
class Entry:
    """One path of a host, as lstat(2) sees it.

    Attributes:
        mode: The permission bits.
        kind: find's letter for the type: f, d, l, p, s, b or c.
        target: What a link points to, empty for others.
    """

    path: str
    mode: int
    uid: int
    gid: int
    links: int
    kind: str
    target: str


def way(path: str) -> list[str]:
    """A path with all its parent folders, the topmost first, `/` left out."""
    parts = [part for part in path.split("/") if part]
    return ["/" + "/".join(parts[: number + 1]) for number in range(len(parts))]


def entries(value: str) -> dict[str, Entry]:
    """The facts by path; a record that is none is passed over."""
    words = decoded(value).split("\0")
    found: dict[str, Entry] = {}
    for facts, target in zip(words[::2], words[1::2], strict=False):
        fields = facts.split(" ", _FACTS - 1)
        if len(fields) != _FACTS or not all(_NUMBER.fullmatch(each) for each in fields[:4]):
            continue
        mode, uid, gid, links, kind, path = fields
        if _MODE.fullmatch(mode) and path.startswith("."):
            place = path[1:] or "/"
            numbers = (int(mode, 8), int(uid), int(gid), int(links))
            found[place] = Entry(place, *numbers, kind, target)
    return found
