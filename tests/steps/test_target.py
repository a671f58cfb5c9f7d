"""Out and in, by an API that answers of a time ago for a while (ELBv2 is eventually consistent)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import HEALTHY

from deploy.aws.health_poller import Reading
from deploy.aws.targets import GONE, Health, State
from deploy.clock import Clock
from deploy.errors import ApiError, BalancerError, TakenOut
from deploy.steps import drain, target
from deploy.steps.fleet import Fleet, Moment
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitHealthy
from deploy.survey import blame
from deploy.survey.app_on_host import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.clock import Waited

HOST, WEB = builders.host(), builders.app().at(5000)
INITIAL = Health(State.INITIAL, "Elb.RegistrationInProgress")
DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
TICK_SECONDS = 2.0


class Jumping(Clock):
    """Time that passes when it is waited for."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, on: Waited, seconds: float) -> bool:
        del on
        self.now += seconds
        return False


@dataclass
class PaperPoller:
    """What the API shows at a time, read at once for the first and then once a tick."""

    clock: Jumping
    shows: Callable[[float], Health]
    in_group: Mapping[str, Callable[[float], Health]]
    reads: list[float] = field(default_factory=list)
    oldest: Reading | None = None

    def after(self, group: Any, moment: float, timeout: float, *, at_once: bool) -> Reading:
        del timeout
        self.clock.now = max(self.clock.now, moment) + (0.05 if at_once else TICK_SECONDS)
        self.reads.append(self.clock.now)
        shown = self.in_group.get(group.name, self.shows)(self.clock.now)
        return Reading(self.clock.now, {target_of(group, HOST, WEB): shown})

    def latest(self, group: Any) -> None:
        del group

    def first(self, group: Any) -> Reading | None:
        del group
        return self.oldest


