"""A host's answer: the values that match the grammar, and the keys of those that do not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from deploy.hosts.scripts.script import Facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Value = TypeVar("Value")


class Reader:
    """The facts of one host; a value outside its grammar is left out, and its key noted."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._facts = Facts(tuple(lines))
        self.unknown = list(self._facts.unknown)

    def every(self, key: str, parse: Callable[[str], Value | None]) -> list[Value]:
        """The values of a key that match."""
        found: list[Value] = []
        for text in self._facts.every(key):
            value = parse(text)
            if value is None:
                self.unknown.append(key)
            else:
                found.append(value)
        return found

    def first(self, key: str, parse: Callable[[str], Value | None]) -> Value | None:
        """The first value of a key; None where it is absent, empty or does not match."""
        if not self._facts.first(key):
            return None
        return next(iter(self.every(key, parse)), None)

    def text(self, key: str) -> str:
        """The first value as it was printed, for what has a parser of its own."""
        return self._facts.first(key)

    def pairs(self, prefix: str, parsers: Mapping[str, Callable[[str], object]]) -> dict[str, str]:
        """The values of keys that begin with a prefix, by the rest of the key, as printed.

        Those that their parser refuses are noted as unknown.
        """
        shown = self._facts.pairs(prefix)
        for key, parse in parsers.items():
            if shown.get(key) and parse(shown[key]) is None:
                self.unknown.append(prefix + key)
        return shown
