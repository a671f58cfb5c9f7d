"""The end of a drain: after the whole deregistration delay, or once the host is quiet."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import BalancerError, RemoteError, Unreachable
from deploy.hosts.scripts import connections
from deploy.steps.base import OnHost, Phase
from deploy.steps.fleet import Moment, Stopped

if TYPE_CHECKING:
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.scripts.connections import Connection
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet


STALE_SECONDS = 10.0
"""How long the API may show a drained target as receiving before that is held to be true."""


@dataclass(frozen=True)
class WaitDrained(OnHost):
    """Let requests in flight finish: the whole deregistration delay, by our own clock.

    heeds_stop: whether it ends when the operator wants an end, so that the host goes back in.
    """

    phase = Phase.DRAIN

    seconds: float
    heeds_stop: bool = field(default=True, repr=False)

    def estimated_seconds(self, group: TargetGroup) -> float:
        """Return how long the settings have it wait."""
        del group
        return self.seconds

    def run(self, fleet: Fleet) -> None:
        """Wait, then read the state once; Stopped when the operator wants an end.

        AWS shows `draining` for the full delay even when nothing is in flight, so the state does
        not show when it is over (ALB guide, deregistration delay).
        """
        began = fleet.marked(self.host, self.app, Moment.DEREGISTERED)
        end = began + self.seconds
        while (left := end - fleet.clock.monotonic()) > 0:
            gone = fleet.clock.monotonic() - began
            fleet.tell(self.host.name, f"draining, {gone:.0f} of {self.seconds:g} s")
            if not self.heeds_stop:
                fleet.clock.sleep(min(left, 0.5))
            elif fleet.clock.wait(fleet.stop, min(left, 0.5)):
                raise Stopped(f"{self.host}: stopped while draining")
        refuse_returned(fleet, self, end)

    def __str__(self) -> str:
        return f"drain {self.app.slot_mark}{self.seconds:g} s"


def refuse_returned(fleet: Fleet, drain: Step, end: float) -> None:
    """Read the state at a drain's end; BalancerError where it may be sent requests again.

    Read again for a while, since a reading may be of the time before the drain.
    """
    health = fleet.until_out(drain.host, drain.app, end, STALE_SECONDS)
    if health.may_receive:
        raise BalancerError(
            f"{drain.host}: the target is {health} again at the end of its drain; something "
            "else registered it"
        )


SAMPLE_SECONDS = 0.5


ASK_SECONDS = 5.0


@dataclass(frozen=True)
class WaitQuiet(OnHost):
    """Let requests in flight finish: the propagation floor, and longer while the host is busy.

    The kernel's figures never end it early: what they cannot show, the service itself finishes
    after its SIGTERM. floor_seconds: no end before; quiet_seconds: no busy connection for so
    long, which may lie inside the floor; seconds: no later end, the deregistration delay;
    heeds_stop: whether it ends when the operator wants an end, so that the host goes back in.
    """

    phase = Phase.DRAIN

    floor_seconds: float
    quiet_seconds: float
    seconds: float
    heeds_stop: bool = field(default=True, repr=False)

    @property
    def least_seconds(self) -> float:
        """How long it takes where no connection is ever busy."""
        return min(max(self.floor_seconds, self.quiet_seconds), self.seconds)

    def estimated_seconds(self, group: TargetGroup) -> float:
        """Return how long the settings have it wait."""
        del group
        return self.least_seconds

    def run(self, fleet: Fleet) -> None:
        """Wait out the floor, look until it is quiet, then read the target's state once.

        A look that fails shows nothing, so it counts as a busy one. Raises Stopped when the
        operator wants an end.
        """
        began = fleet.marked(self.host, self.app, Moment.DEREGISTERED)
        floor, limit = began + self.floor_seconds, began + self.seconds
        while (now := fleet.clock.monotonic()) < floor - self.quiet_seconds:
            fleet.tell(self.host.name, self._gone(fleet, began))
            self._pause(fleet, min(now + SAMPLE_SECONDS, floor - self.quiet_seconds))
        before: tuple[Connection, ...] | None = None
        quiet_since = math.inf
        while (now := fleet.clock.monotonic()) < limit:
            try:
                seen = self._look(fleet, limit - now)
            except (RemoteError, Unreachable) as error:
                before, quiet_since = None, math.inf
                state = f"its connections cannot be seen: {error}"
            else:
                count = connections.busy(seen, before)
                before = seen
                quiet_since = math.inf if count else min(quiet_since, fleet.clock.monotonic())
                if now >= max(floor, quiet_since + self.quiet_seconds):
                    break
                state = self._state(count, max(0.0, now - quiet_since))
            fleet.tell(self.host.name, f"{state}; {self._gone(fleet, began)}")
            self._pause(fleet, min(now + SAMPLE_SECONDS, limit))
        refuse_returned(fleet, self, fleet.clock.monotonic())

    def _look(self, fleet: Fleet, left: float) -> tuple[Connection, ...]:
        """Ask the kernel once; an error where it cannot be asked, or does not say."""
        script = connections.established(self.app.port)
        return fleet.remote(self.host).ask(script, min(ASK_SECONDS, left))

    def _state(self, count: int, quiet: float) -> str:
        noun = "connection" if count == 1 else "connections"
        return f"{count} {noun} busy, quiet for {quiet:.0f} of {self.quiet_seconds:g} s"

    def _gone(self, fleet: Fleet, began: float) -> str:
        gone = fleet.clock.monotonic() - began
        return f"draining for {gone:.0f} of {self.floor_seconds:g} to {self.seconds:g} s"

    def _pause(self, fleet: Fleet, until: float) -> None:
        left = max(0.0, until - fleet.clock.monotonic())
        if not self.heeds_stop:
            fleet.clock.sleep(left)
        elif fleet.clock.wait(fleet.stop, left):
            raise Stopped(f"{self.host}: stopped while draining")

    def __str__(self) -> str:
        return (
            f"drain {self.app.slot_mark}until quiet, {self.floor_seconds:g} to {self.seconds:g} s"
        )
