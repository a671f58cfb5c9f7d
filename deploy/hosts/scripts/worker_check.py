"""Runs a worker's own check command on its host, in the service's environment.

Builders of scripts, as in `read`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from deploy import values
from deploy.foreign_text import visible
from deploy.hosts.scripts.script import Script, program

if TYPE_CHECKING:
    from deploy.command_result import CommandResult

MOST_BYTES = 300
"""How much of what a command prints last is shown."""
END_SECONDS = 3
"""How long a command may take to end when its time is over."""
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
        unit_name: The slot's unit, whose /tmp it sees.
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
    unit_name: str
    user: str
    group: str
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    environment_file: str = ""
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"`{self.text}`"


class Ran(NamedTuple):
    """How a command ended.

    Attributes:
        code: Its exit code, or systemd's status where it could not be started.
        said: The last line that it printed.
    """

    code: int
    said: str = ""

    @property
    def is_timeout(self) -> bool:
        """Whether its time was over, by timeout(1): it was asked to end, or killed."""
        return self.code in {124, 137}

    @property
    def is_systemds(self) -> bool:
        """Whether it was never started, which is no fault of the release (systemd.exec)."""
        return 200 <= self.code <= 245 or self.said.startswith("Failed to start transient ")  # noqa: PLR2004 - systemd's own


def run(command: Command, seconds: float) -> Script[Ran]:
    """Run it, for so many seconds at most.

    Values of variables are no secrets: they stand in the unit too. Those of the file are read by
    systemd.
    """
    home = f"/srv/{values.checked(values.name, command.app)}"
    whole = max(1, math.ceil(seconds))
    properties = {
        "User": values.checked(values.name, command.user),
        "Group": values.checked(values.name, command.group),
        "BindReadOnlyPaths": f"{home}/slots/{command.slot}:{home}/current",
        "WorkingDirectory": f"{home}/current",
        "RuntimeMaxSec": str(whole + END_SECONDS),
        "KillSignal": "SIGKILL",
        "PrivateTmp": "yes",
        "JoinsNamespaceOf": values.checked(values.unit_name, command.unit_name),
    }
    properties |= {key: value for key, value in SANDBOX.items() if key not in command.removed}
    if command.environment_file:
        properties["EnvironmentFile"] = command.environment_file
    options = [f"--property={key}={value}" for key, value in properties.items()]
    variables = {"HOME": f"/var/lib/{command.app}", **dict(command.environment)}
    options += [f"--setenv={name}={value}" for name, value in variables.items()]
    # systemd would put variables in their places.
    words = [word.replace("$", "$$") for word in command.words]
    check = program("run_check", MOST_BYTES, whole, len(options), *options, *words)
    return Script("check", (check,), _answer)


def _answer(result: CommandResult) -> Ran:
    """What `run_check` prints: the exit code as the last line, before it the command's own."""
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    *said, code = lines or [""]
    number = values.number(code.strip())
    if number is None:
        return Ran(result.exit_code or 1, visible(result.stderr.strip())[-MOST_BYTES:])
    return Ran(number, visible(said[-1].strip()) if said else "")
