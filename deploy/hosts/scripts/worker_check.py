"""A worker's own check: a command that is run on its host, as the service is.

Builders of scripts, as in `read`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import values
from deploy.foreign_text import visible
from deploy.hosts.scripts.script import Script, program

if TYPE_CHECKING:
    from deploy.errors import CommandResult

MOST_BYTES = 300
"""How much of what a command prints last is shown."""
SANDBOX = {"NoNewPrivileges": "yes", "ProtectHome": "yes", "ProtectSystem": "full"}
"""What a command runs under besides the service's user; the settings may leave it out."""


@dataclass(frozen=True)
class Command:
    """A command of the settings, and what it runs with.

    Attributes:
        text: As the settings have it.
        words: The program and its arguments.
        app: The app's name.
        slot: The slot, in whose release's folder it runs.
        user: The service's user.
        group: That user's group.
        environment: Variables and their values.
        environment_file: A file on the host with more of them; empty for none.
        removed: Directives of the sandbox that the settings leave out.
    """

    text: str
    words: tuple[str, ...]
    app: str
    slot: int
    user: str
    group: str
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    environment_file: str = ""
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"`{self.text}`"


def run(command: Command, seconds: float) -> Script[tuple[int, str]]:
    """Run it, for so many seconds at most; its exit code, and the last line that it printed.

    Values of variables are no secrets: they stand in the unit too. Those of the file are read by
    systemd.
    """
    home = f"/srv/{values.checked(values.name, command.app)}"
    properties = {
        "User": values.checked(values.name, command.user),
        "Group": values.checked(values.name, command.group),
        "BindReadOnlyPaths": f"{home}/slots/{command.slot}:{home}/current",
        "WorkingDirectory": f"{home}/current",
        "RuntimeMaxSec": str(max(1, math.ceil(seconds))),
    }
    properties |= {key: value for key, value in SANDBOX.items() if key not in command.removed}
    if command.environment_file:
        properties["EnvironmentFile"] = command.environment_file
    options = [f"--property={key}={value}" for key, value in properties.items()]
    variables = {"HOME": f"/var/lib/{command.app}", **dict(command.environment)}
    options += [f"--setenv={name}={value}" for name, value in variables.items()]
    # systemd would put variables in their places.
    words = [word.replace("$", "$$") for word in command.words]
    check = program("run_check", MOST_BYTES, len(options), *options, *words)
    return Script("check", (check,), _answer)


def _answer(result: CommandResult) -> tuple[int, str]:
    """What `run_check` prints: the exit code as the last line, before it the command's own."""
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    *said, code = lines or [""]
    number = values.number(code.strip())
    if number is None:
        return result.exit_code or 1, visible(result.stderr.strip())[-MOST_BYTES:]
    return number, visible(said[-1].strip()) if said else ""
