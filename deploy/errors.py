"""Every exception that Changeover raises on purpose.

DeployError                 exit code 1: a step failed
├── BadInput                exit code 2: refused, nothing was changed
│   ├── Unreachable         …a host or an API does not answer
│   ├── Unfit               …a host cannot run what it would get
│   ├── CredentialsRefused  …AWS does not take the credentials
│   └── NotAllowed          …AWS does not allow them a call
├── Locked                  exit code 3: another deploy holds the environment
│   └── LockLost            …and took it from this one
├── RemoteError             exit code 1: a host did not do what was asked
│   ├── ConnectionLost      …the connection broke
│   ├── LockDisputed        …it does not show this deploy's lock, though a majority does
│   ├── Unsettled           …it is starting or stopping
│   └── CommandFailed       …a command on it ended with another code than 0
├── NotProven               exit code 1: a release that was started does not answer, or stay up
├── NotPermitted            exit code 1: a hook or a person did not let a batch begin
└── BalancerError           exit code 1: the load balancer's API or a target failed
    ├── ApiError            …AWS answered a call with an error
    ├── UnexpectedAnswer    …the API's answer is not what was asked for, or does not end
    └── TakenOut            …something else takes the target out of service
"""

from __future__ import annotations

import difflib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.command_result import CommandResult

MOST_IN_A_LINE = 16_384
"""Characters of one line of a message, whatever it repeats."""


class DeployError(Exception):
    """What is wrong, where, and what to do; each argument is one line of the message.

    What a line repeats of hosts, AWS, packages or settings cannot break it or act on a terminal.
    """

    exit_code = 1
    blames_release = False
    """Whether the release that was tried is to blame, and not a network, an API or the host."""
    may_pass = False
    """Whether the same may work a moment later: a network or an API that is down, or too busy."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*(visible(each, MOST_IN_A_LINE) for each in lines))

    def __str__(self) -> str:
        return "\n".join(self.args)


class BadInput(DeployError):
    """Refused before the first change: a key, file, option, host or credential is wrong."""

    exit_code = 2


class Unreachable(BadInput):
    """A host or an API does not answer. Before the first change the command ends with it."""

    may_pass = True


class Unfit(BadInput):
    """A host cannot run what it would get; this was found before any change to what serves."""


class Locked(DeployError):
    """Another deploy holds this environment."""

    exit_code = 3


class LockLost(Locked):
    """Another deploy took the environment over; this one changes nothing more."""


class RemoteError(DeployError):
    """A host did not do what was asked."""


class ConnectionLost(RemoteError):
    """The connection to a host broke, so it is unknown whether its command ended."""

    may_pass = True


class LockDisputed(RemoteError):
    """A host refused a change, since the lock there is not ours, although a majority shows ours.

    Where the lock file was missing, it is being written again, so the same may work soon.
    """

    may_pass = True


class Unsettled(RemoteError):
    """A command failed on a host that is starting or stopping: it may work when that is over."""

    may_pass = True


class NotProven(DeployError):
    """A started release did not answer, or did not stay up."""

    blames_release = True


class NotPermitted(DeployError):
    """A hook, or a person whom a deploy waited for, did not let a batch begin."""


class BalancerError(DeployError):
    """The AWS API refused, or a target took a state that it cannot leave by waiting.

    Whether a target's state blames the release is decided in `survey.blame`.
    """


class TakenOut(BalancerError):
    """Something else takes a target out of service: its Auto Scaling group, or another client."""


class ApiError(BalancerError):
    """AWS answered a call with an error; `code` is AWS's own code."""

    def __init__(self, message: str, code: str, *, may_pass: bool) -> None:
        super().__init__(message)
        self.code = code
        self.may_pass = may_pass


class NotAllowed(BadInput):
    """AWS takes the credentials, and does not allow them a call.

    action: the call, as a policy names it; said: AWS's own words.
    """

    def __init__(self, message: str, action: str = "", said: str = "") -> None:
        super().__init__(message)
        self.action, self.said = action, said


class CredentialsRefused(BadInput):
    """AWS does not take the credentials; renewed ones are read at the next call."""

    may_pass = True


class UnexpectedAnswer(BalancerError):
    """An answer of the AWS API is malformed, too large, or too slow.

    A proxy's page in place of AWS's answer counts too: AWS may answer the next call.
    """

    may_pass = True


class CommandFailed(RemoteError):
    """A remote command ended with an exit code other than 0.

    That is the host's fault; of the start of a release, `survey.blame` decides whose.
    """

    def __init__(self, host: str, what: str, result: CommandResult) -> None:
        """Keep the result as data; `what` names the intention, not the shell line."""
        self.host = host
        self.what = what
        self.result = result
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
        said = f": {visible(lines[-1].strip())}" if lines else ""
        super().__init__(f"{host}: {what} ended with exit code {result.exit_code}{said}")


def as_deploy_error(error: Exception, what: str) -> DeployError:
    """Return an error as a DeployError; an unexpected one is a defect.

    what: what was being done, for the message.
    """
    if isinstance(error, DeployError):
        return error
    ours = DeployError(f"{what}: a defect in Changeover: {type(error).__name__}: {visible(error)}")
    ours.__cause__ = error
    return ours


@contextmanager
def reading(what: str, remedy: str) -> Iterator[None]:
    """The last guard around users' files: turn an unexpected exception into BadInput.

    Their readers are libraries with exceptions of every kind. It also decorates a function that
    reads. With CHANGEOVER_DEBUG the exception itself goes on, and shows where it comes from.

    what: the files that are read, as the message begins; remedy: what to do, as it ends.
    """
    try:
        yield
    except DeployError:
        raise
    except Exception as error:
        if os.environ.get("CHANGEOVER_DEBUG"):
            raise
        raise BadInput(
            f"{what} cannot be read: {type(error).__name__}: {visible(error, 400)}; {remedy}"
        ) from error


def nearest(word: str, known: Iterable[str]) -> str:
    """A question that names the known word most like this one; empty if none is like it."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
