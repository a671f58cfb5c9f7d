"""AWS on paper: the target groups' poller and registrar, as the fleet and its steps know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.health_poller import Reading
from deploy.aws.targets import State
from simulated.builds import Kind
from simulated.clock import CALL_SECONDS, CLOCK, TICK_SECONDS
from simulated.world import CHECKED_SECONDS, PROPAGATED_SECONDS

if TYPE_CHECKING:
    from deploy.aws.targets import Target, TargetGroup
    from simulated.fate import Fate
    from simulated.floors import Floors
    from simulated.places import Place


class Api:
    """Stands in for HealthPoller and Registrar; a wrong is written where a target may not go."""

    def __init__(self, fate: Fate, floors: Floors, *, is_quiet: bool) -> None:
        self.fate, self.world = fate, fate.world
        self._floors, self._is_quiet = floors, is_quiet
        self._first: dict[str, Reading] = {}

    def latest(self, group: TargetGroup) -> Reading:
        reading = Reading(CLOCK.now, self.world.health(group))
        self._first.setdefault(group.arn, reading)
        return reading

    def first(self, group: TargetGroup) -> Reading | None:
        return self._first.get(group.arn)

    def after(
        self, group: TargetGroup, moment: float, seconds: float, *, at_once: bool = True
    ) -> Reading:
        del moment, seconds
        self.fate.instant(reads=True)
        CLOCK.sleep(CALL_SECONDS if at_once else TICK_SECONDS)
        self.fate.reach_aws()
        if not self.fate.is_in_step:
            self._floors.see(group.name, self.fate.deciding)
        return self.latest(group)

    def register(self, group: TargetGroup, target: Target) -> None:
        place = self._called(group, target)
        self._see_fit(place, group)
        if group.target_type == "ip" and target.zone != place.host.zone:
            self.world.wrong("P4", f"{place}: registered by address without its zone")
        member = place.members[group.name]
        if not member.registered:
            member.registered, member.since = True, CLOCK.now
        self.fate.instant(api=True)

    def deregister(self, group: TargetGroup, target: Target) -> None:
        place = self._called(group, target)
        world, now, member = self.world, CLOCK.now, place.members[group.name]
        if not place.out:
            world.wrong("P4", f"{place}: taken out, and it is written down nowhere")
        is_healthy = world.state_in(group.name, place) is State.HEALTHY
        if is_healthy:
            self._floors.take(place, group.name)
        if member.registered:
            late = world.kind(place.process.build if place.process else None) is Kind.LATE
            served = now >= member.since + CHECKED_SECONDS and (late or is_healthy)
            if now >= place.drained:
                place.flights, place.busy = (), 0.0
            member.registered, member.drained = False, now + group.delay_seconds
            flights = self._flights(place)
            place.flights += flights
            if served:
                place.busy = max(place.busy, self._end(place) if flights else member.drained)
            place.left = place.process
        self.fate.instant(api=True)

    def _flights(self, place: Place) -> tuple[tuple[float, float], ...]:
        """The last requests' begins and ends, where connections tell when a drain is over.

        Everywhere else any request may take the whole delay, and nobody can tell.
        """
        process, given, now = place.process, self.world.given, CLOCK.now
        is_known = process and not process.is_legacy and given.target_type == "instance"
        if not (self._is_quiet and is_known):
            return ()
        begins = now, now + given.reach_seconds
        return tuple((one, min(one + given.flight_seconds, place.drained)) for one in begins)

    @staticmethod
    def _end(place: Place) -> float:
        """P1: no stop before every load balancer heard of it, and all requests have ended."""
        heard = min(CLOCK.now + PROPAGATED_SECONDS, place.drained)
        return max(heard, *(end for _, end in place.flights))

    def _see_fit(self, place: Place, group: TargetGroup) -> None:
        """P1, P3: what comes in was proven or never stopped, and its address is free."""
        world, process = self.world, place.process
        untouched = process is place.left  # taken out by this very run, and never stopped
        if not (place.registered or untouched or (process and process.proven)):
            world.wrong("P3", f"{place}: registered, but what runs was not proven")
        if process and process.build and process.files != process.build.release:
            world.wrong("P3", f"{place}: registered while the files are another release's")
        member = place.members[group.name]
        if group.target_type == "ip" and CLOCK.now < member.drained and not member.registered:
            world.wrong("P1", f"{place}: an address came back while it drains")

    def _called(self, group: TargetGroup, target: Target) -> Place:
        """The place that a change to AWS is about; P5: AWS would take it from anybody."""
        self.fate.instant(api=True)
        place = self.world.at(group, target)
        self.fate.reach_aws()
        if self.fate.taken:
            self.world.wrong("P5", f"{place}: AWS was told after another deploy took over")
        return place
