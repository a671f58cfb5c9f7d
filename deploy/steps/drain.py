"""Steps that drain a host: for the whole deregistration delay, or until it is quiet."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import BalancerError, RemoteError, Unreachable
from deploy.hosts.scripts import connections
from deploy.steps.base import OnHost, Phase, Timed
from deploy.steps.fleet import Moment, Stopped
from deploy.steps.senders import Senders
from deploy.steps.shorter_drain import SAMPLE_SECONDS, had_no_request, watched_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.scripts.connections import Connection
    from deploy.steps.fleet import Fleet


STALE_SECONDS = 10.0
"""How long the API may show a drained target as receiving before that is held to be true."""
ASK_SECONDS = 5.0
WATCHED_SECONDS, LOOK_SECONDS = 10.0, 2.5
"""How long a port is watched right before a delay ends, and at a time: a stop waits for a look."""
UNSEEN = "its connections cannot be seen, nor whether requests still arrive"
LEAST_LOOKS = 5
"""How often a busy port is looked at after its floor; the last two looks show no ended ones."""


@dataclass(frozen=True)
class WaitDrained(Timed):
    """Let requests in flight finish: the whole deregistration delay, by our own clock.

    heeds_stop: whether it ends when the operator wants an end, so that the host goes back in;
    stops_service: whether a service that works is stopped afterwards, and so must get no requests;
    is_out: whether no group knew the target when this was planned: then it counts from its own
    beginning, and but shows whether requests reach the service by another way.
    """

    phase = Phase.DRAIN

    heeds_stop: bool = field(default=True, repr=False)
    stops_service: bool = field(default=True, repr=False, compare=False)
    is_out: bool = field(default=False, repr=False)

    def run(self, fleet: Fleet) -> None:
        """Wait, then see that nothing sends any more, and read the state once.

        AWS shows `draining` for the full delay even when nothing is in flight, so the state does
        not show when it is over (ALB guide, deregistration delay). Raises Stopped when the
        operator wants an end.
        """
        if not self.stops_service and had_no_request(fleet, self):
            refuse_returned(fleet, self, fleet.clock.monotonic())
            return
        now, moment = fleet.clock.monotonic(), Moment.DEREGISTERED
        began = now if self.is_out else fleet.marked(self.host, self.app, moment)
        first = began + (0 if self.is_out else fleet.propagation_seconds)
        least = watched_seconds(fleet.propagation_seconds)
        end = max(began + self.seconds, first + least)
        senders = Senders(fleet.ignore_peers)
        self._wait(fleet, began, first)
        _see(fleet, self, senders)
        self._wait(fleet, began, end - WATCHED_SECONDS)
        looks = max(2, math.ceil((end - fleet.clock.monotonic()) / LOOK_SECONDS - 0.1))
        for left in range(looks, 0, -1):
            self._tell(fleet, began)
            seconds = max(SAMPLE_SECONDS, (end - fleet.clock.monotonic()) / left)
            _see(fleet, self, senders, seconds)
        if self.stops_service:
            refuse_senders(fleet, self, senders)
        refuse_returned(fleet, self, end)

    def _wait(self, fleet: Fleet, began: float, moment: float) -> None:
        while (left := moment - fleet.clock.monotonic()) > 0:
            self._tell(fleet, began)
            _pause(fleet, self, min(left, SAMPLE_SECONDS))

    def _tell(self, fleet: Fleet, began: float) -> None:
        gone = fleet.clock.monotonic() - began
        what = "watching for requests" if self.is_out else "draining"
        fleet.tell(self.host.name, f"{what}, {gone:.0f} of {self.seconds:g} s")

    def __str__(self) -> str:
        if self.is_out:
            return f"see for {self.seconds:g} s that no requests reach {self.app.unit_name}"
        return f"drain {self.app.slot_mark}{self.seconds:g} s"


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

    def estimated_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long the settings have it wait."""
        del groups
        return self.least_seconds

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return max(self.seconds, self.floor_seconds)

    def run(self, fleet: Fleet) -> None:
        """Wait out the floor, look until it is quiet, then read the target's state once.

        A look that fails counts as a busy one. Raises Stopped when the operator wants an end.
        """
        began = fleet.marked(self.host, self.app, Moment.DEREGISTERED)
        floor = began + self.floor_seconds
        # Behind another app's drain its own time may be over before it begins.
        least = max(floor, fleet.clock.monotonic()) + LEAST_LOOKS * SAMPLE_SECONDS
        limit = max(began + self.seconds, least)
        while (now := fleet.clock.monotonic()) < floor - self.quiet_seconds:
            fleet.tell(self.host.name, self._gone(fleet, began))
            until = min(now + SAMPLE_SECONDS, floor - self.quiet_seconds)
            _pause(fleet, self, until - fleet.clock.monotonic())
        before: tuple[Connection, ...] | None = None
        quiet_since, senders, blind = math.inf, Senders(fleet.ignore_peers), ""
        while (now := fleet.clock.monotonic()) < limit:
            is_last = limit - now < 2 * SAMPLE_SECONDS
            try:
                seconds = 0 if is_last else SAMPLE_SECONDS
                seen = look(fleet, self.host, self.ports, seconds, limit - now)
            except (RemoteError, Unreachable) as error:
                before, quiet_since = None, math.inf
                blind, state = str(error), f"its connections cannot be seen: {error}"
                senders.miss(fleet.clock.monotonic())
            else:
                blind, answered = "", fleet.clock.monotonic()
                work = [each for each in seen if not each.has_ended or senders.counts(each)]
                count = connections.busy(work, before)
                if now >= floor and not is_last:  # it would not show what has ended
                    senders.see(seen, answered)
                # Of a connection that has ended, and in the first look, only the end is known.
                since = now if connections.have_lasted(before, seen) else answered
                quiet_since = math.inf if count else min(quiet_since, since)
                quiet_seconds = max(0.0, now + seconds - quiet_since)
                clean_at = senders.clean_at(fleet.propagation_seconds)
                if now >= max(floor, clean_at) and quiet_seconds >= self.quiet_seconds:
                    break
                before, state = seen, self._state(count, quiet_seconds)
            fleet.tell(self.host.name, f"{state}; {self._gone(fleet, began)}")
            _pause(fleet, self, min(now + SAMPLE_SECONDS, limit) - fleet.clock.monotonic())
        if blind:
            fleet.remark(self.host.name, f"{self.app.unit_name}: {UNSEEN}: {blind}")
        refuse_senders(fleet, self, senders)
        refuse_returned(fleet, self, fleet.clock.monotonic())

    def _state(self, count: int, quiet: float) -> str:
        noun = "connection" if count == 1 else "connections"
        return f"{count} {noun} busy, quiet for {quiet:.0f} of {self.quiet_seconds:g} s"

    def _gone(self, fleet: Fleet, began: float) -> str:
        gone = fleet.clock.monotonic() - began
        return f"draining for {gone:.0f} of {self.floor_seconds:g} to {self.seconds:g} s"

    def __str__(self) -> str:
        return (
            f"drain {self.app.slot_mark}until quiet, {self.floor_seconds:g} to {self.seconds:g} s"
        )


