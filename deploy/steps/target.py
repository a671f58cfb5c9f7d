"""Steps that take a target out of its group and back in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws.targets import State, weakest
from deploy.errors import BalancerError, NoFaultOfRelease
from deploy.hosts import notes, records
from deploy.hosts.scripts import base, history
from deploy.steps.base import OnHost, Phase, Timed
from deploy.steps.fleet import SILENT_API_SECONDS, Moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import TargetGroup
    from deploy.settings.app import AppInSlot
    from deploy.steps.fleet import Fleet

VERIFY_OUT_SECONDS = 60.0
SETTLE_SECONDS = 5.0
"""How long after a change of a target's state a reading may be of the time before (ELBv2 is
eventually consistent; 1 s was seen).
"""


def named(app: AppInSlot) -> str:
    """The app's target groups, as the settings name them; behind a proxy, for which app."""
    groups = " and ".join(app.settings.group_names)
    return groups if app.settings.target_port is None else f"{groups} for {app.name}"


@dataclass(frozen=True)
class DeregisterTarget(OnHost):
    """Out of all the app's groups: no new requests for this host.

    was_healthy: whether it served before.
    """

    phase = Phase.DRAIN

    was_healthy: bool = field(default=True, repr=False)

    def run(self, fleet: Fleet) -> None:
        """Write it down on the host, deregister, and see that AWS took it.

        Raises BalancerError when the target can still be sent requests after a while:
        DeregisterTargets answers success for whatever it does not know (API reference), and what
        is read right after it may be of the time before.
        """
        targets = fleet.targets(self.host, self.app)
        groups = ", ".join(group.name for group, _ in targets)
        shown = ", ".join(dict.fromkeys(str(target) for _, target in targets))
        note = notes.Note(groups, shown, records.now(), fleet.author, fleet.run).as_line()
        remote = fleet.remote(self.host)
        script = history.record_out(self.app.name, self.app.port, note)
        remote.change(self.app.name, script)
        for group, target in targets:
            try:
                fleet.registrar.deregister(group, target)
            finally:  # an answer that was lost may have been a yes
                done = fleet.mark(self.host, self.app, Moment.DEREGISTERED)
        still = fleet.until_out(self.host, self.app, done, VERIFY_OUT_SECONDS)
        if still:
            raise BalancerError(
                f"{self.host}: {still.target} was deregistered from {still.group.name} but is "
                f"{still.health}; something else registers it again"
            )
        fleet.mark(self.host, self.app, Moment.SEEN_OUT)

    def __str__(self) -> str:
        return f"deregister {self.app.slot_mark}from {named(self.app)}"


@dataclass(frozen=True)
class RegisterTarget(OnHost):
    """In all the app's groups: load balancers may send requests again."""

    phase = Phase.CHECK
    is_entry = True

    def run(self, fleet: Fleet) -> None:
        """Ask for it; WaitHealthy sees it through.

        An address cannot come back before its deregistration delay is over (ALB guide, register
        targets): returning from a drain, a group of type `ip` waits for that first.
        """
        targets = fleet.targets(self.host, self.app)
        fleet.note_absent(self.host, self.app)
        delays = [group.delay_seconds for group, _ in targets if group.target_type == "ip"]
        out = fleet.moments.get((self.host.name, self.app.unit_name, Moment.DEREGISTERED))
        if delays and out is not None:
            while (left := out + max(delays) - fleet.clock.monotonic()) > 0:
                fleet.tell(self.host.name, f"its address may come back in {left:.0f} s")
                fleet.clock.sleep(min(left, 1.0))
        # The API knows no lock of ours: the host says whether this deploy still may.
        fleet.remote(self.host).change(self.app.name, base.see_ours())
        for group, target in targets:
            fleet.registrar.register(group, target)
        fleet.mark(self.host, self.app, Moment.REGISTERED)

    def __str__(self) -> str:
        return f"register {self.app.slot_mark}in {named(self.app)}"


