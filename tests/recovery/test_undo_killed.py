"""P4: an undo of an adoption that is killed at any of its steps is repaired and finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from simulated import stage
from simulated.builds import OFFERED
from simulated.clock import CLOCK
from simulated.faults import Command, Fault, Strike
from simulated.performance import perform
from simulated.world import Fleets, World

from deploy.run.report import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulated.places import Home

STEPS = (
    *("MarkBad", "DeregisterTarget", "WaitDrained", "StopUnit", "ReviveUnit", "ProveRevived"),
    *("RegisterTarget", "WaitHealthy", "RecordDeployed", "RetireUnit", "ForgetOut"),
)
LONG_SECONDS = 500.0


@pytest.fixture(scope="module", autouse=True)
def on_stage() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stage.take_the_stage(patch)
        yield


def runs_previous(world: World, home: Home) -> bool:
    """Whether the previous unit serves there, also after a boot, and nothing else runs."""
    first, *others = home.places
    process = first.process
    is_alone = all(place.is_at_rest for place in others) and not first.enabled and not first.out
    is_previous = process is not None and process.is_legacy and home.legacy_enabled
    return is_alone and is_previous and world.is_served(home)


@pytest.mark.parametrize(
    ("surge", "deploys"),
    [(False, 1), (True, 1), (True, 2)],
    ids=["rolling", "surge", "surge, on the unit's own port"],
)
@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("mended_by", ["repair", "rollback"])
def test_p4_an_undo_that_was_killed_is_repaired_and_finished(
    step: str, at: int, mended_by: str, deploys: int, *, surge: bool
) -> None:
    """By surge a second deploy, here of another setting, takes the previous unit's own port."""
    world = World(Fleets(hosts=3, begin="legacy", surge=surge))
    for build in OFFERED[:deploys]:
        adopted = perform(world, Command("deploy", build))
        assert adopted.report
        assert adopted.report.exit_code is ExitCode.DONE
        CLOCK.now += LONG_SECONDS
    perform(world, Command("rollback", strikes=(Strike(Fault.CRASH, step, 1, at),)))
    CLOCK.now += LONG_SECONDS
    if mended_by == "repair":
        mended = perform(world, Command("repair"))
        assert mended.report, mended.refused
        assert all(map(world.is_healthy, world.homes.values()))
        CLOCK.now += LONG_SECONDS
    back = perform(world, Command("rollback"))
    assert back.report or "nothing to take back" in back.refused
    assert world.wrongs == []
    left = [str(home) for home in world.homes.values() if not runs_previous(world, home)]
    assert left == [], world.told()
