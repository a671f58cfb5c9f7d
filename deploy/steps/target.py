"""Steps that deregister a target, register it, and wait until it is healthy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws.targets import State, weakest
from deploy.errors import BalancerError, DeployError, TakenOut
from deploy.hosts import notes, records
from deploy.hosts.scripts import base, history
from deploy.steps.base import OnHost, Phase, Timed
from deploy.steps.fleet import SILENT_API_SECONDS, Moment
from deploy.steps.unit import see_unrestarted
from deploy.survey import blame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import Health, TargetGroup
    from deploy.settings.app import AppInSlot
    from deploy.steps.fleet import Fleet

VERIFY_OUT_SECONDS = 60.0
RESTART_LOOK_SECONDS = 1.0
"""While a target soaks, its host is asked this often whether the release was started again."""


def named(app: AppInSlot) -> str:
    """The app's target groups, as the settings name them; behind a proxy, for which app."""
    groups = " and ".join(app.settings.group_names)
    return groups if app.settings.target_port is None else f"{groups} for {app.name}"


def _failed(text: str, health: Health, *, was_healthy: bool) -> BalancerError:
    """Return the error of a target that does not become or stay healthy, with whom it blames."""
    error = TakenOut(text) if health.has_left else BalancerError(text)
    error.blames_release = blame.of_target(health, was_healthy=was_healthy)
    return error


@dataclass(frozen=True)
class DeregisterTarget(OnHost):
    """Out of all the app's groups: no new requests for this host.

    was_healthy: whether it served before; sees_out: whether it waits until AWS shows that, which
    another step does otherwise; is_noted: whether an earlier command noted that it is out.
    """

    phase = Phase.DRAIN

    was_healthy: bool = field(default=True, repr=False)
    sees_out: bool = field(default=True, repr=False)
    is_noted: bool = field(default=False, repr=False)

    def run(self, fleet: Fleet) -> None:
        """Write it down on the host, deregister, and see that AWS took it.

        Raises BalancerError when the target can still be sent requests after a while:
        DeregisterTargets answers success for whatever it does not know (API reference), and what
        is read right after it may be of the time before.
        """
        targets = fleet.targets(self.host, self.app)
        groups = ", ".join(group.name for group, _ in targets)
        shown = ", ".join(dict.fromkeys(str(target) for _, target in targets))
        zones = {group.name: target.zone for group, target in targets if target.zone}
        note = notes.Note(groups, shown, records.now(), fleet.author, fleet.run, zones)
        remote = fleet.remote(self.host)
        script = history.record_out(self.app.name, self.app.port, note.as_line())
        remote.change(self.app.name, script)
        for group, target in targets:
            try:
                fleet.registrar.deregister(group, target)
            finally:  # an answer that was lost may have been a yes
                done = fleet.mark(self.host, self.app, Moment.DEREGISTERED)
        if self.sees_out:
            see_out(fleet, self, done)

    def __str__(self) -> str:
        return f"deregister {self.app.slot_mark}from {named(self.app)}"


def see_out(fleet: Fleet, step: OnHost, since: float) -> None:
    """Wait until AWS shows that no group sends requests to what was deregistered at a time.

    Raises BalancerError where one still may after a while.
    """
    still = fleet.until_out(step.host, step.app, since, VERIFY_OUT_SECONDS)
    if still:
        raise BalancerError(
            f"{step.host}: {still.target} was deregistered from {still.group.name} but is "
            f"{still.health}; something else registers it again"
        )
    fleet.mark(step.host, step.app, Moment.SEEN_OUT)


