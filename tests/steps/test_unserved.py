"""A target that AWS never found healthy had no request, unless its group sends to all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import HEALTHY, UNHEALTHY

from deploy.aws.health_poller import Reading
from deploy.aws.targets import Health, State, Target
from deploy.errors import BalancerError, RemoteError, TakenOut
from deploy.hosts.scripts.connections import Connection
from deploy.steps.drain import WaitDrained
from deploy.steps.fleet import Fleet, Moment
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitHealthy
from deploy.survey.app_on_host import target_of
from steps.test_target import Jumping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.hosts.scripts.script import Script

HOST, WEB = builders.host(), builders.app().at(5000)
INITIAL = Health(State.INITIAL, "Elb.InitialHealthChecking")
DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
UNAVAILABLE = Health(State.UNAVAILABLE, "Elb.InternalError")
OTHERS = [Target(f"i-{number}", 5000) for number in (7, 8)]
DELAY_SECONDS, PROPAGATION_SECONDS = 300.0, 15.0
DRAIN = WaitDrained(HOST, WEB, DELAY_SECONDS, heeds_stop=False, stops_service=False)
OPEN = Connection("10.0.0.1:5000", "10.0.0.9:4000")
TICK_SECONDS = 2.0


class PaperGroup:
    """A group, read once a tick: our target's state at a time, and that of two others."""

    def __init__(self, clock: Jumping, own: Callable[[float], Health], others: Health) -> None:
        self.clock, self.own, self.others = clock, own, others
        self.is_out = False
        self.gap_at = float("inf")
        self.last: Reading | None = None

    def after(self, group: Any, moment: float, timeout: float, *, at_once: bool) -> Reading:
        del timeout
        self.clock.now = max(self.clock.now, moment) + (0.05 if at_once else TICK_SECONDS)
        if self.clock.now > self.gap_at:
            self.clock.now += 30
            self.gap_at = float("inf")
        own = DRAINING if self.is_out else self.own(self.clock.now)
        if group.name == "where it serves" and not self.is_out:
            own = HEALTHY
        found = {target_of(group, HOST, WEB): own} | dict.fromkeys(OTHERS, self.others)
        self.last = Reading(self.clock.now, found)
        return self.last

    def latest(self, group: Any) -> Reading | None:
        del group
        return self.last

    def first(self, group: Any) -> None:
        del group

    def register(self, *_: object) -> None:
        self.is_out = False

    def deregister(self, *_: object) -> None:
        self.is_out = True


class PaperHost:
    """A host with these connections to its port."""

    def __init__(self, clock: Jumping, seen: Sequence[Connection] | Exception = ()) -> None:
        self.clock, self.seen, self.looks = clock, seen, list[float]()

    def ask(self, script: Script[Any], timeout_seconds: float = 30) -> Any:
        del timeout_seconds
        self.clock.now += float(script.programs[0].arguments[0])
        self.looks.append(self.clock.now)
        if isinstance(self.seen, Exception):
            raise self.seen
        return tuple(self.seen)

    def change(self, *_: object) -> None:
        pass


def waited(
    own: Callable[[float], Health] = lambda _: INITIAL,
    others: Health = HEALTHY,
    *,
    seen: Sequence[Connection] | Exception = (),
    gap_at: float = float("inf"),
    late_seconds: float = 0.0,
    names: Sequence[str] = ("web-lab",),
    **group: Any,
) -> float:
    """How long the drain of a release took that did not become healthy in its time."""
    clock = Jumping()
    paper, host = PaperGroup(clock, own, others), PaperHost(clock, seen)
    paper.gap_at = gap_at
    fleet = Fleet(
        remotes={HOST.name: cast("Any", host)},
        groups={"web": tuple(builders.group(name, **group) for name in names)},
        registrar=cast("Any", paper),
        poller=cast("Any", paper),
        propagation_seconds=PROPAGATION_SECONDS,
        clock=clock,
    )
    RegisterTarget(HOST, WEB).run(fleet)
    with pytest.raises(BalancerError):
        WaitHealthy(HOST, WEB).run(fleet)
    clock.now += late_seconds
    DeregisterTarget(HOST, WEB, was_healthy=False).run(fleet)
    out = fleet.moments[HOST.name, WEB.unit_name, Moment.DEREGISTERED]
    DRAIN.run(fleet)
    return clock.now - out


