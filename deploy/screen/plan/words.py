"""Hosts, bytes and times in few words. Pure."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.natural_order import natural

if TYPE_CHECKING:
    from collections.abc import Iterable

_FEW = 3
"""So many names, or ranges of names, are listed."""
_LAST_NUMBER = re.compile(r"(.*?)([0-9]+)(\D*)\Z", re.DOTALL)
_KILO = 1000


def hosts(names: Iterable[str]) -> str:
    """Hosts in natural order: `web-a01 … web-a06 (6 hosts)`, or their names where they are few."""
    ordered = sorted(dict.fromkeys(names), key=natural)
    if len(ordered) <= _FEW:
        return ", ".join(visible(name) for name in ordered)
    ranges = _ranges(ordered)
    shown, rest = ranges[:_FEW], ranges[_FEW:]
    listed = ", ".join(
        f"{visible(each[0])} … {visible(each[-1])}"
        if len(each) >= _FEW
        else ", ".join(map(visible, each))
        for each in shown
    )
    more = f" and {sum(map(len, rest))} more" if rest else ""
    return f"{listed}{more} ({len(ordered)} hosts)"


def _ranges(ordered: list[str]) -> list[list[str]]:
    """Names that differ by one in their last number alone, together."""
    found = [[ordered[0]]]
    for before, name in pairwise(ordered):
        if _follows(before, name):
            found[-1].append(name)
        else:
            found.append([name])
    return found


def _follows(before: str, name: str) -> bool:
    first, second = _LAST_NUMBER.fullmatch(before), _LAST_NUMBER.fullmatch(name)
    if not (first and second) or first.group(1, 3) != second.group(1, 3):
        return False
    return int(second[2]) == int(first[2]) + 1


def size(count: int) -> str:
    """Bytes: `640 bytes`, `12 kB`, `5.5 MB`, `1.2 GB`."""
    if count < _KILO:
        return f"{count} byte{'s' * (count != 1)}"
    if count < _KILO**2:
        return f"{count / _KILO:.0f} kB"
    if count < _KILO**3:
        return f"{count / _KILO**2:.1f} MB"
    return f"{count / _KILO**3:.1f} GB"


def number(count: int, what: str) -> str:
    """A count and what is counted: `1 host`, `12 hosts`."""
    return f"{count} {what}{'s' * (count != 1)}"