@dataclass(frozen=True)
class WaitHealthy(OnHost):
    """See the target become healthy in all the app's groups."""

    phase = Phase.CHECK
    is_entry = True

    def estimated_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long the settings have it wait."""
        return max(group.interval_seconds for group in groups)

    def run(self, fleet: Fleet) -> None:
        """Poll state and reason; a state that waiting cannot change fails at once.

        `healthy` may be read of a time before the registration: in each group it counts once
        another state was read since, or after a settling time. That time is over, too, where the
        target was seen to be out so long ago: then no reading is as old as what was before.
        """
        began = moment = fleet.marked(self.host, self.app, Moment.REGISTERED)
        out = fleet.moments.get((self.host.name, self.app.unit_name, Moment.SEEN_OUT), began)
        limit = self.app.settings.healthy_timeout_seconds
        fresh = set[str]()
        while True:
            seen = fleet.look(
                self.host, self.app, moment, SILENT_API_SECONDS, at_once=moment == began
            )
            gone = fleet.clock.monotonic() - began
            settled = fleet.clock.monotonic() - out
            fresh |= {
                each.group.arn
                for each in seen
                if each.health.state is not State.HEALTHY
                or gone >= min(SETTLE_SECONDS, each.group.interval_seconds)
                or settled >= SETTLE_SECONDS
            }
            waits = [
                each
                for each in seen
                if each.health.state is not State.HEALTHY or each.group.arn not in fresh
            ]
            if not waits:
                fleet.mark(self.host, self.app, Moment.HEALTHY)
                return
            group, target, health = next((w for w in waits if w.health.is_hopeless), waits[0])
            fleet.tell(self.host.name, f"target {health}, {gone:.0f} of {limit:g} s")
            if health.is_hopeless or gone > limit:
                said = health.description or "AWS gives no description"
                why = "can never become healthy" if health.is_hopeless else f"after {gone:.0f} s"
                text = f"{self.host}: target {target} of {group.name} is {health} {why}: {said}"
                raise _error(text, is_its_own=health.may_receive and not health.is_hopeless)
            moment = fleet.clock.monotonic()

    def __str__(self) -> str:
        return f"wait until {self.app.slot_mark}healthy in {named(self.app)}"


@dataclass(frozen=True)
class Soak(Timed):
    """See the target stay healthy before the rollout goes on."""

    phase = Phase.SOAK
    is_entry = True

    def run(self, fleet: Fleet) -> None:
        """Fail as soon as it is not; a slow start counts as part of the soak.

        A reading may be of the time before the target became healthy, and another state than
        `unhealthy` is no verdict of its health checks: both count once they have lasted for a
        settling time, which the soak waits for.
        """
        began = fleet.marked(self.host, self.app, Moment.HEALTHY)
        doubted: float | None = None
        while (now := fleet.clock.monotonic()) - began < self.seconds or doubted is not None:
            fleet.tell(self.host.name, f"soaking, {now - began:.0f} of {self.seconds:g} s")
            seen = fleet.look(self.host, self.app, now, SILENT_API_SECONDS, at_once=False)
            health, now = weakest([each.health for each in seen]), fleet.clock.monotonic()
            if health.state is State.HEALTHY:
                doubted = None
            else:
                doubted = now if doubted is None else doubted
                is_verdict = health.state is State.UNHEALTHY
                if now - (began if is_verdict else doubted) >= SETTLE_SECONDS:
                    text = f"{self.host}: target became {health} while soaking"
                    raise _error(text, is_its_own=is_verdict)
            if fleet.clock.wait(fleet.stop, 0.1):
                return

    def __str__(self) -> str:
        return f"soak {self.seconds:g} s"


def _error(text: str, *, is_its_own: bool) -> BalancerError:
    """The error for a target that is not healthy; is_its_own: whether its release may be at fault.

    Nothing that a release does deregisters its target, or keeps listeners from using its group.
    """
    return BalancerError(text) if is_its_own else NoFaultOfRelease(text)
