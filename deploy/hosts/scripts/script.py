"""Remote commands as values: shell programs of this folder, their arguments, a parser.

A program is a file, `<name>.sh`. An argument becomes a positional parameter, and is quoted here and
nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from shlex import quote
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.command_result import CommandResult

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")

_COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)

TAKEN_OVER = "changeover: another shell took the input for its own commands"
"""What a script prints in place of running, where no command of ours has read its length."""


@cache
def source(name: str) -> str:
    """Return a program's text without the lines that are comments."""
    return _COMMENT.sub("", (resources.files(__package__) / f"{name}.sh").read_text("utf-8"))


@dataclass(frozen=True)
class Program:
    """A program of this folder with its arguments, which it finds as $1 and so on."""

    name: str
    arguments: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that a host's shell gets."""
        return f"set -- {_words(self.arguments)}\n{source(self.name)}"

    def __str__(self) -> str:
        return f"{self.name} {_words(self.arguments)}".strip()


def program(name: str, *arguments: str | int) -> Program:
    """Return a program with its arguments."""
    return Program(name, tuple(str(each) for each in arguments))


def text_of(programs: Iterable[Program]) -> str:
    """Return programs as one text, to be run in their order.

    Each has arguments of its own, and finds the functions and variables of those before it.
    """
    return "".join(each.text for each in programs)


@dataclass(frozen=True)
class Script(Generic[T_co]):
    """A remote command as a value: shell programs, and a parser of what they print.

    Attributes:
        name: What it is for, as messages have it: "switching the release".
        programs: What the host runs, in this order.
        parse: Makes the caller's value of the answer; raises a DeployError where it cannot.
        must_succeed: Whether an exit code other than 0 is no answer to a question. A change always
            has to end with 0.
    """

    name: str
    programs: tuple[Program, ...]
    parse: Callable[[CommandResult], T_co]
    must_succeed: bool = False

    @property
    def text(self) -> str:
        """The text that a host's shell gets."""
        return text_of(self.programs)

    def read_by(self, parse: Callable[[CommandResult], U]) -> Script[U]:
        """Return the same commands with another parser."""
        return Script(self.name, self.programs, parse, self.must_succeed)

    def __str__(self) -> str:
        return "; ".join(str(each) for each in self.programs)


def _words(arguments: Iterable[str]) -> str:
    return " ".join(quote(each) for each in arguments)


def as_it_is(result: CommandResult) -> CommandResult:
    """Parse nothing: the answer itself is wanted."""
    return result


def nothing(result: CommandResult) -> None:
    """Parse nothing: that it was done is enough."""
    del result


def exit_code(result: CommandResult) -> int:
    """Return the exit code, which is the answer."""
    return result.exit_code


class Facts:
    """The facts of one answer by key, and the keys whose values are unknown.

    A key may have several values. A line is `key=value`, `key:` and base64, or `key?` where the
    host itself saw that the value is not in plain characters.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        self._values: dict[str, list[str]] = {}
        self.unknown: list[str] = []
        for line in lines:
            key, sign, value = _split(line)
            if sign == "=":
                self._values.setdefault(key, []).append(value.strip(" "))
            elif sign == ":":
                self._values.setdefault(key, []).append(_decoded(value))
            elif sign == "?":
                self.unknown.append(key)

    def every(self, key: str) -> list[str]:
        """All values of a key, in order."""
        return self._values.get(key, [])

    def first(self, key: str) -> str:
        """The key's first value; empty where there is none."""
        return next(iter(self.every(key)), "")

    def pairs(self, prefix: str) -> dict[str, str]:
        """The first values of the keys that begin so, by the rest of the key."""
        return {
            key.removeprefix(prefix): found[0]
            for key, found in self._values.items()
            if key.startswith(prefix)
        }


def _split(line: str) -> tuple[str, str, str]:
    for place, character in enumerate(line):
        if character in "=:?":
            return line[:place], character, line[place + 1 :]
    return line, "", ""


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""
