"""Units that run something of a staged release, beside the one that serves. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.unit import syntax

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.unit.rendering import RenderedUnit

# What would start it again, stop it slowly or by halves, name it on the bus, give it the sockets of
# the service that runs, or take away what that has made.
_LEFT_OUT = re.compile(
    r"Sockets|Exec(Stop|StopPost|Reload)|KillMode|Restart\w*|TimeoutStopSec|TimeoutSec|TimeoutAbortSec|TimeoutStopFailureMode|FinalKillSignal"
    r"|SendSIGKILL|PIDFile|BusName|RuntimeDirectoryPreserve|RuntimeMaxSec|RemoveIPC|FileDescriptor\w+"
)
STOP_SECONDS = 5
"""How long it may take to stop; nothing that it does is wanted."""


# What belongs to a service that stays up, and not to a command that ends.
_OF_SERVICE = re.compile(
    r"Type|NotifyAccess|Exec(Start|StartPre|StartPost|Condition|Stop|StopPost|Reload)|Restart\w*"
    r"|Watchdog\w+|Success\w+|Sockets|PIDFile|BusName|GuessMainPID|FileDescriptor\w+|RemoveIPC"
    r"|RuntimeDirectoryPreserve|RuntimeMaxSec|RemainAfterExit|TimeoutStartSec|TimeoutSec"
)


def started(unit: RenderedUnit, staged_path: str, seconds: int) -> str:
    """Give a unit that starts what a unit would, on the staged release, for some seconds at most.

    unit: rendered for the port that the release is to be tried on. Its state folders are those of
    the service that runs, as two slots share them.
    """
    app = unit.name.partition("@")[0]
    return _text(
        f"Changeover tries to start {app}",
        (each for each in _on_staged(unit, staged_path) if not _LEFT_OUT.fullmatch(each[0])),
        "Restart=no",
        "KillMode=control-group",
        "RuntimeDirectoryPreserve=yes",
        f"RuntimeMaxSec={seconds}",
        f"TimeoutStopSec={STOP_SECONDS}",
    )


def job(unit: RenderedUnit, staged_path: str, command: str, seconds: int) -> str:
    """Give a unit that runs a command to its end as a unit's service would, on the staged release.

    command: as ExecStart= has it; seconds: how long it may take. systemd remembers how it ended:
    the unit stays `active` after a success, and is `failed` otherwise.
    """
    app = unit.name.partition("@")[0]
    return _text(
        f"Changeover runs once for {app}",
        (each for each in _on_staged(unit, staged_path) if not _OF_SERVICE.fullmatch(each[0])),
        "Type=oneshot",
        f"ExecStart={command}",
        "RemainAfterExit=yes",
        "RuntimeDirectoryPreserve=yes",
        f"TimeoutStartSec={seconds}",
    )


def _on_staged(unit: RenderedUnit, staged_path: str) -> list[tuple[str, str]]:
    """A unit's assignments, in a unit of another name, with the staged release as its slot's."""
    app, _, slot = unit.name.removesuffix(".service").partition("@")
    known = {"%": "%%", "i": slot, "I": slot, "p": app, "n": unit.name, "N": f"{app}@{slot}"}
    text = re.sub(r"%([%iIpnN])", lambda found: known[found[1]], unit.text)
    link = re.compile(rf"{re.escape(f'/srv/{app}/slots/{slot}')}(?![\w.-])")
    return [
        (name, link.sub(lambda _: staged_path, value))
        for name, value in syntax.assignments(text, "Service")
    ]


def _text(description: str, kept: Iterable[tuple[str, str]], *more: str) -> str:
    lines = (f"{name}={value}" for name, value in kept)
    return "\n".join(("[Unit]", f"Description={description}", "[Service]", *lines, *more, ""))
