"""Everything that Changeover raises on purpose.

DeployError                 exit code 1: a step failed
├── BadInput                exit code 2: refused at the door, nothing was changed
│   ├── Unreachable         …a host or an API does not answer
│   └── Unfit               …a host cannot run what it would get
├── Locked                  exit code 3: another deploy holds the environment
│   └── LockLost            …and took it from this one
├── RemoteError             exit code 1: a host did not do what was asked
│   ├── ConnectionLost      …the connection broke
│   ├── Unsettled           …it is starting or stopping
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

    may_pass = False
    """Whether the same may work a moment later: a network or an API that is down, or too busy."""


class BadInput(DeployError):
    """Refused before the first change: a key, file, option, host or credential is wrong."""

    exit_code = 2


class Unreachable(BadInput):
    """A host or an API does not answer: before the first change an error, later a fault."""

    may_pass = True


class Unfit(BadInput):
    """A host cannot run what it would get; found before anything that serves was touched."""


class Locked(DeployError):
    """Another deploy holds this environment."""

    exit_code = 3


class LockLost(Locked):
    """Another deploy took the environment over; this one may not change anything any more."""


class RemoteError(DeployError):
    """A host did not do what was asked."""


class ConnectionLost(RemoteError):
    """The connection to a host broke, so nobody knows how far its command came."""

    may_pass = True


class Unsettled(RemoteError):
    """A command failed on a host that is starting or stopping: it may work when that is over."""

    may_pass = True


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
