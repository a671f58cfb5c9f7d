"""Logs each remote command and each AWS call as it ends, for --verbose.

A line names the intention, and never a command's text or a call's arguments: those have keys,
paths and settings in them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from deploy.clock import CLOCK
from deploy.errors import DeployError
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.command_result import CommandResult

LOG = logging.getLogger("changeover")
"""Nothing listens to it unless a command is asked to show it."""
MOST_CHARACTERS = 160
"""Of an error, whose full text is shown where it matters."""


def note(where: str, what: str, began: float, ended: str, level: int = logging.INFO) -> None:
    """Note that something has ended.

    Args:
        where: The host's name, or `AWS`.
        what: Its intention, such as `switching the release`.
        began: When it began, in seconds of CLOCK.monotonic.
        ended: How it ended: `exit status 0`, or an error.
        level: Of the log; DEBUG for what only keeps the lock.
    """
    if LOG.isEnabledFor(level):
        seconds = CLOCK.monotonic() - began
        first = ended.split("\n", 1)[0]
        said = visible(first, MOST_CHARACTERS)
        LOG.log(level, "%s: %s: %s, %.1f s", visible(where), visible(what), said, seconds)


class _OnHost(Protocol):
    @property
    def host(self) -> _Named: ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...


P = ParamSpec("P")
Remote = TypeVar("Remote", bound=_OnHost)
Transport = TypeVar("Transport")
Script = TypeVar("Script", bound=_Named)


def noted(
    run: Callable[Concatenate[Remote, Transport, Script, P], CommandResult],
) -> Callable[Concatenate[Remote, Transport, Script, P], CommandResult]:
    """Make what runs a host's scripts note how each ended.

    What runs beside other commands is noted only where it fails: these are the lock's heartbeats
    and looks, one every few seconds on each host.
    """

    def running(
        remote: Remote, transport: Transport, script: Script, /, *args: P.args, **kwargs: P.kwargs
    ) -> CommandResult:
        began, where = CLOCK.monotonic(), remote.host.name
        try:
            result = run(remote, transport, script, *args, **kwargs)
        except DeployError as error:
            note(where, script.name, began, str(error))
            raise
        is_upkeep = bool(kwargs.get("is_shared")) and not result.exit_code
        level = logging.DEBUG if is_upkeep else logging.INFO
        note(where, script.name, began, f"exit status {result.exit_code}", level)
        return result

    return running