class Silent:
    """A registrar and a host that do what they are told."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: () if name == "ask" else None


def fleet(
    shows: Callable[[float], Health],
    names: tuple[str, ...] = ("web-lab",),
    in_group: Mapping[str, Callable[[float], Health]] | None = None,
    **group: Any,
) -> tuple[Fleet, PaperPoller]:
    """A fleet of one host, with a clock of its own; in_group: what groups show by name."""
    clock = Jumping()
    poller = PaperPoller(clock, shows, in_group or {})
    made = Fleet(
        remotes={HOST.name: cast("Any", Silent())},
        groups={"web": tuple(builders.group(name, **group) for name in names)},
        registrar=cast("Any", Silent()),
        poller=cast("Any", poller),
        clock=clock,
    )
    return made, poller


def lagging(before: Health, after: Health, seconds: float) -> Callable[[float], Health]:
    """What was true so long ago."""
    return lambda now: before if now < seconds else after


@pytest.mark.parametrize("lag_seconds", [0.0, 1.0, 4.0, 9.0])
def test_a_stale_reading_after_a_deregistration_proves_nothing(lag_seconds: float) -> None:
    made, poller = fleet(lagging(HEALTHY, DRAINING, lag_seconds))
    DeregisterTarget(HOST, WEB).run(made)
    assert poller.reads[-1] >= lag_seconds
    assert len(poller.reads) <= 2 + lag_seconds / TICK_SECONDS
    assert made.moments[HOST.name, WEB.unit_name, Moment.DEREGISTERED] == 0.0, "the call's time"


def test_control_a_target_that_never_leaves_is_an_error_in_the_end() -> None:
    made, poller = fleet(lambda _: HEALTHY)
    with pytest.raises(BalancerError, match="was deregistered from web-lab but is healthy"):
        DeregisterTarget(HOST, WEB).run(made)
    assert target.VERIFY_OUT_SECONDS <= poller.reads[-1] <= target.VERIFY_OUT_SECONDS + 3


@pytest.mark.parametrize("lag_seconds", [1.0, 4.0])
def test_a_stale_healthy_after_a_registration_does_not_count(lag_seconds: float) -> None:
    """It was healthy, left, and comes back before the API has shown any of that."""

    def shows(now: float) -> Health:
        if now < lag_seconds:
            return HEALTHY
        return INITIAL if now < lag_seconds + 5 else HEALTHY

    made, _ = fleet(shows)
    made.mark(HOST, WEB, Moment.REGISTERED)
    WaitHealthy(HOST, WEB).run(made)
    assert made.moments[HOST.name, WEB.unit_name, Moment.HEALTHY] >= lag_seconds + 5


def test_one_that_is_healthy_all_along_counts_after_a_settling_time() -> None:
    made, _ = fleet(lambda _: HEALTHY)
    made.mark(HOST, WEB, Moment.REGISTERED)
    WaitHealthy(HOST, WEB).run(made)
    healthy = made.moments[HOST.name, WEB.unit_name, Moment.HEALTHY]
    assert blame.SETTLE_SECONDS <= healthy <= blame.SETTLE_SECONDS + TICK_SECONDS


def test_one_that_was_seen_elsewhere_counts_at_once() -> None:
    made, poller = fleet(lagging(GONE, HEALTHY, 1.0))
    made.mark(HOST, WEB, Moment.REGISTERED)
    WaitHealthy(HOST, WEB).run(made)
    assert len(poller.reads) == 2


def test_one_that_was_no_target_for_as_long_as_readings_may_be_old_counts_at_once() -> None:
    """Surge: the new slot is healthy at the first reading after its registration."""
    made, poller = fleet(lambda _: HEALTHY)
    poller.oldest = Reading(0.0, {})
    made.clock.sleep(blame.SETTLE_SECONDS)
    RegisterTarget(HOST, WEB).run(made)
    WaitHealthy(HOST, WEB).run(made)
    assert len(poller.reads) == 1


@pytest.mark.parametrize(
    ("seconds", "oldest"),
    [
        (blame.SETTLE_SECONDS - 3, Reading(0.0, {})),
        (blame.SETTLE_SECONDS, Reading(0.0, {target_of(builders.group(), HOST, WEB): HEALTHY})),
        (blame.SETTLE_SECONDS, None),
    ],
    ids=["not long enough", "it was a target", "nothing was read"],
)
def test_control_otherwise_it_settles(seconds: float, oldest: Reading | None) -> None:
    made, poller = fleet(lambda _: HEALTHY)
    poller.oldest = oldest
    made.clock.sleep(seconds)
    RegisterTarget(HOST, WEB).run(made)
    WaitHealthy(HOST, WEB).run(made)
    assert len(poller.reads) > 1


def test_the_end_of_a_drain_is_read_again_before_anybody_is_accused() -> None:
    made, _ = fleet(lagging(HEALTHY, DRAINING, 20.0))
    made.mark(HOST, WEB, Moment.DEREGISTERED)
    drain.WaitDrained(HOST, WEB, 10.0).run(made)
    made, _ = fleet(lambda _: HEALTHY)
    made.mark(HOST, WEB, Moment.DEREGISTERED)
    with pytest.raises(BalancerError, match="something else registered it"):
        drain.WaitDrained(HOST, WEB, 10.0).run(made)


def test_a_look_at_what_is_out_already_makes_no_address_wait_for_a_delay() -> None:
    """It was no target for longer than that: it may come back at once (ALB guide)."""
    made, _ = fleet(lambda _: GONE, target_type="ip", delay_seconds=300.0)
    drain.WaitDrained(HOST, WEB, 15.0, is_out=True).run(made)
    began = made.clock.monotonic()
    RegisterTarget(HOST, WEB).run(made)
    assert made.clock.monotonic() - began < 1.0


BOTH = ("web-public", "web-internal")


@dataclass
class Written:
    """A registrar that writes down what it is told; of some groups it knows only errors."""

    fails: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)

    def register(self, group: Any, target: Any) -> None:
        self._note("register", group, target)

    def deregister(self, group: Any, target: Any) -> None:
        self._note("deregister", group, target)

    def _note(self, what: str, group: Any, target: Any) -> None:
        assert target == target_of(group, HOST, WEB)
        if group.name == self.fails:
            raise BalancerError("throttled")
        self.calls.append((what, group.name))


def test_a_host_is_out_when_it_is_out_of_all_groups() -> None:
    late = {"web-internal": lagging(HEALTHY, DRAINING, 20.0)}
    made, _ = fleet(lambda _: DRAINING, BOTH, late)
    made.registrar = cast("Any", Written())
    DeregisterTarget(HOST, WEB).run(made)
    assert cast("Any", made.registrar).calls == [("deregister", name) for name in BOTH]
    assert made.clock.monotonic() >= 20.0


def test_control_one_group_of_two_that_never_lets_it_go_is_named() -> None:
    made, _ = fleet(lambda _: DRAINING, BOTH, {"web-internal": lambda _: HEALTHY})
    with pytest.raises(BalancerError, match="was deregistered from web-internal but is healthy"):
        DeregisterTarget(HOST, WEB).run(made)


def test_a_deregistration_that_failed_half_way_is_counted_from_and_done_again() -> None:
    """It may have been taken all the same, so that a drain counts from it."""
    made, _ = fleet(lambda _: DRAINING, BOTH)
    made.registrar = cast("Any", Written(fails="web-internal"))
    with pytest.raises(BalancerError, match="throttled"):
        DeregisterTarget(HOST, WEB).run(made)
    assert (HOST.name, WEB.unit_name, Moment.DEREGISTERED) in made.moments
    made.registrar = cast("Any", Written())
    DeregisterTarget(HOST, WEB).run(made)
    assert cast("Any", made.registrar).calls == [("deregister", name) for name in BOTH]


def test_a_host_is_in_when_it_is_healthy_in_all_groups() -> None:
    late = {"web-internal": lagging(INITIAL, HEALTHY, 12.0)}
    made, _ = fleet(lagging(INITIAL, HEALTHY, 1.0), BOTH, late)
    made.registrar = cast("Any", Written())
    RegisterTarget(HOST, WEB).run(made)
    WaitHealthy(HOST, WEB).run(made)
    assert cast("Any", made.registrar).calls == [("register", name) for name in BOTH]
    assert made.moments[HOST.name, WEB.unit_name, Moment.HEALTHY] >= 12.0


def test_a_group_in_which_it_can_never_be_healthy_is_named_at_once() -> None:
    unused = Health(State.UNUSED, "Target.NotInUse", "no listener")
    made, _ = fleet(lambda _: INITIAL, BOTH, {"web-internal": lambda _: unused})
    made.mark(HOST, WEB, Moment.REGISTERED)
    with pytest.raises(BalancerError, match=r"of web-internal is unused .* can never become"):
        WaitHealthy(HOST, WEB).run(made)
    assert made.clock.monotonic() < 5.0


def test_a_soak_ends_when_one_group_finds_it_sick() -> None:
    sick = {"web-internal": lagging(HEALTHY, Health(State.UNHEALTHY), 8.0)}
    made, _ = fleet(lambda _: HEALTHY, BOTH, sick)
    made.mark(HOST, WEB, Moment.HEALTHY)
    with pytest.raises(BalancerError, match="became unhealthy while soaking"):
        target.Soak(HOST, WEB, 30.0).run(made)


SICK = Health(State.UNHEALTHY, "Target.ResponseCodeMismatch")
TIMED_OUT = Health(State.UNHEALTHY, "Target.Timeout")


def over(*states: tuple[float, Health]) -> Callable[[float], Health]:
    """Each state from its second on."""
    return lambda now: [health for since, health in states if now >= since][-1]


@pytest.mark.parametrize(
    ("shows", "is_taken_out", "blames"),
    [
        (over((0, INITIAL), (8, DRAINING)), True, False),
        (over((0, INITIAL), (8, GONE)), True, False),
        (over((0, INITIAL), (6, SICK), (12, DRAINING)), False, True),
        (over((0, INITIAL), (6, TIMED_OUT), (12, DRAINING)), True, False),
    ],
    ids=["draining", "gone", "sick before, so it may have been ended for that", "never answered"],
)
def test_p6_a_target_that_something_else_takes_out_is_known_at_once(
    shows: Callable[[float], Health], *, is_taken_out: bool, blames: bool
) -> None:
    made, _ = fleet(shows)
    made.mark(HOST, WEB, Moment.REGISTERED)
    with pytest.raises(BalancerError) as caught:
        WaitHealthy(HOST, WEB).run(made)
    assert isinstance(caught.value, TakenOut) is is_taken_out
    assert caught.value.blames_release is blames
    assert made.clock.monotonic() < 20.0


def test_control_a_draining_that_is_read_of_our_own_drain_is_waited_for() -> None:
    made, _ = fleet(over((0, DRAINING), (4, INITIAL), (8, HEALTHY)))
    made.mark(HOST, WEB, Moment.REGISTERED)
    WaitHealthy(HOST, WEB).run(made)


@pytest.mark.parametrize(
    ("after", "is_taken_out", "blames"),
    [(DRAINING, True, False), (GONE, True, False), (SICK, False, True), (TIMED_OUT, False, True)],
)
def test_p6_a_soak_tells_a_target_that_was_taken_out_from_a_sick_one(
    after: Health, *, is_taken_out: bool, blames: bool
) -> None:
    made, _ = fleet(lagging(HEALTHY, after, 8.0))
    made.mark(HOST, WEB, Moment.HEALTHY)
    with pytest.raises(BalancerError, match="while soaking") as caught:
        target.Soak(HOST, WEB, 30.0).run(made)
    assert isinstance(caught.value, TakenOut) is is_taken_out
    assert caught.value.blames_release is blames


def test_p6_who_its_group_ends_or_keeps_out_is_never_registered() -> None:
    made, _ = fleet(lambda _: INITIAL)
    registrar = Written()
    made.registrar = cast("Any", registrar)
    made.withheld = lambda _: "Terminating:Wait in the Auto Scaling group fleet"
    with pytest.raises(TakenOut, match="not registered: its instance is Terminating:Wait"):
        RegisterTarget(HOST, WEB).run(made)
    assert registrar.calls == []


def test_a_scaling_api_that_fails_keeps_no_proven_host_out() -> None:
    made, _ = fleet(lambda _: INITIAL)
    registrar, told = Written(), list[str]()
    made.registrar, made.tell = cast("Any", registrar), lambda _, text: told.append(text)

    def fail(_: object) -> str:
        raise ApiError("throttled", "Throttling", may_pass=True)

    made.withheld = fail
    RegisterTarget(HOST, WEB).run(made)
    assert registrar.calls == [("register", "web-lab")]
    assert told == ["throttled; its lifecycle state was not looked at"]


BEFORE = [
    INITIAL,
    DRAINING,
    GONE,
    Health(State.UNHEALTHY, "Target.Timeout"),
    Health(State.UNUSED, "Target.NotInUse"),
]


@pytest.mark.parametrize("seconds", [3.0, 30.0])
@pytest.mark.parametrize("before", BEFORE, ids=[f"{each}" for each in BEFORE])
def test_one_old_reading_right_after_healthy_fails_no_soak(before: Health, seconds: float) -> None:
    """AWS's nodes do not agree at once: one shows what was before the target became healthy."""
    made, poller = fleet(lambda now: before if now < 2.5 else HEALTHY)
    made.mark(HOST, WEB, Moment.HEALTHY)
    target.Soak(HOST, WEB, seconds).run(made)
    assert len(poller.reads) >= 2
    assert made.clock.monotonic() >= seconds


