"""Finds the hosts that typed names mean: comma-separated, though a name may hold commas. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class TypedNames:
    """The names and ids of hosts, by which typed text is read that was cut at its commas."""

    def __init__(self, hosts: Iterable[tuple[str, str]]) -> None:
        """Take each host's name, and its instance's id."""
        self._known: dict[str, list[tuple[str, str]]] = {}
        for name, id_ in hosts:
            for text in {re.sub(r"\s*,\s*", ",", name), id_}:
                self._known.setdefault(text, []).append((name, id_))
        self._longest = max((text.count(",") + 1 for text in self._known), default=1)

    def names(self, given: Iterable[str]) -> tuple[str, ...]:
        """Return the names of the hosts that are meant; a part that is none stays as it is.

        Raises BadInput for text that can be read in more than one way, with the hosts' ids.
        """
        parts, found, at = tuple(given), list[str](), 0
        ways = self._ways(parts)
        if ways[0] > 1:
            raise BadInput(self._ambiguous(parts))
        while at < len(parts):
            sizes = [
                size for size, _ in self._hosts_at(parts, at) if not ways[0] or ways[at + size]
            ]
            size = max(sizes, default=1)
            text = ",".join(parts[at : at + size])
            found.append(self._known[text][0][0] if sizes else text)
            at += size
        return tuple(found)

    def _hosts_at(
        self, parts: Sequence[str], at: int
    ) -> Iterator[tuple[int, list[tuple[str, str]]]]:
        """The hosts that the text names which begins there, and how many parts each takes."""
        for size in range(1, min(self._longest, len(parts) - at) + 1):
            hosts = self._known.get(",".join(parts[at : at + size]))
            if hosts:
                yield size, hosts

    def _ways(self, parts: Sequence[str]) -> list[int]:
        """In how many ways all parts from each one on can be read as hosts."""
        ways = [*([0] * len(parts)), 1]
        for at in reversed(range(len(parts))):
            ways[at] = sum(len(hosts) * ways[at + n] for n, hosts in self._hosts_at(parts, at))
        return ways

    def _ambiguous(self, parts: Sequence[str]) -> str:
        """Which hosts may be meant, with what names each alone."""
        meant = {
            id_: name
            for at in range(len(parts))
            for _, hosts in self._hosts_at(parts, at)
            for name, id_ in hosts
        }
        listed = ", ".join(f"{id_} ({name!r})" for id_, name in meant.items())
        return f"{','.join(parts)!r} can be read in several ways; give hosts by their ids: {listed}"
