"""Reads and writes the records of a run-once command on many hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import BadInput, DeployError, LockLost, Unreachable
from deploy.folding import folded
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.lock.view import LOOK_SECONDS, faulty, quorum
from deploy.hosts.once import scripts
from deploy.hosts.once.evidence import Evidence
from deploy.hosts.once.record import OnceRecord
from deploy.hosts.scripts.base import LOCK_LOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.ssh.remote import Remote


def read(environment: str, remotes: Mapping[str, Remote], app: str, release: str) -> Evidence:
    """Read the records of a release on all hosts of an environment."""
    script = scripts.show(environment, app, release)
    records: dict[str, OnceRecord] = {}
    blank: set[str] = set()
    silent: dict[str, str] = {}

    def ask(name: str) -> tuple[bytes | None, bool]:
        return remotes[name].run_beside(script, LOOK_SECONDS)

    for name, answer in answers(remotes, ask, LOOK_SECONDS, MOST_HOSTS_AT_ONCE):
        if isinstance(answer, DeployError):
            silent[name] = str(answer)
            continue
        raw, has_history = answer
        if raw == b"":
            blank |= set() if has_history else {name}
            continue
        try:
            found = OnceRecord.parse(raw or b"")
        except BadInput as error:
            silent[name] = f"{name}: {error}"
            continue
        if found is None:
            silent[name] = f"{name}: its record of run_once cannot be read"
        else:
            records[name] = found
    return Evidence(len(remotes), records, frozenset(blank), silent)


@dataclass(frozen=True)
class Ledger:
    """Writes records on all hosts, for a deploy that holds the lock.

    Attributes:
        environment: By name.
        remotes: All hosts of the environment, by name.
        token: The deploy's, as in its lock.
    """

    environment: str
    remotes: Mapping[str, Remote]
    token: str

    def write(self, app: str, release: str, record: OnceRecord) -> None:
        """Write a record on all hosts, and return when a majority has it.

        Raises:
            LockLost: Another deploy took the environment over.
            Unreachable: No majority could be written to, which may pass.
        """
        size = len(self.remotes)
        script = scripts.record(self.environment, self.token, (app, release), record.as_line())
        failed: dict[str, str] = {}
        lost, done = set[str](), set[str]()

        def write_on(name: str) -> int:
            return self.remotes[name].run_beside(script, LOOK_SECONDS)

        def is_enough() -> bool:
            return len(done) >= quorum(size)

        for name, answer in answers(
            self.remotes, write_on, LOOK_SECONDS, MOST_HOSTS_AT_ONCE, is_enough
        ):
            if answer == 0:
                done.add(name)
            elif answer == LOCK_LOST:
                lost.add(name)
                failed[name] = f"{name}: this deploy does not hold its lock there"
            elif isinstance(answer, DeployError):
                failed[name] = str(answer)
            else:
                failed[name] = f"{name}: exit code {answer}"
        if is_enough():
            return
        if len(lost) > faulty(size):
            raise LockLost(f"{self.environment}: another deploy took it over")
        why = "; ".join(folded({name: (text,) for name, text in failed.items()}))
        raise Unreachable(
            f"that run_once is {record.state} counts where {quorum(size)} of {size} hosts have it "
            f"written down, and {len(done)} do: {why}"
        )
