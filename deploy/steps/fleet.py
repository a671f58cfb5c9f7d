"""All that a step may touch: a host, its target, the shared poller, and a place to say so."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.clock import CLOCK, Clock
from deploy.crew import Crew
from deploy.errors import DeployError
from deploy.survey.app_on_host import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.aws.health_poller import HealthPoller
    from deploy.aws.inventory import Host
    from deploy.aws.registrar import Registrar
    from deploy.aws.targets import Health, Target, TargetGroup
    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.app import App, AppInSlot
    from deploy.survey.slot import UnitState


SILENT_API_SECONDS = 60.0
"""How long the AWS API may give no reading before a wait for one fails."""


class Moment(enum.Enum):
    """What one step did that a later step of the same host and unit counts from."""

    DEREGISTERED = "deregistered"
    REGISTERED = "registered"
    HEALTHY = "healthy"
    PROOF_BEGAN = "proof began"
    ANSWERED = "answered"


class Stopped(DeployError):
    """The operator asked for an end while a step was waiting."""


def _silent(host: str, text: str) -> None:
    del host, text


@dataclass
class Fleet:
    """The seams of one rollout.

    run: the id of this command, for the records that it leaves.
    tell: called with what a host is doing right now, for the screen; moments: what one step found
    out that a later step of the same host and unit needs (monotonic seconds); stop: set when the
    operator wants an end; clock: by which steps wait; crew: the threads of the run; started: each
    unit's state right after its start, by host and unit, to recognize restarts by.
    """

    remotes: Mapping[str, Remote]
    groups: Mapping[str, TargetGroup]
    registrar: Registrar
    poller: HealthPoller
    propagation_seconds: float = 15.0
    author: str = ""
    run: str = ""
    tell: Callable[[str, str], None] = _silent
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Clock = CLOCK
    crew: Crew = field(default_factory=Crew)
    moments: dict[tuple[str, str, Moment], float] = field(default_factory=dict)
    started: dict[tuple[str, str], UnitState] = field(default_factory=dict)

    def remote(self, host: Host) -> Remote:
        """The host's connection."""
        return self.remotes[host.name]

    def target(self, host: Host, app: AppInSlot) -> Target:
        """The target of a host's slot in the app's group."""
        return target_of(self.groups[app.name], host, app)

    def health(self, host: Host, app: AppInSlot) -> Health | None:
        """The target's newest known health, for the log; None before the first reading."""
        reading = self.poller.latest(self.groups[app.name])
        return reading.of(self.target(host, app)) if reading else None

    def health_since(
        self,
        host: Host,
        app: AppInSlot,
        moment: float,
        timeout_seconds: float,
        *,
        at_once: bool = True,
    ) -> Health:
        """The target's health as read at or after a moment: by a poll made for it, or by the next.

        An API that fails is asked again until the time is up; then its error is raised, or
        DeployError where it kept silent. Each distinct error is shown once.
        """
        shown = set[str]()
        group, limit = self.groups[app.name], self.clock.monotonic() + timeout_seconds
        while True:
            try:
                reading = self.poller.after(
                    group, moment, limit - self.clock.monotonic(), at_once=at_once
                )
            except DeployError as error:
                moment, at_once = self.clock.monotonic(), False
                if moment >= limit:
                    raise
                if str(error) not in shown:
                    shown.add(str(error))
                    self.tell(host.name, f"the AWS API fails, asked again: {error}")
                continue
            if reading is None:
                raise DeployError(
                    f"{host}: no answer from the load balancer's API on "
                    f"{app.settings.target_group} in {timeout_seconds:g} s"
                )
            return reading.of(self.target(host, app))

    def until_out(
        self, host: Host, app: AppInSlot, moment: float, timeout_seconds: float
    ) -> Health:
        """The first health since a moment by which the target gets no requests, or the last one.

        timeout_seconds: from now on; errors are those of `health_since`.
        """
        end, at_once = self.clock.monotonic() + timeout_seconds, True
        while True:
            health = self.health_since(host, app, moment, SILENT_API_SECONDS, at_once=at_once)
            if not health.may_receive or self.clock.monotonic() >= end:
                return health
            self.tell(host.name, f"AWS still shows its target as {health}")
            moment, at_once = self.clock.monotonic(), False

    def serving(self, app: App, timeout_seconds: float) -> frozenset[Target]:
        """The targets of the app's group that serve now, by a reading made for it."""
        reading = self.poller.after(self.groups[app.name], self.clock.monotonic(), timeout_seconds)
        if reading is None:
            raise DeployError(
                f"no answer from the load balancer's API on {app.target_group} in "
                f"{timeout_seconds:g} s"
            )
        return frozenset(target for target, its in reading.targets.items() if its.serves)

    def mark(self, host: Host, app: AppInSlot, what: Moment) -> float:
        """Remember that something happened now."""
        now = self.clock.monotonic()
        self.moments[host.name, app.unit_name, what] = now
        return now

    def marked(self, host: Host, app: AppInSlot, what: Moment) -> float:
        """When it happened; where it did not, now counts, and is remembered."""
        return self.moments.setdefault((host.name, app.unit_name, what), self.clock.monotonic())
