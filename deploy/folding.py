"""Makes one line of the same problem on several hosts. Pure.

A problem of a host is a text that begins with the host's name, `web-1: …` or `web-1 (10.0.0.1): …`.
Further lines of one that begin with two spaces are its details.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DETAIL = "  "
_MOST_NAMES = 3
_ADDRESS = re.compile(r" \([^()]*\)")


def folded(problems: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return the lines of all hosts' problems, in the order in which they first come.

    problems: by the host's name; each may have several lines. A problem that several hosts have is
    one line with their names, and below it the details of all of them, each once.
    """
    hosts: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    details: dict[str, dict[str, None]] = {}
    for name, lines in _lines(problems):
        key = ""
        for text in lines:
            if text.startswith(DETAIL) and key:
                details[key][text] = None
                continue
            key = without_name(text, name)
            first.setdefault(key, text)
            details.setdefault(key, {})
            if name not in hosts.setdefault(key, []):
                hosts[key].append(name)
    return tuple(
        line
        for key, names in hosts.items()
        for line in (first[key] if len(names) == 1 else f"{listed(names)}{key}", *details[key])
    )


def joined(texts: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return a line for each different text, behind the names of all hosts that have it.

    texts: a host's name, and what there is to say of it, without the name.
    """
    hosts: dict[str, list[str]] = {}
    for name, text in texts:
        hosts.setdefault(text, []).append(name)
    return tuple(f"{', '.join(names)}: {text}" for text, names in hosts.items())


def short(text: str) -> str:
    """Return a problem as one line, without its details."""
    return "; ".join(each for each in text.split("\n") if not each.startswith(DETAIL))


def listed(names: Sequence[str]) -> str:
    """Return the names of several hosts: `12 hosts (web-1, web-2, web-3 and 9 more)`."""
    shown, rest = ", ".join(names[:_MOST_NAMES]), len(names) - _MOST_NAMES
    return f"{len(names)} hosts ({shown}{f' and {rest} more' if rest > 0 else ''})"


def without_name(text: str, name: str) -> str:
    """Return what stands behind a host's name and address; all of a text that names another."""
    rest = text.removeprefix(name)
    if rest == text:
        return f": {text}"
    address = _ADDRESS.match(rest)
    return rest[address.end() :] if address else rest


def _lines(problems: Mapping[str, Iterable[str]]) -> Iterable[tuple[str, list[str]]]:
    for name, texts in problems.items():
        for text in texts:
            yield name, text.split("\n")
