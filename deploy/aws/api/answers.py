"""Reads answers of the AWS API: a missing or malformed part becomes an error of ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_TEXT = 4096
_NUMBER = re.compile(r"[0-9]{1,9}(\.0{1,3})?", re.ASCII)


class Answer:
    """A structure of an answer; every reading raises UnexpectedAnswer, which names the field.

    where: the operation and the path of this structure, for messages.
    """

    def __init__(self, where: str, value: object) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise self._unexpected("", "no structure")
        self._fields: dict[object, object] = value

    def text(self, key: str, default: str | None = None) -> str:
        """A text of at most LONGEST_TEXT characters; `default` where it is absent."""
        value = self._fields.get(key, default)
        if not isinstance(value, str):
            raise self._unexpected(key, "absent" if value is None else "no text")
        if len(value) > LONGEST_TEXT:
            raise self._unexpected(key, f"longer than {LONGEST_TEXT:,} characters")
        return value

    def number(self, key: str, default: int | None = None, *, most: int = 10**9 - 1) -> int:
        """A whole number from 0 to `most`, also where it is written as a text."""
        value = self._fields.get(key, default)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value.partition(".")[0])
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise self._unexpected(key, "absent" if value is None else f"no number up to {most:,}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Whether something is so; `default` where it is absent."""
        value = self._fields.get(key, default)
        if not isinstance(value, bool):
            raise self._unexpected(key, "no true or false")
        return value

    def part(self, key: str) -> Answer:
        """A structure within this one; an empty one where it is absent."""
        return Answer(f"{self.where}.{key}", self._fields.get(key, {}))

    def parts(self, key: str, *, may_be_absent: bool = False) -> Iterator[Answer]:
        """The structures of a list."""
        for number, value in enumerate(self.items(key, may_be_absent=may_be_absent)):
            yield Answer(f"{self.where}.{key}[{number}]", value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self.items(key)
        found = tuple(value for value in values if isinstance(value, str))
        if len(found) < len(values) or any(len(value) > LONGEST_TEXT for value in found):
            raise self._unexpected(key, "no list of texts")
        return found

    def items(self, key: str, *, may_be_absent: bool = False) -> list[object]:
        """A list of anything."""
        value = self._fields.get(key, [] if may_be_absent else None)
        if not isinstance(value, list):
            raise self._unexpected(key, "absent" if value is None else "no list")
        return value

    def _unexpected(self, key: str, what: str) -> UnexpectedAnswer:
        path = f"{self.where}.{key}" if key else self.where
        return UnexpectedAnswer(
            f"AWS answered in an unexpected form: {path} is {what}; if something stands between "
            "here and AWS (a proxy, a captive portal), look there, and try again"
        )
