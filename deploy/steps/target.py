"""Steps that take a target out of its group and back in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws.targets import State
from deploy.errors import BalancerError
from deploy.hosts import notes, records
from deploy.hosts.scripts import base, history
from deploy.steps.base import OnHost, Phase
from deploy.steps.fleet import SILENT_API_SECONDS, Moment

if TYPE_CHECKING:
    from deploy.aws.targets import TargetGroup
    from deploy.steps.fleet import Fleet

VERIFY_OUT_SECONDS = 60.0
SETTLE_SECONDS = 5.0
"""How long after a registration `healthy` may be of the time before (ELBv2 is eventually
consistent; 1 s was seen).
"""


@dataclass(frozen=True)
class DeregisterTarget(OnHost):
    """Out: no new requests for this host. `was_healthy`: whether it served before."""

    phase = Phase.DRAIN

    was_healthy: bool = field(default=True, repr=False)

    def run(self, fleet: Fleet) -> None:
        """Write it down on the host, deregister, and see that AWS took it.

        Raises BalancerError when the target can still be sent requests after a while:
        DeregisterTargets answers success for whatever it does not know (API reference), and what
        is read right after it may be of the time before.
        """
        group, target = fleet.groups[self.app.name], fleet.target(self.host, self.app)
        note = notes.Note(group.name, str(target), records.now(), fleet.author, fleet.run).as_line()
        remote = fleet.remote(self.host)
        script = history.record_out(self.app.name, self.app.port, note)
        remote.change(self.app.name, script)
        try:
            fleet.registrar.deregister(group, target)
        finally:  # an answer that was lost may have been a yes
            done = fleet.mark(self.host, self.app, Moment.DEREGISTERED)
        health = fleet.until_out(self.host, self.app, done, VERIFY_OUT_SECONDS)
        if health.may_receive:
            raise BalancerError(
                f"{self.host}: {target} was deregistered from {group.name} but is {health}; "
                "something else registers it again"
            )

    def __str__(self) -> str:
        return f"deregister {self.app.slot_mark}from {self.app.settings.target_group}"


@dataclass(frozen=True)
class RegisterTarget(OnHost):
    """In: the load balancer may send requests again."""

    phase = Phase.CHECK

    def run(self, fleet: Fleet) -> None:
        """Ask for it; WaitHealthy sees it through.

        An address cannot come back before its deregistration delay is over (ALB guide, register
        targets): returning from a drain, a group of type `ip` waits for that first.
        """
        group = fleet.groups[self.app.name]
        out = fleet.moments.get((self.host.name, self.app.unit_name, Moment.DEREGISTERED))
        if group.target_type == "ip" and out is not None:
            while (left := out + group.delay_seconds - fleet.clock.monotonic()) > 0:
                fleet.tell(self.host.name, f"its address may come back in {left:.0f} s")
                fleet.clock.sleep(min(left, 1.0))
        # The API knows no lock of ours: the host says whether this deploy still may.
        fleet.remote(self.host).change(self.app.name, base.see_ours())
        fleet.registrar.register(group, fleet.target(self.host, self.app))
        fleet.mark(self.host, self.app, Moment.REGISTERED)

    def __str__(self) -> str:
        return f"register {self.app.slot_mark}in {self.app.settings.target_group}"


@dataclass(frozen=True)
class WaitHealthy(OnHost):
    """See the target become healthy."""

    phase = Phase.CHECK

    def estimated_seconds(self, group: TargetGroup) -> float:
        """Return how long the settings have it wait."""
        return group.interval_seconds

    def run(self, fleet: Fleet) -> None:
        """Poll state and reason; a state that waiting cannot change fails at once.

        `healthy` may be read of a time before the registration: it counts once another state was
        read since, or after a settling time.
        """
        began = moment = fleet.marked(self.host, self.app, Moment.REGISTERED)
        limit = self.app.settings.healthy_timeout_seconds
        settled = min(SETTLE_SECONDS, fleet.groups[self.app.name].interval_seconds)
        is_fresh = False
        while True:
            health = fleet.health_since(
                self.host, self.app, moment, SILENT_API_SECONDS, at_once=moment == began
            )
            gone = fleet.clock.monotonic() - began
            is_fresh = is_fresh or health.state is not State.HEALTHY or gone >= settled
            if health.state is State.HEALTHY and is_fresh:
                fleet.mark(self.host, self.app, Moment.HEALTHY)
                return
            fleet.tell(self.host.name, f"target {health}, {gone:.0f} of {limit:g} s")
            if health.is_hopeless or gone > limit:
                said = health.description or "AWS gives no description"
                why = "can never become healthy" if health.is_hopeless else f"after {gone:.0f} s"
                raise BalancerError(
                    f"{self.host}: target {fleet.target(self.host, self.app)} of "
                    f"{self.app.settings.target_group} is {health} {why}: {said}"
                )
            moment = fleet.clock.monotonic()

    def __str__(self) -> str:
        return f"wait until {self.app.slot_mark}healthy in {self.app.settings.target_group}"


@dataclass(frozen=True)
class Soak(OnHost):
    """See the target stay healthy before the rollout goes on."""

    phase = Phase.SOAK

    seconds: float

    def estimated_seconds(self, group: TargetGroup) -> float:
        """Return how long the settings have it wait."""
        del group
        return self.seconds

    def run(self, fleet: Fleet) -> None:
        """Fail as soon as it is not; a slow start counts as part of the soak."""
        began = fleet.marked(self.host, self.app, Moment.HEALTHY)
        while (gone := fleet.clock.monotonic() - began) < self.seconds:
            fleet.tell(self.host.name, f"soaking, {gone:.0f} of {self.seconds:g} s")
            moment = fleet.clock.monotonic()
            health = fleet.health_since(
                self.host, self.app, moment, SILENT_API_SECONDS, at_once=False
            )
            if health.state is not State.HEALTHY:
                raise BalancerError(f"{self.host}: target became {health} while soaking")
            if fleet.clock.wait(fleet.stop, 0.1):
                return

    def __str__(self) -> str:
        return f"soak {self.seconds:g} s"
