"""What Auto Scaling does with the hosts while a command runs; one call answers all threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from deploy.aws import instances, scaling_groups
from deploy.clock import CLOCK, Clock
from deploy.errors import DeployError, NotAllowed
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.api.account import Account
    from deploy.aws.inventory import Host

GATHER_SECONDS = 0.02
SILENT_SECONDS = 60.0
"""How long a call that failed is not made again: each costs its retries, while hosts wait."""
FRESH_SECONDS = 2.0
"""How old a reading may be before a registration: hosts of a batch cost few calls."""


class Members:
    """The hosts of one command, and what their Auto Scaling groups do with them.

    A group that ends an instance deregisters its target first, waits for the entire deregistration
    delay, and only then terminates it (Auto Scaling user guide, "Use Elastic Load Balancing"). EC2
    shows it as running meanwhile: only its lifecycle state says that it never comes back.
    """

    def __init__(self, account: Account, hosts: Iterable[Host], clock: Clock = CLOCK) -> None:
        """Ask nothing yet."""
        self._account, self._clock = account, clock
        self._ids = frozenset(host.instance_id for host in hosts if host.scaling_group)
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}
        self._read_at: float | None = None
        self._error: DeployError | None = None
        self._failed_at = 0.0

    def ended(self, host: Host) -> str:
        """Return the state of a host's instance that never comes back; empty where it may.

        Raises:
            DeployError: EC2 does not say, and Auto Scaling does not say that it ends.
        """
        try:
            state = self._state(host, self._clock.monotonic())
        except DeployError:
            state = ""  # EC2 may know it
        if scaling_groups.is_ending(state):
            return _shown(host, state)
        return instances.ended(self._account, host.instance_id)

    def withheld(self, host: Host) -> str:
        """Return the state in which a host's group keeps it out of service; empty for none.

        Where the call is not allowed, it is empty too: that was reported at the start.

        Raises:
            DeployError: AWS does not answer.
        """
        state = self._state(host, self._clock.monotonic() - FRESH_SECONDS)
        return "" if state in {"", scaling_groups.IN_SERVICE} else _shown(host, state)

    def _state(self, host: Host, moment: float) -> str:
        """A host's lifecycle state, read at or after a moment; empty for one of no group.

        Those who ask within the same moment share one call for all.
        """
        if host.instance_id not in self._ids:
            return ""
        with self._lock:
            if self._is_due(moment):
                self._clock.sleep(GATHER_SECONDS)
                self._read()
            if self._error and not isinstance(self._error, NotAllowed):
                raise self._error
            return self._states.get(host.instance_id, "")

    def _is_due(self, moment: float) -> bool:
        """Whether to ask AWS, for a reading at or after a moment."""
        if isinstance(self._error, NotAllowed):
            return False
        if self._error:
            return self._clock.monotonic() >= self._failed_at + SILENT_SECONDS
        return self._read_at is None or self._read_at < moment

    def _read(self) -> None:
        self._states, self._error = {}, None
        self._read_at = self._clock.monotonic()
        try:
            self._states = scaling_groups.lifecycles(
                self._account, self._ids, self._clock, patience_seconds=0.0
            )
        except DeployError as error:
            self._error, self._failed_at = error, self._clock.monotonic()


def _shown(host: Host, state: str) -> str:
    return f"{visible(state)} in the Auto Scaling group {visible(host.scaling_group)}"
