"""Asks hosts for the programs that a command needs, before anything is sent to them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

from deploy import values
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.foreign_text import visible
from deploy.hosts.scripts.script import Facts, Script, program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.command_result import CommandResult

T = TypeVar("T")

_MOST = 64
"""How many programs a host is asked for; a command needs two or three."""


class Host(Protocol):
    """The part of a `Remote` that is used here."""

    def ask(self, script: Script[T]) -> T:
        """Run a reading script; return its parser's value."""


def find(names: tuple[str, ...]) -> Script[tuple[str, ...]]:
    """Ask which of these programs a host lacks: absolute paths, or names on systemd's PATH."""

    def read(result: CommandResult) -> tuple[str, ...]:
        numbers = [
            values.number(each, len(names) - 1) for each in Facts(result.facts).every("missing")
        ]
        return tuple(names[number] for number in dict.fromkeys(numbers) if number is not None)

    return Script("looking for programs", (program("find_programs", *names),), read)


def lacking(
    remotes: Mapping[str, Host], wanted: Mapping[str, Mapping[str, str]]
) -> dict[str, tuple[str, ...]]:
    """Return a sentence for each host that lacks a program, by the host's name.

    wanted: by app, the programs that it needs and for what each.
    """
    names = tuple(dict.fromkeys(name for needed in wanted.values() for name in needed))[:_MOST]
    if not names:
        return {}
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        answers = pool.map(lambda name: _asked(name, remotes[name], names, wanted), remotes)
        return dict(zip(remotes, answers, strict=True))


def _asked(
    host: str, remote: Host, names: tuple[str, ...], wanted: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...]:
    try:
        missing = remote.ask(find(names))
    except DeployError as error:
        return (str(error),)
    return tuple(
        f"{host}: has no {visible(name)}, which {visible(needed[name])} of {app} needs; install it "
        "there, or correct the package or `command:`"
        for app, needed in wanted.items()
        for name in missing
        if name in needed
    )
