"""Writes the record of a run to many hosts, and reads the records back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import DeployError
from deploy.folding import folded
from deploy.hosts.lock.many_hosts import answers
from deploy.hosts.scripts import history

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.logbook.run_record import RunRecord
    from deploy.hosts.ssh.remote import Remote

WRITE_SECONDS = 30.0
READ_SECONDS = 30.0


def written(environment: str, remotes: Mapping[str, Remote], record: RunRecord) -> str:
    """Write a record on all hosts at once; what to say where some have none, empty otherwise.

    Once most hosts have it, one that is silent is not waited for.
    """
    script = history.record_run(environment, record.file_name, record.as_line())
    failed: dict[str, str] = {}
    done = set[str]()

    def write_on(name: str) -> None:
        remotes[name].ask(script, WRITE_SECONDS)

    for name, answer in answers(
        remotes, write_on, WRITE_SECONDS, MOST_HOSTS_AT_ONCE, lambda: 2 * len(done) > len(remotes)
    ):
        if isinstance(answer, DeployError):
            failed[name] = str(answer)
        else:
            done.add(name)
    if not failed:
        return ""
    why = "; ".join(folded({name: (text,) for name, text in _in_order(failed, remotes).items()}))
    return f"not all hosts have the record of this run: {why}"


def read(
    environment: str, remotes: Mapping[str, Remote]
) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """The lines of all hosts, by name, and why others cannot be read."""
    script = history.show_runs(environment)
    found: dict[str, tuple[str, ...]] = {}
    failed: dict[str, str] = {}

    def ask(name: str) -> tuple[str, ...]:
        return remotes[name].ask(script, READ_SECONDS)

    for name, answer in answers(remotes, ask, READ_SECONDS, MOST_HOSTS_AT_ONCE):
        if isinstance(answer, DeployError):
            failed[name] = str(answer)
        else:
            found[name] = answer
    return found, _in_order(failed, remotes)


def _in_order(failed: Mapping[str, str], remotes: Mapping[str, Remote]) -> dict[str, str]:
    """The failures, which came as they came, in the order of the hosts."""
    return {name: failed[name] for name in remotes if name in failed}
