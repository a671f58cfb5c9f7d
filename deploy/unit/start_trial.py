"""A unit that starts a release for a while, beside the one that serves. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.unit import syntax

if TYPE_CHECKING:
    from deploy.unit.rendering import RenderedUnit

# What would start it again, stop it slowly or by halves, name it on the bus, give it the sockets of
# the service that runs, or take away what that has made.
_LEFT_OUT = re.compile(
    r"Sockets|Exec(Stop|StopPost|Reload)|KillMode|Restart\w*|TimeoutStopSec|TimeoutSec|TimeoutAbortSec|TimeoutStopFailureMode|FinalKillSignal"
    r"|SendSIGKILL|PIDFile|BusName|RuntimeDirectoryPreserve|RuntimeMaxSec|RemoveIPC|FileDescriptor\w+"
)
STOP_SECONDS = 5
"""How long it may take to stop; nothing that it does is wanted."""


def started(unit: RenderedUnit, staged_path: str, seconds: int) -> str:
    """Give a unit that starts what a unit would, on the staged release, for some seconds at most.

    unit: rendered for the port that the release is to be tried on. Its state folders are those of
    the service that runs, as two slots share them.
    """
    app, _, slot = unit.name.removesuffix(".service").partition("@")
    known = {"%": "%%", "i": slot, "I": slot, "p": app, "n": unit.name, "N": f"{app}@{slot}"}
    text = re.sub(r"%([%iIpnN])", lambda found: known[found[1]], unit.text)
    link = re.compile(rf"{re.escape(f'/srv/{app}/slots/{slot}')}(?![\w.-])")
    lines = [
        f"{name}={link.sub(lambda _: staged_path, value)}"
        for name, value in syntax.assignments(text, "Service")
        if not _LEFT_OUT.fullmatch(name)
    ]
    return "\n".join(
        (
            "[Unit]",
            f"Description=Changeover tries to start {app}",
            "[Service]",
            *lines,
            "Restart=no",
            "KillMode=control-group",
            "RuntimeDirectoryPreserve=yes",
            f"RuntimeMaxSec={seconds}",
            f"TimeoutStopSec={STOP_SECONDS}",
            "",
        )
    )
