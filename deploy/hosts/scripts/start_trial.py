"""Builds scripts that start a staged release for a while beside the one that serves. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.script import Script, nothing, program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.command_result import CommandResult


def unit_name(app: str) -> str:
    """Return the name of the unit of an app's trial, which lies under /run."""
    return f"changeover-start.{values.checked(values.name, app)}.service"


def start(app: str, sizes: Sequence[tuple[int, int]]) -> Script[int | None]:
    """Start a release on the first of these ports that is free; the port, or None where none is.

    sizes: for each port the bytes of its unit's text, which come from stdin one after the other.
    What a trial before left is ended first.
    """
    words = [word for pair in sizes for word in pair]
    act = program("start_trial", unit_name(app), *words)
    return Script("starting the release for a trial", (act,), _port)


def end(app: str) -> Script[None]:
    """End a trial, and remove its unit; nothing where there is none."""
    act = program("end_trial", unit_name(app))
    return Script("ending the trial", (act,), nothing)


def _port(result: CommandResult) -> int | None:
    return values.number(result.stdout.strip())
