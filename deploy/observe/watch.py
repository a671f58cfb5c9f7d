"""Steps that measure how a target leaves its groups and comes back, by the host's connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import RemoteError, Unreachable
from deploy.steps.base import OnHost, Phase, Timed
from deploy.steps.drain import SAMPLE_SECONDS, look
from deploy.steps.fleet import Moment, Stopped
from deploy.steps.observation import Observation
from deploy.steps.senders import Senders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.hosts.scripts.connections import Connection
    from deploy.steps.fleet import Fleet


@dataclass(frozen=True)
class WatchServing(Timed):
    """Count what brings requests while the target serves: without any, nothing can be measured."""

    phase = Phase.DRAIN

    def run(self, fleet: Fleet) -> None:
        """Watch; Stopped when the operator wants an end."""
        now = fleet.clock.monotonic()
        arrivals = _Arrivals(now)
        _watch(fleet, self, arrivals, now + self.seconds)
        fleet.arrivals[self.host.name, self.app.unit_name] = arrivals.count

    def __str__(self) -> str:
        return f"watch {self.app.slot_mark}serving for {self.seconds:g} s"


@dataclass(frozen=True)
class WatchDraining(Timed):
    """See when the last new request comes in; the service is not stopped after it.

    seconds: the whole deregistration delay, so that requests in flight finish.
    """

    phase = Phase.DRAIN

    def run(self, fleet: Fleet) -> None:
        """Watch; Stopped when the operator wants an end."""
        began = fleet.marked(self.host, self.app, Moment.DEREGISTERED)
        arrivals = _Arrivals(began)
        # Before the API showed that it is out, nothing was watched: requests may have come.
        arrivals.last = fleet.marked(self.host, self.app, Moment.SEEN_OUT)
        _watch(fleet, self, arrivals, began + self.seconds)
        fleet.mark(self.host, self.app, Moment.LAST_REQUEST, arrivals.last)
        if arrivals.is_blind:
            raise RemoteError(
                f"{self.host}: its connections could not be seen all the time, so nothing was "
                "measured; try again"
            )

    def __str__(self) -> str:
        return f"watch {self.app.slot_mark}draining for {self.seconds:g} s"


@dataclass(frozen=True)
class NoteObservation(OnHost):
    """Keep what one time out and back in took; nothing is changed."""

    phase = Phase.RECORD

    watched_seconds: float
    drain_seconds: float

    def run(self, fleet: Fleet) -> None:
        """From the moments that the steps before it remembered."""

        def between(first: Moment, last: Moment) -> float:
            marked = [fleet.marked(self.host, self.app, each) for each in (first, last)]
            return max(0.0, marked[1] - marked[0])

        fleet.observations.append(
            Observation(
                arrivals=fleet.arrivals.get((self.host.name, self.app.unit_name), 0),
                watched_seconds=self.watched_seconds,
                draining_seconds=between(Moment.DEREGISTERED, Moment.SEEN_OUT),
                last_request_seconds=between(Moment.DEREGISTERED, Moment.LAST_REQUEST),
                drain_seconds=self.drain_seconds,
                healthy_seconds=between(Moment.REGISTERED, Moment.HEALTHY),
            )
        )

    def __str__(self) -> str:
        return "note what it took"


class _Arrivals:
    """When data last came in by a connection since a moment, and how often some was seen to."""

    def __init__(self, since: float) -> None:
        self.last: float | None = None
        self.count = 0
        self.is_blind = False
        self._since = since
        self._before: dict[tuple[str, str], Connection] = {}

    def see(self, sample: Sequence[Connection], now: float) -> None:
        """Look at a sample that was taken at a time, by the clock.

        The kernel says how long ago data came in. Of what has ended meanwhile it does not: that
        counts as of now, unless it brought nothing since the sample before.
        """
        for each in sample:
            before = self._before.get(each.ends)
            if not each.received or (before and each.received <= before.received):
                continue
            at = now if each.has_ended else now - each.received_ms / 1000
            if at > self._since:
                self.count += 1
                self.last = max(self.last or at, at)
        ended = {each.ends for each in sample if each.has_ended}
        self._before |= {each.ends: each for each in sample}
        self._before = {ends: its for ends, its in self._before.items() if ends not in ended}


def _watch(
    fleet: Fleet, step: WatchServing | WatchDraining, arrivals: _Arrivals, end: float
) -> None:
    """Watch the step's port until then; Stopped where the operator wants an end."""
    counts = Senders(fleet.ignore_peers).counts
    began = fleet.clock.monotonic()
    whole = end - began
    while (left := end - fleet.clock.monotonic()) > 0:
        # So late may a connection be counted that has ended meanwhile.
        seconds = min(SAMPLE_SECONDS, left)
        after = fleet.clock.monotonic() + seconds
        try:
            sample = look(fleet, step.host, (step.app.target_port,), seconds)
        except (RemoteError, Unreachable) as error:
            arrivals.is_blind = True
            fleet.tell(step.host.name, f"its connections cannot be seen: {error}")
        else:
            now = fleet.clock.monotonic()
            arrivals.see([each for each in sample if counts(each)], now)
            gone, last = whole - (end - now), arrivals.last
            seen = "no request came" if last is None else f"the last request {now - last:.1f} s ago"
            fleet.tell(step.host.name, f"{gone:.0f} of {whole:.0f} s, {seen}")
        if fleet.clock.wait(fleet.stop, max(0.0, after - fleet.clock.monotonic())):
            raise Stopped(f"{step.host}: stopped while watching")
