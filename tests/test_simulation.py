"""Whatever fails, crashes or takes over, on any fleet, under any policy: P1 to P5 hold."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated import stage
from simulated.builds import OFFERED, Kind
from simulated.controls import CONTROLS, Control
from simulated.faults import Command, Fault, Strike
from simulated.liars import Liar, Lie
from simulated.once_failed import ONCE_FAILED, Story
from simulated.story import simulate
from simulated.world import Fleets

from deploy.recovery.answers.choices import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

# The fast tests tell the same stories each time; `make faults` draws new ones.
DRAWN_ANEW = "SIMULATIONS" in os.environ
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
    "RecordReturned",
    "RetireUnit",
    "ReviveUnit",
    "ProveRevived",
    "ProveStillPrevious",
    "MarkBad",
    "UploadRelease",
    "StageUnits",
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


def liars(hosts: int) -> st.SearchStrategy[Liar | None]:
    one = st.builds(
        Liar, host=st.integers(1, hosts), lie=st.sampled_from(Lie), seed=st.integers(0, 999)
    )
    return st.one_of(st.none(), st.none(), one)


ANSWERS = st.one_of(
    st.just(()), st.lists(st.sampled_from(Answer), min_size=1, max_size=4).map(tuple)
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
            liar=liars(hosts),
            answers=ANSWERS,
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
        groups=draw(st.sampled_from([1, 1, 2])),
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
    derandomize=not DRAWN_ANEW,
)
@given(story=stories())
def test_p1_to_p5_hold_whatever_happens(
    story: tuple[Fleets, list[Command]], apps: int, mend_first: bool
) -> None:
    fleets, script = story
    simulate(replace(fleets, apps=apps), script, mend_first=mend_first)


@st.composite
def migrations(draw: st.DrawFn) -> tuple[Fleets, list[Command]]:
    """Stories in which each release has a migration, which any fault may strike.

    Of no host that lies: the one that runs it alone knows how it ended.
    """
    fleets, script = draw(stories())
    strike = st.builds(
        Strike,
        fault=st.sampled_from([Fault.CRASH, *Fault]),
        step=st.sampled_from(["RunOnce", "SkipOnce"]),
        host=st.integers(1, fleets.hosts),
        at=st.integers(0, 5),
        seconds=st.sampled_from([3.0, 300.0]),
    )
    honest = [
        replace(each, liar=None, strikes=(*each.strikes, *draw(st.lists(strike, max_size=2))))
        for each in script
    ]
    return replace(fleets, migrates=True, apps=draw(st.sampled_from([1, 2]))), honest


@settings(
    max_examples=math.ceil(EXAMPLES / SHARDS),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=not DRAWN_ANEW,
)
@given(story=migrations())
def test_p4_a_migration_runs_once_and_before_its_release(
    story: tuple[Fleets, list[Command]],
) -> None:
    simulate(*story)


@pytest.mark.parametrize("story", ONCE_FAILED, ids=str)
@pytest.mark.parametrize("mend_first", [True, False], ids=["repair, deploy", "deploy"])
def test_a_story_that_once_failed(story: Story, mend_first: bool) -> None:
    simulate(story.given, story.script, mend_first=mend_first)


@pytest.mark.parametrize("control", CONTROLS, ids=str)
def test_the_simulation_sees_a_defect_of_the_product(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate(control.fleets, control.script)
    control.defect(monkeypatch)
    with pytest.raises(AssertionError) as raised:
        simulate(control.fleets, control.script)
    assert control.wrong in str(raised.value).splitlines()
