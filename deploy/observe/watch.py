"""Steps that watch a host's connections while its target leaves its groups and comes back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from deploy.errors import RemoteError, Unreachable
from deploy.steps.base import OnHost, Phase, Timed
from deploy.steps.drain import look
from deploy.steps.fleet import Moment, Stopped
from deploy.steps.observation import Arrivals, Observation
from deploy.steps.shorter_drain import SAMPLE_SECONDS
from deploy.steps.target import see_out

if TYPE_CHECKING:
    from deploy.steps.fleet import Fleet

LONGEST_SERVING_SECONDS = 15.0


@dataclass(frozen=True)
class WatchServing(Timed):
    """Count what brings requests while the target serves: without any, nothing can be measured.

    seconds: for how long at first, and again until enough came, up to LONGEST_SERVING_SECONDS;
    intervals_seconds: of the health check of each group, whose connections are not enough.
    """

    phase = Phase.DRAIN

    intervals_seconds: tuple[float, ...]

    def run(self, fleet: Fleet) -> None:
        """Watch; Stopped when the operator wants an end."""
        now = fleet.clock.monotonic()
        arrivals = Arrivals(now, fleet.ignore_peers)
        fleet.arrivals[self.host.name, self.app.unit_name] = arrivals
        while not arrivals.shows_requests(self.intervals_seconds):
            if arrivals.watched_seconds + self.seconds > LONGEST_SERVING_SECONDS:
                break
            arrivals.watched_seconds += self.seconds
            _watch(fleet, self, arrivals, now + arrivals.watched_seconds)

    def __str__(self) -> str:
        most = f"{LONGEST_SERVING_SECONDS:g} s while few requests come"
        return f"watch {self.app.slot_mark}serving for {self.seconds:g} s, up to {most}"


@dataclass(frozen=True)
class WatchDraining(Timed):
    """See when the last request comes in, and when the API shows that the target is out.

    The two have nothing to do with each other, so the connections are watched from the
    deregistration on. The service is not stopped afterwards.

    seconds: the whole deregistration delay, so that requests in flight finish.
    """

    phase = Phase.DRAIN

    def run(self, fleet: Fleet) -> None:
        """Watch; Stopped when the operator wants an end."""
        began = fleet.marked(self.host, self.app, Moment.DEREGISTERED)
        before = fleet.arrivals.get((self.host.name, self.app.unit_name))
        arrivals = Arrivals(began, fleet.ignore_peers)
        if before:
            arrivals.samples, arrivals.openers = before.samples, before.openers
        end = began + self.seconds
        acts = (
            partial(see_out, fleet, self, began),
            partial(_watch, fleet, self, arrivals, end),
        )
        fleet.crew.together(acts, len(acts))
        # Before the first look requests may have come.
        last = end if arrivals.watched_since is None else arrivals.watched_since
        last = last if arrivals.last is None else max(last, arrivals.last)
        fleet.mark(self.host, self.app, Moment.LAST_REQUEST, last)
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

    drain_seconds: float

    def run(self, fleet: Fleet) -> None:
        """From the moments that the steps before it remembered."""

        def between(first: Moment, last: Moment) -> float:
            marked = [fleet.marked(self.host, self.app, each) for each in (first, last)]
            return max(0.0, marked[1] - marked[0])

        before = fleet.arrivals[self.host.name, self.app.unit_name]
        fleet.observations.append(
            Observation(
                arrivals=before.count,
                peers=len(before.peers),
                watched_seconds=before.watched_seconds,
                draining_seconds=between(Moment.DEREGISTERED, Moment.SEEN_OUT),
                last_request_seconds=between(Moment.DEREGISTERED, Moment.LAST_REQUEST),
                drain_seconds=self.drain_seconds,
                healthy_seconds=between(Moment.REGISTERED, Moment.HEALTHY),
            )
        )

    def __str__(self) -> str:
        return "note what it took"


def _watch(
    fleet: Fleet, step: WatchServing | WatchDraining, arrivals: Arrivals, end: float
) -> None:
    """Watch the step's port until then; Stopped where the operator wants an end."""
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
            arrivals.see(sample, now, seconds)
            gone, last = whole - (end - now), arrivals.last
            seen = "no request came" if last is None else f"the last request {now - last:.1f} s ago"
            fleet.tell(step.host.name, f"{gone:.0f} of {whole:.0f} s, {seen}")
        if fleet.clock.wait(fleet.stop, max(0.0, after - fleet.clock.monotonic())):
            raise Stopped(f"{step.host}: stopped while watching")
