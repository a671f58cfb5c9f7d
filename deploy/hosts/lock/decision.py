"""What a person decided about the deploy that holds the lock (promote, abort), by a majority.

Any workstation that reaches the hosts may decide; a decision names the deploy by its token, so that
it never counts for a later one.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.lock.view import LOOK_SECONDS, quorum
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.base import LOCK_LOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.scripts.script import Script
    from deploy.hosts.ssh.remote import Remote

T = TypeVar("T")

_LINE = re.compile(r"([0-9a-f]{32}) (promote|abort) ([ -~]{1,1000})\n?", re.ASCII)


class Word(enum.StrEnum):
    """A decision about a deploy that pauses."""

    PROMOTE = "promote"
    ABORT = "abort"


@dataclass(frozen=True)
class Decision:
    """A decision about one deploy.

    Attributes:
        token: The deploy's, as in its lock.
        word: What it is to do.
        by: Who decided, and when; text that a host gave.
    """

    token: str
    word: Word
    by: str

    @classmethod
    def parse(cls, raw: bytes | None) -> Decision | None:
        """Parse a host's decision; None for anything else."""
        found = _LINE.fullmatch((raw or b"").decode("ascii", "replace"))
        return cls(found[1], Word(found[2]), found[3]) if found else None


def read(environment: str, remotes: Mapping[str, Remote], token: str) -> Decision | None:
    """The decision about a deploy that a majority of all hosts shows; None where there is none."""
    shown = _answers(remotes, lock.show_decision(environment))
    found = [Decision.parse(raw) for raw in shown.values() if not isinstance(raw, DeployError)]
    own = [each for each in found if each and each.token == token]
    for word, count in Counter(each.word for each in own).items():
        if count >= quorum(len(remotes)):
            by = Counter(each.by for each in own if each.word is word)
            return Decision(token, word, by.most_common(1)[0][0])
    return None


def write(
    environment: str, remotes: Mapping[str, Remote], token: str, word: Word, by: str
) -> Mapping[str, str]:
    """Write a decision on every host; why it failed, by host.

    by: who decides, and when; at most some hundred characters.
    """
    failed: dict[str, str] = {}
    note = by.encode("ascii", "backslashreplace").decode()
    script = lock.decide(environment, token, word.value, note)
    for name, answer in _answers(remotes, script).items():
        if isinstance(answer, DeployError):
            failed[name] = str(answer)
        elif answer == LOCK_LOST:
            failed[name] = f"{name}: that deploy does not hold its lock"
        elif answer:
            failed[name] = f"{name}: exit code {answer}"
    return failed


def forget(environment: str, remotes: Mapping[str, Remote], token: str) -> None:
    """Remove what was decided before anything was to be decided; hosts that do not answer keep it.

    They are fewer than a majority, or the lock would not be held.
    """
    _answers(remotes, lock.forget_decision(environment, token))


def _answers(remotes: Mapping[str, Remote], script: Script[T]) -> dict[str, T | DeployError]:
    """Each host's answer, or its error, by name."""
    return dict(
        answers(
            remotes,
            lambda name: remotes[name].run_beside(script, LOOK_SECONDS),
            LOOK_SECONDS,
            MOST_HOSTS_AT_ONCE,
        )
    )