def sick_from(seconds: float) -> Callable[[float], Health]:
    return lambda now: INITIAL if now < seconds else UNHEALTHY


@pytest.mark.parametrize("own", [lambda _: INITIAL, sick_from(0), sick_from(20)])
def test_one_that_was_never_healthy_waits_until_load_balancers_have_heard(
    own: Callable[[float], Health],
) -> None:
    assert PROPAGATION_SECONDS <= waited(own) <= PROPAGATION_SECONDS + 2


def once(health: Health, at: float) -> Callable[[float], Health]:
    """Unhealthy but for a moment, in which another state is read."""
    return lambda now: health if at <= now < at + TICK_SECONDS + 0.1 else UNHEALTHY


WHOLE: dict[str, dict[str, Any]] = {
    "healthy in another group": {"names": ["where it serves", "web-lab"]},
    "its health could not be told once": {"own": once(UNAVAILABLE, 40.0)},
    "all targets are unhealthy: the group sends to all": {"others": UNHEALTHY},
    "fewer are healthy than the group wants": {"least_healthy": 3},
    "a smaller share is healthy than the group wants": {"least_healthy_percent": 90},
    "zones stand alone: its own may have no other": {"zonal": True},
    "it was not read for a while": {"gap_at": 30.0},
    "it was taken out later": {"late_seconds": 20.0},
    "a connection is open": {"seen": [OPEN]},
    "one ended a moment ago": {"seen": [Connection("a:1", "b:2", has_ended=True)]},
    "its connections cannot be seen": {"seen": RemoteError("no ss")},
}


@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_p1_where_it_may_have_had_requests_it_drains_for_the_whole_delay(
    case: dict[str, Any],
) -> None:
    assert waited(**case) >= DELAY_SECONDS


def test_an_address_drains_for_the_whole_delay_anyway() -> None:
    """Before that it could not come back."""
    assert waited(target_type="ip") >= DELAY_SECONDS


def test_p1_the_drain_of_a_service_that_is_stopped_next_never_ends_early() -> None:
    """Of one that this run never registered nothing is known."""
    clock = Jumping()
    paper = PaperGroup(clock, lambda _: UNHEALTHY, HEALTHY)
    fleet = Fleet(
        remotes={HOST.name: cast("Any", PaperHost(clock))},
        groups={"web": (builders.group(),)},
        registrar=cast("Any", paper),
        poller=cast("Any", paper),
        clock=clock,
    )
    DeregisterTarget(HOST, WEB).run(fleet)
    WaitDrained(HOST, WEB, DELAY_SECONDS, heeds_stop=False).run(fleet)
    assert clock.now >= DELAY_SECONDS


def test_one_that_was_not_registered_after_all_waits_for_nothing() -> None:
    """Its Auto Scaling group keeps it out of service: no registration was asked for."""
    clock = Jumping()
    paper = PaperGroup(clock, lambda _: DRAINING, HEALTHY)
    fleet = Fleet(
        remotes={HOST.name: cast("Any", PaperHost(clock))},
        groups={"web": (builders.group(),)},
        registrar=cast("Any", paper),
        poller=cast("Any", paper),
        withheld=lambda _: "Standby",
        clock=clock,
    )
    with pytest.raises(TakenOut):
        RegisterTarget(HOST, WEB).run(fleet)
    DeregisterTarget(HOST, WEB, was_healthy=False).run(fleet)
    began = clock.now
    DRAIN.run(fleet)
    assert clock.now - began < 1


def test_p1_one_that_was_registered_in_one_group_of_two_drains() -> None:
    """The answer of a registration that failed may have been a yes."""
    clock = Jumping()
    paper = PaperGroup(clock, lambda _: UNHEALTHY, HEALTHY)
    fleet = Fleet(
        remotes={HOST.name: cast("Any", PaperHost(clock))},
        groups={"web": (builders.group("public"), builders.group("internal"))},
        registrar=cast("Any", paper),
        poller=cast("Any", paper),
        clock=clock,
    )

    def register(group: Any, target: Any) -> None:
        del target
        if group.name == "internal":
            raise BalancerError("no answer")

    cast("Any", paper).register = register
    with pytest.raises(BalancerError):
        RegisterTarget(HOST, WEB).run(fleet)
    DeregisterTarget(HOST, WEB, was_healthy=False).run(fleet)
    began = clock.now
    DRAIN.run(fleet)
    assert clock.now - began >= DELAY_SECONDS - 1
