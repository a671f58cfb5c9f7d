"""Reads each host, and tries its programs and compares its clock."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy.clock import CLOCK
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import Unreachable, as_deploy_error
from deploy.hosts import host_trial
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.environment import Environment
    from deploy.survey.facts import HostFacts

TRIAL_SECONDS = 60.0


@dataclass(frozen=True)
class HostLook:
    """The result of reading and trying one host.

    Attributes:
        facts: What a survey reads of it.
        connect_seconds: How long it took to connect and to log in.
        failed: The programs that do not do what GNU's do, each with what it said.
        clock_ahead: By how many seconds its clock is ahead of this workstation's, at least;
            negative where it is behind, 0 where they may agree.
    """

    facts: HostFacts
    connect_seconds: float
    failed: tuple[tuple[str, str], ...] = ()
    clock_ahead: float = 0.0


def look(
    environment: Environment, remotes: Mapping[str, Remote]
) -> tuple[tuple[HostLook, ...], dict[str, str]]:
    """Look at all hosts at once; and by name why others cannot be looked at.

    Nothing is changed there but a folder of its own, which is removed.
    """
    looks: list[HostLook] = []
    refused: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        begun = {name: pool.submit(_look, environment, each) for name, each in remotes.items()}
        for name, future in begun.items():
            try:
                looks.append(future.result())
            except Exception as error:  # noqa: BLE001 - whatever a host answers is its own failure
                refused[name] = str(as_deploy_error(error, name))
    return tuple(looks), refused


def _look(environment: Environment, remote: Remote) -> HostLook:
    began = CLOCK.monotonic()
    try:
        remote.connect()
    except Unreachable as error:
        if why := gather.down(remote.host):
            raise Unreachable(why) from error
        raise
    connected = CLOCK.monotonic()
    facts = gather.look(remote, environment)
    before = datetime.now(UTC).timestamp()
    tried = remote.ask(host_trial.programs(), TRIAL_SECONDS)
    after = datetime.now(UTC).timestamp()
    ahead = 0.0 if tried.clock is None else _ahead(tried.clock, before, after)
    return HostLook(facts, connected - began, tried.failed, ahead)


def _ahead(clock: int, before: float, after: float) -> float:
    """How far a host's clock is ahead that was read between two moments; it has whole seconds."""
    least, most = clock - after, clock + 1 - before
    return least if least > 0 else min(most, 0.0)