Drain = WaitDrained | WaitQuiet


def look(
    fleet: Fleet, host: Host, ports: Sequence[int], seconds: float, most_seconds: float = math.inf
) -> tuple[Connection, ...]:
    """Ask the kernel, for so long; an error where it cannot be asked, or does not say."""
    script = connections.established(ports, seconds)
    return fleet.remote(host).ask(script, min(seconds + ASK_SECONDS, most_seconds))


def _see(fleet: Fleet, drain: Drain, senders: Senders, seconds: float = 0.0) -> None:
    """Have senders looked for, for so long; where nothing can be seen, say so and go on."""
    end = fleet.clock.monotonic() + seconds
    try:
        seen = look(fleet, drain.host, drain.ports, seconds)
    except (RemoteError, Unreachable) as error:
        if senders.miss(fleet.clock.monotonic()):
            fleet.remark(drain.host.name, f"{drain.app.unit_name}: {UNSEEN}: {error}")
    else:
        senders.see(seen, fleet.clock.monotonic())
    _pause(fleet, drain, end - fleet.clock.monotonic())


def _pause(fleet: Fleet, drain: Drain, seconds: float) -> None:
    """Wait; Stopped where the operator wants an end and the drain heeds that."""
    if not drain.heeds_stop:
        fleet.clock.sleep(max(0.0, seconds))
    elif fleet.clock.wait(fleet.stop, max(0.0, seconds)):
        raise Stopped(f"{drain.host}: stopped while draining")


def refuse_senders(fleet: Fleet, drain: Drain, senders: Senders) -> None:
    """See that nothing sends requests any more; BalancerError where something goes on to.

    What a sample has shown is looked into until nothing has sent for long enough, or until the next
    evidence after as long again as load balancers may need to hear of a deregistration: so late
    they may cut connections that outlive their delay.
    """
    now, clean_seconds = fleet.clock.monotonic(), fleet.propagation_seconds
    limit = now + clean_seconds
    senders.is_over = True
    while now < senders.clean_at(clean_seconds):
        fleet.tell(drain.host.name, f"requests still arrive from {senders}; it is not stopped")
        _see(fleet, drain, senders, SAMPLE_SECONDS)
        now = fleet.clock.monotonic()
        if now >= limit and (senders.is_fresh or now >= limit + clean_seconds):
            refuse_returned(fleet, drain, now)
            raise BalancerError(f"{drain.host}: {senders.proof}")
    if senders.busy:
        noun = "connection is" if senders.busy == 1 else "connections are"
        text = f"{senders.busy} {noun} still busy at the end of its drain, and will be cut"
        fleet.remark(drain.host.name, f"{drain.app.unit_name}: {text}")


def refuse_returned(fleet: Fleet, drain: Drain, end: float) -> None:
    """Read the state at a drain's end, for a while; BalancerError where requests may come again."""
    still = fleet.until_out(drain.host, drain.app, end, STALE_SECONDS)
    if still:
        raise BalancerError(
            f"{drain.host}: the target is {still.health} again in {still.group.name} at the end "
            "of its drain; something else registered it"
        )
