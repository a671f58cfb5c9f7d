"""Tries a host before a deploy begins: its programs, its clock, an app's units.

Builders of scripts that change nothing; what they need is in a folder that is removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.base import UNIT_REFUSED
from deploy.hosts.scripts.script import Facts, Script, program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.command_result import CommandResult

PLACE = "/srv/.changeover-not-there"
"""A placeholder for the release in a unit's text, until the host puts a folder in its place."""


@dataclass(frozen=True)
class Tried:
    """The result of trying a host's programs.

    Attributes:
        clock: The host's time, in seconds since 1970; None where it did not say.
        failed: The programs that do not do what GNU's do, each with what it said.
    """

    clock: int | None
    failed: tuple[tuple[str, str], ...] = ()


def programs() -> Script[Tried]:
    """Try the programs that a deploy's scripts run; one that is absent is not tried."""
    acts = (program("gnu_trials"), program("try_host"), program("end_with_zero"))
    return Script("trying its programs", acts, _read)


def _read(result: CommandResult) -> Tried:
    facts = Facts(result.facts)
    failed: dict[str, str] = {}
    for text in facts.every("failed"):
        name, _, said = text.partition("\n")
        failed.setdefault(name.strip(), " ".join(said.split()))
    clock = facts.first("clock")
    seconds = int(clock) if clock.isascii() and clock.isdigit() else None
    return Tried(seconds, tuple(failed.items()))


def units(texts: Mapping[str, str], executable: str) -> Script[tuple[str, ...]]:
    """Ask what the host's systemd says of units, by their names; nothing where it accepts them.

    texts: with PLACE for the release; executable: the file of the release that they start, below
    it; empty for a program of the host.
    """
    words = [
        word
        for name, text in texts.items()
        for word in (values.checked(values.unit_name, name), text)
    ]
    act = program("try_units", PLACE, executable, *words)
    return Script("verifying the unit", (act,), _said)


def _said(result: CommandResult) -> tuple[str, ...]:
    lines = tuple(line for line in result.stdout.splitlines() if line.strip())
    if result.exit_code == UNIT_REFUSED:
        return lines or ("it gave no reason",)
    if result.exit_code:
        return (result.stderr.strip() or f"exit code {result.exit_code}",)
    return ()
