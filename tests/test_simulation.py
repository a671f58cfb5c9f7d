"""Whatever fails, crashes or takes over, on any fleet, under any policy: P1 to P5 hold."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated import stage
from simulated.builds import OFFERED, Kind
from simulated.faults import Command, Fault, Strike
from simulated.story import simulate
from simulated.world import Fleets

from deploy import commands, connections, lanes, recovery, verbs
from deploy.enrolment import RegisterTarget, WaitDrained, WaitHealthy
from deploy.executor import Execution
from deploy.proof import ProveRelease
from deploy.quiet import WaitQuiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.fleet import Fleet
    from deploy.recovery import WayOut
    from deploy.steps import Step

EXAMPLES = int(os.environ.get("SIMULATIONS", "150"))
SHARDS = 4  # of the test below, each with a seed and a database key of its own, for `pytest -n 2`

STEPS = (
    "DeregisterTarget",
    "WaitDrained",
    "WaitQuiet",
    "StopUnit",
    "SwitchRelease",
    "StartUnit",
    "ProveRelease",
    "RegisterTarget",
    "WaitHealthy",
    "RecordDeployed",
    "Soak",
    "ForgetOut",
    "RetireUnit",
    "ReviveUnit",
    "ProveRevived",
    "MarkBad",
    "UploadRelease",
    "StageUnit",
    "RemoveReleases",
    "ProveCurrent",
)


@pytest.fixture(scope="module", autouse=True)
def on_stage() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stage.take_the_stage(patch)
        yield


def strikes(hosts: int) -> st.SearchStrategy[Strike]:
    return st.builds(
        Strike,
        fault=st.sampled_from(Fault),
        step=st.sampled_from(STEPS),
        host=st.integers(1, hosts),
        at=st.integers(0, 4),
        nth=st.sampled_from([0, 0, 0, 1]),
        seconds=st.sampled_from([3.0, 30.0, 300.0]),
        number=st.sampled_from([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]),
    )


def scripts(hosts: int) -> st.SearchStrategy[list[Command]]:
    return st.lists(
        st.builds(
            Command,
            verb=st.sampled_from(["deploy", "deploy", "deploy", "repair", "rollback"]),
            build=st.sampled_from(OFFERED),
            strikes=st.lists(strikes(hosts), max_size=4).map(tuple),
            seed=st.integers(0, 99),
            after=st.sampled_from([0.0, 5.0, 500.0]),
        ),
        min_size=1,
        max_size=4,
    )


SHARES = (0, 1, 2, "34%", "50%", "75%")
BATCHES = st.sampled_from([1, 2, 3, "25%", "50%", "100%", [1, "50%"], [1, 2, "100%"]])
PACES = st.one_of(
    st.fixed_dictionaries({"batch": BATCHES}),
    st.fixed_dictionaries({"window": st.sampled_from([1, 2, 3])}),
)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "min_in_service": st.sampled_from(SHARES),
        "max_failures": st.sampled_from(SHARES),
        "soak_seconds": st.sampled_from([3.0, 8.0]),
        "on_failure": st.sampled_from(["stop", "rollback"]),
        "drain": st.just("quiet"),
    },
)
ROLLOUTS = st.builds(lambda pace, policy: (*pace.items(), *policy.items()), PACES, POLICIES)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Fleets, list[Command]]:
    hosts = draw(st.integers(1, 6))
    rollout = draw(ROLLOUTS)
    is_quiet = ("drain", "quiet") in rollout
    fleets = Fleets(
        hosts=hosts,
        begin=draw(st.sampled_from(["running", "running", "running", "legacy", "fresh"])),
        kinds=draw(st.tuples(*[st.sampled_from([Kind.GOOD, *Kind])] * len(OFFERED))),
        rollout=rollout,
        surge=draw(st.booleans()),
        target_type=draw(st.sampled_from(["instance", "ip"])),
        zonal=draw(st.booleans()) and hosts > 3,
        keep_releases=draw(st.sampled_from([2, 5])),
        delay_seconds=30.0 if is_quiet else 10.0,
        reach_seconds=draw(st.sampled_from([0.0, 9.0, 14.5])) if is_quiet else 0.0,
        flight_seconds=draw(st.sampled_from([0.0, 0.25, 8.0, 60.0])) if is_quiet else 0.0,
    )
    return fleets, draw(scripts(hosts))


# One app and two in turn: two workers, each with two shards that follow, have the same to do.
@pytest.mark.parametrize("apps", [1, 2])
@pytest.mark.parametrize("mend_first", [True, False], ids=["repair, deploy", "deploy"])
@settings(
    max_examples=math.ceil(EXAMPLES / SHARDS),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(story=stories())
def test_p1_to_p5_hold_whatever_happens(
    story: tuple[Fleets, list[Command]], apps: int, mend_first: bool
) -> None:
    fleets, script = story
    simulate(replace(fleets, apps=apps), script, mend_first=mend_first)


def without(kind: type[Step], patch: pytest.MonkeyPatch) -> None:
    """Leave a kind of step out of every way back."""
    real = recovery.way_out

    def left(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(step for step in steps if not isinstance(step, kind))

    def way_out(*given: object, **told: object) -> WayOut:
        way = real(*given, **told)  # type: ignore[arg-type]  # passed on as it came
        return replace(way, at_once=left(way.at_once), then=left(way.then))

    patch.setattr(recovery, "way_out", way_out)


def a_way_back_without_a_drain(patch: pytest.MonkeyPatch) -> None:
    without(WaitDrained, patch)


def a_way_back_without_a_proof(patch: pytest.MonkeyPatch) -> None:
    without(ProveRelease, patch)


def a_drain_that_sees_no_connection(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(connections, "busy", lambda *_: 0)


def a_drain_without_its_floor(patch: pytest.MonkeyPatch) -> None:
    real = WaitQuiet.run
    patch.setattr(WaitQuiet, "run", lambda step, own: real(replace(step, floor_seconds=0.0), own))


def a_batch_that_always_has_room(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Execution, "_has_room", lambda *_: True)


def a_deregistration_without_its_note(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(commands, "record_out", lambda *_: "true")


def a_registration_that_does_not_ask_whose_the_environment_is(patch: pytest.MonkeyPatch) -> None:
    def run(step: RegisterTarget, fleet: Fleet) -> None:
        fleet.desk.register(fleet.groups[step.app.name], fleet.target(step.host, step.app))

    patch.setattr(RegisterTarget, "run", run)


def a_new_slot_that_nobody_waits_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(WaitHealthy, "run", lambda *_: None)


def a_release_that_nobody_proves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ProveRelease, "run", lambda *_: None)


def a_slot_that_is_left_beside_the_one_in_use(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(lanes, "left_over", lambda *_: ())


def an_old_slot_that_is_not_seen_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Execution, "_begin_aside", lambda *_: None)


def a_report_without_a_last_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verbs, "as_seen", lambda report, _: report)


@dataclass(frozen=True)
class Control:
    """A defect of the product, a script in which it shows, and the wrong that it shows as."""

    defect: Callable[[pytest.MonkeyPatch], None]
    wrong: str
    script: tuple[Command, ...]
    fleets: Fleets = field(default_factory=Fleets)

    def __str__(self) -> str:
        return f"{self.wrong.partition(':')[0]} {self.defect.__name__}"


def kinds(first: Kind) -> tuple[Kind, ...]:
    """How the builds behave when the first that is offered is bad."""
    return (first, *[Kind.GOOD] * (len(OFFERED) - 1))


QUIET = Fleets(rollout=(("batch", 1), ("drain", "quiet")), delay_seconds=30.0, reach_seconds=9.0)

CONTROLS = (
    Control(
        a_way_back_without_a_drain,
        "P1: host-1: web: stopped while it drains",
        (Command("deploy"),),
        Fleets(kinds=kinds(Kind.LATE), rollout=(("batch", 1), ("soak_seconds", 8.0))),
    ),
    Control(
        a_drain_that_sees_no_connection,
        "P1: host-1: web: stopped while it drains",
        (Command("deploy"),),
        replace(QUIET, flight_seconds=12.0),
    ),
    Control(
        a_drain_without_its_floor,
        "P1: host-1: web:5000: stopped while it drains",
        (Command("deploy"),),
        replace(QUIET, surge=True),
    ),
    Control(
        a_batch_that_always_has_room,
        "P2: host-2: web: out, 1 left in service of 2",
        (Command("deploy", strikes=(Strike(Fault.SICK, "RecordDeployed", seconds=300.0),)),),
        Fleets(hosts=3),
    ),
    Control(
        a_way_back_without_a_proof,
        "P3: host-1: web: registered, but what runs was not proven",
        (Command("deploy"),),
        Fleets(kinds=kinds(Kind.SILENT)),
    ),
    Control(
        a_deregistration_without_its_note,
        "P4: host-1: web: taken out, and it is written down nowhere",
        (Command("deploy"),),
    ),
    Control(
        a_registration_that_does_not_ask_whose_the_environment_is,
        "P5: host-1: web: AWS was told after another deploy took over",
        (Command("deploy", strikes=(Strike(Fault.TAKEOVER, "ProveRelease", seconds=3.0),)),),
    ),
    Control(
        a_report_without_a_last_look,
        "honesty: exit code <ExitCode.FAILED: 1>, and host-1: web is out of service",
        (
            Command("deploy", strikes=(Strike(Fault.CRASH, "StartUnit"),)),
            Command("deploy", OFFERED[2], strikes=(Strike(Fault.COMMAND, "UploadRelease"),)),
        ),
    ),
    Control(
        a_new_slot_that_nobody_waits_for,
        "P2: host-1: web:5000: out, and no other slot of its host is healthy",
        (Command("deploy"),),
        Fleets(surge=True),
    ),
    Control(
        a_release_that_nobody_proves,
        "P3: host-1: web:5001: registered, but what runs was not proven",
        (Command("deploy"),),
        Fleets(kinds=kinds(Kind.SILENT), surge=True),
    ),
    Control(
        a_slot_that_is_left_beside_the_one_in_use,
        "P4: host-1: web:5000: not at rest after a repair",
        (Command("deploy", strikes=(Strike(Fault.CRASH, "DeregisterTarget"),)),),
        Fleets(surge=True),
    ),
    Control(
        an_old_slot_that_is_not_seen_off,
        "honesty: exit code 0, and host-1: web:5000 is not at rest",
        (Command("deploy"),),
        Fleets(surge=True),
    ),
)


@pytest.mark.parametrize("control", CONTROLS, ids=str)
def test_the_simulation_sees_a_defect_of_the_product(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(control.fleets, control.script)
    control.defect(monkeypatch)
    with pytest.raises(AssertionError) as raised:
        simulate(control.fleets, control.script)
    assert control.wrong in str(raised.value).splitlines()
