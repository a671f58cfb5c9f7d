"""Everything that a step may touch: hosts, targets, the poller, the clock, the screen."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.aws.targets import weakest
from deploy.clock import CLOCK, Clock
from deploy.crew import Crew
from deploy.errors import DeployError
from deploy.survey.app_on_host import Membership, target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.aws.health_poller import HealthPoller, Reading
    from deploy.aws.inventory import Host
    from deploy.aws.registrar import Registrar
    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.hosts.once.ledger import Ledger
    from deploy.hosts.probe.request import Head, Request
    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.app import AppInSlot
    from deploy.settings.environment import Network
    from deploy.steps.observation import Arrivals, Observation
    from deploy.survey.slot import UnitState


SILENT_API_SECONDS = 60.0
"""How long the AWS API may give no reading before a wait for one fails."""


class Moment(enum.Enum):
    """The moments from which later steps of the same host and unit count time."""

    DEREGISTERED = "deregistered"
    ASKED = "a registration was asked for"
    REGISTERED = "registered"
    UNSERVED = "seen to have had no request"
    HEALTHY = "healthy"
    SEEN_OUT = "seen out"
    LAST_REQUEST = "last request"
    PROOF_BEGAN = "proof began"
    ANSWERED = "answered"


class Stopped(DeployError):
    """The operator asked for an end while a step was waiting."""


def _lasts(_host: Host) -> str:
    return ""


def _silent(host: str, text: str) -> None:
    del host, text


def _unasked(request: Request, number: int, timeout_seconds: float) -> Head:
    raise NotImplementedError(request, number, timeout_seconds)


@dataclass
class Fleet:
    """The seams of one rollout.

    groups: each app's target groups, by the app's name; zones: the availability zones that
    addresses are registered with, by the group's ARN; run: the id of this command, for the
    records that it leaves; ignore_peers: networks whose connections count for no requests;
    credentials_end: when AWS's credentials end, by the clock, where nothing renews them; ended:
    asked for the state of a host's instance, empty unless it never comes back; withheld: asked
    before a registration for the state in which a host's Auto Scaling group keeps it out of
    service, empty for none; tell: called with what a host is doing, for the screen; remark: the
    same, for what no log and no report may leave out; moments: what one step found out that a
    later step of the same host and unit needs (monotonic seconds); stop: set when the operator
    wants an end; clock: by which steps wait; crew: the threads of the run; started: each unit's
    state right after its start, by host and unit, to recognize restarts by; arrivals: what
    brought requests to a target that is observed; observations: what was measured of it; ledger:
    where a command that is run once is noted; front: asks through the load balancer.
    """

    remotes: Mapping[str, Remote]
    groups: Mapping[str, tuple[TargetGroup, ...]]
    registrar: Registrar
    poller: HealthPoller
    zones: Mapping[tuple[str, str], str] = field(default_factory=dict)
    propagation_seconds: float = 15.0
    ignore_peers: tuple[Network, ...] = ()
    credentials_end: float | None = None
    ended: Callable[[Host], str] = _lasts
    withheld: Callable[[Host], str] = _lasts
    author: str = ""
    run: str = ""
    tell: Callable[[str, str], None] = _silent
    remark: Callable[[str, str], None] = _silent
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Clock = CLOCK
    crew: Crew = field(default_factory=Crew)
    moments: dict[tuple[str, str, Moment], float] = field(default_factory=dict)
    started: dict[tuple[str, str], UnitState] = field(default_factory=dict)
    arrivals: dict[tuple[str, str], Arrivals] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)
    ledger: Ledger | None = None
    front: Callable[[Request, int, float], Head] = _unasked

    def remote(self, host: Host) -> Remote:
        """The host's connection."""
        return self.remotes[host.name]

    def targets(self, host: Host, app: AppInSlot) -> tuple[tuple[TargetGroup, Target], ...]:
        """The target of a host's slot in each of the app's groups."""
        found = ((group, target_of(group, host, app)) for group in self.groups[app.name])
        return tuple(
            (group, replace(target, zone=self.zones.get((group.arn, target.id), target.zone)))
            for group, target in found
        )

    def health(self, host: Host, app: AppInSlot) -> Health | None:
        """The slot's newest known health, for the log; None before the first readings."""
        read = [(self.poller.latest(group), its) for group, its in self.targets(host, app)]
        states = [reading.of(its) for reading, its in read if reading]
        return weakest(states) if states else None

    def look(
        self,
        host: Host,
        app: AppInSlot,
        moment: float,
        timeout_seconds: float,
        *,
        at_once: bool = True,
    ) -> tuple[Membership, ...]:
        """The slot's health in each group, read at or after a moment.

        That is by a poll made for it, or by the next one. An API that fails is asked again until
        the time is up; then its error is raised, or DeployError where it kept silent. Each
        distinct error is shown once.
        """
        limit, shown = self.clock.monotonic() + timeout_seconds, set[str]()
        found: list[Membership] = []
        for group, target in self.targets(host, app):
            reading = self._reading(host, group, moment, limit, shown, at_once=at_once)
            if reading is None:
                raise DeployError(
                    f"{host}: no answer from the load balancer's API on {group.name} in "
                    f"{timeout_seconds:g} s"
                )
            found.append(Membership(group, target, reading.of(target)))
        return tuple(found)

    def _reading(
        self,
        host: Host,
        group: TargetGroup,
        moment: float,
        limit: float,
        shown: set[str],
        *,
        at_once: bool,
    ) -> Reading | None:
        """A group's reading since a moment; None where none came until `limit`."""
        while True:
            try:
                return self.poller.after(
                    group, moment, limit - self.clock.monotonic(), at_once=at_once
                )
            except DeployError as error:
                moment, at_once = self.clock.monotonic(), False
                if moment >= limit:
                    raise
                if str(error) not in shown:
                    shown.add(str(error))
                    self.tell(host.name, f"the AWS API fails, asked again: {error}")

    def until_out(
        self, host: Host, app: AppInSlot, moment: float, timeout_seconds: float
    ) -> Membership | None:
        """Wait until no group may send requests to the slot; or else return one that still may.

        moment: readings from then on count; timeout_seconds: from now on; errors are those of
        `look`.
        """
        end, at_once = self.clock.monotonic() + timeout_seconds, True
        while True:
            seen = self.look(host, app, moment, SILENT_API_SECONDS, at_once=at_once)
            still = next((each for each in seen if each.health.may_receive), None)
            if still is None or self.clock.monotonic() >= end:
                return still
            self.tell(host.name, f"{still.group.name} still shows its target as {still.health}")
            moment, at_once = self.clock.monotonic(), False

    def note_absent(self, host: Host, app: AppInSlot) -> None:
        """Remember since when the slot is known to be no target, where this run never took it out.

        Nothing but a registration makes one of it again.
        """
        read = [(self.poller.first(group), its) for group, its in self.targets(host, app)]
        known = [each.at for each, its in read if each and not each.of(its).is_registered]
        if known and len(known) == len(read):
            self.moments.setdefault((host.name, app.unit_name, Moment.SEEN_OUT), max(known))

    def is_exposed(self, host: Host, app: AppInSlot) -> bool:
        """Whether one of the slot's groups may send requests to targets that are not healthy.

        That is where too few are healthy, by its newest reading: in a group whose zones stand
        alone, or without a reading, it may be so.
        """
        for group, _ in self.targets(host, app):
            reading = self.poller.latest(group)
            states = list(reading.targets.values()) if reading else []
            registered = sum(each.may_receive for each in states)
            if group.zonal or sum(each.serves for each in states) < group.fewest(registered):
                return True
        return False

    def serving(self, group: TargetGroup, timeout_seconds: float) -> frozenset[Target]:
        """The targets of a group that serve now, by a reading made for it."""
        reading = self.poller.after(group, self.clock.monotonic(), timeout_seconds)
        if reading is None:
            raise DeployError(
                f"no answer from the load balancer's API on {group.name} in {timeout_seconds:g} s"
            )
        return frozenset(target for target, its in reading.targets.items() if its.serves)

    def mark(self, host: Host, app: AppInSlot, what: Moment, moment: float | None = None) -> float:
        """Remember that something happened then, or now."""
        at = self.clock.monotonic() if moment is None else moment
        self.moments[host.name, app.unit_name, what] = at
        return at

    def marked(self, host: Host, app: AppInSlot, what: Moment) -> float:
        """When it happened; where it did not, now counts, and is remembered."""
        return self.moments.setdefault((host.name, app.unit_name, what), self.clock.monotonic())

    def marks(self, host: Host, app: AppInSlot) -> dict[str, float]:
        """All that happened to the slot in this run, by the names of the moments."""
        key = host.name, app.unit_name
        every = self.moments.copy().items()
        return {what.name: at for (on, unit, what), at in every if (on, unit) == key}

    def forget(self, host: str) -> None:
        """Forget what steps found out on a host, by name, which begins anew: times are old."""
        for key in [key for key in self.moments if key[0] == host]:
            del self.moments[key]
        for unit in [unit for unit in self.started if unit[0] == host]:
            del self.started[unit]