def test_an_old_reading_in_the_middle_of_a_soak_fails_none() -> None:
    made, _ = fleet(lambda now: GONE if 10.0 < now < 13.0 else HEALTHY)
    made.mark(HOST, WEB, Moment.HEALTHY)
    target.Soak(HOST, WEB, 30.0).run(made)


@pytest.mark.parametrize("seconds", [3.0, 30.0])
@pytest.mark.parametrize("state", BEFORE, ids=[f"{each}" for each in BEFORE])
def test_control_a_state_that_lasts_fails_the_soak_however_short(
    state: Health, seconds: float
) -> None:
    made, _ = fleet(lagging(HEALTHY, state, 1.0))
    made.mark(HOST, WEB, Moment.HEALTHY)
    with pytest.raises(BalancerError, match="while soaking") as caught:
        target.Soak(HOST, WEB, seconds).run(made)
    assert made.clock.monotonic() <= 1.0 + blame.SETTLE_SECONDS + 2 * TICK_SECONDS
    # What was deregistered, or registered anew, by something else is no release's fault.
    assert caught.value.blames_release is (state.state is State.UNHEALTHY)


def test_control_an_unhealthy_target_ends_a_soak_at_once() -> None:
    made, _ = fleet(lagging(HEALTHY, Health(State.UNHEALTHY), 8.0))
    made.mark(HOST, WEB, Moment.HEALTHY)
    with pytest.raises(BalancerError, match="became unhealthy while soaking"):
        target.Soak(HOST, WEB, 30.0).run(made)
    assert made.clock.monotonic() <= 8.0 + 2 * TICK_SECONDS


