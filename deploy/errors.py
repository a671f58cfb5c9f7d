"""Everything that Changeover raises on purpose.

DeployError                 exit code 1: a step failed
├── BadInput                exit code 2: refused at the door, nothing was changed
├── Locked                  exit code 3: another deploy holds the environment
├── RemoteError             exit code 1: a host did not do what was asked
│   └── CommandFailed       …a command on it ended with another code than 0
└── BalancerError           exit code 1: the load balancer's API or a target did not
"""

from __future__ import annotations

from dataclasses import dataclass


class DeployError(Exception):
    """One sentence for the person at the keyboard: what, where, what would be right."""

    exit_code = 1
    blames_release = False
    """Whether the release that was tried is to blame, and not a network, an API or the host."""


class BadInput(DeployError):
    """Refused before the first change: a key, file, option, host or credential is wrong."""

    exit_code = 2


class Locked(DeployError):
    """Another deploy holds this environment."""

    exit_code = 3


class RemoteError(DeployError):
    """A host could not be reached, or the connection to it broke."""


class BalancerError(DeployError):
    """The AWS API refused, or a target took a state that it cannot leave by waiting."""

    blames_release = True


@dataclass(frozen=True)
class CommandResult:
    """What a remote command left behind; `seconds` is wall time."""

    command: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float = 0.0


class CommandFailed(RemoteError):
    """A remote command ended with an exit code other than 0."""

    blames_release = True

    def __init__(self, host: str, what: str, result: CommandResult) -> None:
        """Keep the result as data; `what` names the intention, not the shell line."""
        self.host = host
        self.what = what
        self.result = result
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
        said = f": {lines[-1].strip()}" if lines else ""
        super().__init__(f"{host}: {what} ended with exit code {result.exit_code}{said}")
