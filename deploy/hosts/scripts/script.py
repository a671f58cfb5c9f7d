"""Remote commands as values: the programs of this folder, their arguments, and a parser.

A program is a file, `<name>.sh`. An argument becomes a positional parameter, and is quoted here and
nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from shlex import quote
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.errors import CommandResult

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
        """What a host's shell is given."""
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
    """What a host is to do or to answer.

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
        """What a host's shell is given."""
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