@dataclass(frozen=True)
class RegisterTarget(OnHost):
    """In all the app's groups: load balancers may send requests again."""

    phase = Phase.CHECK
    is_entry = True

    def run(self, fleet: Fleet) -> None:
        """Ask for it; WaitHealthy sees it through.

        An address cannot come back before its deregistration delay is over (ALB guide, register
        targets): returning from a drain, a group of type `ip` waits for that first.

        Raises TakenOut where the host's Auto Scaling group ends it or keeps it out of service:
        requests would reach an instance that ends.
        """
        targets = fleet.targets(self.host, self.app)
        fleet.note_absent(self.host, self.app)
        delays = [group.delay_seconds for group, _ in targets if group.target_type == "ip"]
        out = fleet.moments.get((self.host.name, self.app.unit_name, Moment.DEREGISTERED))
        if delays and out is not None:
            while (left := out + max(delays) - fleet.clock.monotonic()) > 0:
                fleet.tell(self.host.name, f"its address may come back in {left:.0f} s")
                fleet.clock.sleep(min(left, 1.0))
        self._see_it_may_serve(fleet)
        # The API knows no lock of ours: the host says whether this deploy still may.
        fleet.remote(self.host).change(self.app.name, base.see_ours())
        fleet.mark(self.host, self.app, Moment.ASKED)
        for group, target in targets:
            fleet.registrar.register(group, target)
        fleet.mark(self.host, self.app, Moment.REGISTERED)

    def _see_it_may_serve(self, fleet: Fleet) -> None:
        try:
            state = fleet.withheld(self.host)
        except DeployError as error:
            # An API that fails keeps no proven host out of service.
            fleet.tell(self.host.name, f"{error}; its lifecycle state was not looked at")
            return
        if state:
            raise TakenOut(f"{self.host}: not registered: its instance is {state}")

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

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return self.app.settings.healthy_timeout_seconds

    def run(self, fleet: Fleet) -> None:
        """Poll state and reason; a state that waiting cannot change fails at once.

        `healthy` may be read of a time before the registration: in each group it counts once
        another state was read since, or after a settling time. That time is over, too, where the
        target was seen to be out so long ago: then no reading is as old as what was before.

        Raises TakenOut where something else deregisters the target, BalancerError for another
        state that waiting cannot change or that lasts too long, and NotProven where the release
        ended meanwhile, though it may be up again.
        """
        began = moment = fleet.marked(self.host, self.app, Moment.REGISTERED)
        out = fleet.moments.get((self.host.name, self.app.unit_name, Moment.SEEN_OUT), began)
        limit, seen_yet = self.app.settings.healthy_timeout_seconds, blame.SeenYet()
        while True:
            seen = fleet.look(
                self.host, self.app, moment, SILENT_API_SECONDS, at_once=moment == began
            )
            gone = fleet.clock.monotonic() - began
            is_exposed = fleet.is_exposed(self.host, self.app)
            seen_yet.add(seen, gone, fleet.clock.monotonic() - out, is_exposed=is_exposed)
            waits = [
                each
                for each in seen
                if each.health.state is not State.HEALTHY or each.group.arn not in seen_yet.fresh
            ]
            if not waits:
                fleet.mark(self.host, self.app, Moment.HEALTHY)
                see_unrestarted(fleet, self)
                return
            left = [each for each in waits if seen_yet.has_left(each, gone)]
            hopeless = [each for each in waits if each.health.is_hopeless]
            sick = [each for each in waits if blame.of_target(each.health, was_healthy=False)]
            group, target, health = [*left, *hopeless, *sick, *waits][0]
            fleet.tell(self.host.name, f"target {health}, {gone:.0f} of {limit:g} s")
            # A reading counts against the limit if it was asked for after it: the machine may have
            # slept while it was on its way.
            if left or hopeless or moment - began > limit:
                said = health.description or "AWS gives no description"
                why = "can never become healthy" if health.is_hopeless else f"after {gone:.0f} s"
                text = f"{self.host}: target {target} of {group.name} is {health} {why}: {said}"
                if not seen_yet.may_have_served:
                    fleet.mark(self.host, self.app, Moment.UNSERVED)
                # One that was found sick before may have been taken out for that.
                cause = seen_yet.sick or health if left else health
                raise _failed(text, cause, was_healthy=False)
            moment = fleet.clock.monotonic()

    def __str__(self) -> str:
        return f"wait until {self.app.slot_mark}healthy in {named(self.app)}"


@dataclass(frozen=True)
class Soak(Timed):
    """See the target stay healthy, and its release up, before the rollout goes on."""

    phase = Phase.SOAK
    is_entry = True

    def run(self, fleet: Fleet) -> None:
        """Fail as soon as it is not; a slow start counts as part of the soak.

        A reading may be of the time before the target became healthy, and another state than
        `unhealthy` is no verdict of its health checks: both count once they have lasted for a
        settling time, which the soak waits for.
        """
        began = looked = fleet.marked(self.host, self.app, Moment.HEALTHY)
        doubted: float | None = None
        while (now := fleet.clock.monotonic()) - began < self.seconds or doubted is not None:
            fleet.tell(self.host.name, f"soaking, {now - began:.0f} of {self.seconds:g} s")
            seen = fleet.look(self.host, self.app, now, SILENT_API_SECONDS, at_once=False)
            states = [each.health for each in seen]
            sick = [each for each in states if blame.of_target(each, was_healthy=True)]
            health = weakest(sick or states)
            if health.state is State.HEALTHY:
                doubted = None
            else:
                doubted = now if doubted is None else doubted
                is_verdict = health.state is State.UNHEALTHY
                if now - (began if is_verdict else doubted) >= blame.SETTLE_SECONDS:
                    text = f"{self.host}: target became {health} while soaking"
                    raise _failed(text, health, was_healthy=True)
            if now - looked >= RESTART_LOOK_SECONDS:
                looked = now
                see_unrestarted(fleet, self)
            if fleet.clock.wait(fleet.stop, 0.1):
                return
        see_unrestarted(fleet, self)

    def __str__(self) -> str:
        return f"soak {self.seconds:g} s"
