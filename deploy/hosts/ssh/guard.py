"""The check before each change on a host, and what the exit codes of our commands mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from deploy.errors import CommandFailed, DeployError, RemoteError, Unsettled
from deploy.foreign_text import visible
from deploy.hosts.refusals.not_run import refusal
from deploy.hosts.scripts import base

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.command_result import CommandResult
    from deploy.hosts.scripts.script import Script


class Guard(Protocol):
    """What is asked before each change: the lock, which must still be this deploy's."""

    @property
    def fence(self) -> Script[int]:
        """Has a host itself refuse what follows, unless the lock there is ours."""

    def confirm(self) -> None:
        """Raise LockLost unless the lock is still ours, as far as is known here."""

    def refused(self, where: str) -> DeployError:
        """Ask a majority what a host's refusal means: LockLost, or that host's own error."""


def checked(host: Host, result: CommandResult, what: str, guard: Guard | None) -> CommandResult:
    """Return a result that is good; raise what its exit code means otherwise.

    what: the intention, for the message; guard: what a host's refusal of the lock is asked of.
    """
    if result.exit_code == base.LOCK_BUSY:
        raise RemoteError(
            f"{host}: {what}: another command of a deploy still runs there and holds "
            "the app's lock; look with `ps -ef | grep flock` and try again when it is done"
        )
    if result.exit_code == base.LOCK_LOST and guard:
        raise guard.refused(f"{host}: {what}")
    if result.exit_code == base.HOST_UNSETTLED:
        said = " ".join((result.stderr.strip() or result.stdout.strip()).splitlines()[-1:])
        raise Unsettled(f"{host}: {what} failed while it starts or stops: {visible(said)}")
    if result.exit_code:
        raise CommandFailed(host.name, what, result)
    return result


def not_run(host: Host, what: str, stdout: str, stderr: str) -> RemoteError:
    """Return the error for a command that the SSH user's login shell did not run."""
    return RemoteError(*refusal(f"{host}: {what}", "", 0, stdout, stderr))