@pytest.mark.parametrize(
    ("state", "blames"),
    [
        (Health(State.UNUSED, "Target.NotInUse", "no listener"), False),
        (GONE, False),
        (DRAINING, False),
        (INITIAL, False),
        (Health(State.UNHEALTHY, "Target.ResponseCodeMismatch"), True),
    ],
    ids=str,
)
def test_a_release_is_blamed_for_what_its_health_checks_say_alone(
    state: Health, blames: bool
) -> None:
    made, _ = fleet(lambda _: state)
    made.mark(HOST, WEB, Moment.REGISTERED)
    with pytest.raises(BalancerError) as caught:
        WaitHealthy(HOST, WEB).run(made)
    assert caught.value.blames_release is blames


def sleeping(made: Fleet, poller: PaperPoller, seconds: float) -> None:
    """Let the workstation sleep once, while the first answer is on its way."""
    plain = poller.after

    def after(group: Any, moment: float, timeout: float, *, at_once: bool) -> Reading:
        reading = plain(group, moment, timeout, at_once=at_once)
        if len(poller.reads) == 1:
            made.clock.sleep(seconds)
        return reading

    cast("Any", poller).after = after


def test_p1_an_answer_of_before_the_workstation_slept_condemns_no_target() -> None:
    made, poller = fleet(lagging(INITIAL, HEALTHY, 5.0))
    made.mark(HOST, WEB, Moment.REGISTERED)
    sleeping(made, poller, 600.0)
    WaitHealthy(HOST, WEB).run(made)
    assert made.clock.monotonic() >= 600.0


def test_p1_an_answer_of_before_the_workstation_slept_fails_no_soak() -> None:
    made, poller = fleet(lagging(Health(State.UNHEALTHY), HEALTHY, 2.5))
    made.mark(HOST, WEB, Moment.HEALTHY)
    sleeping(made, poller, 20.0)
    target.Soak(HOST, WEB, 30.0).run(made)


def test_control_a_target_that_is_still_not_healthy_after_the_sleep_is_an_error() -> None:
    made, poller = fleet(lambda _: INITIAL)
    made.mark(HOST, WEB, Moment.REGISTERED)
    sleeping(made, poller, 600.0)
    with pytest.raises(BalancerError, match="is initial"):
        WaitHealthy(HOST, WEB).run(made)
