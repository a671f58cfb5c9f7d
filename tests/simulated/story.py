"""A whole simulation: the operator's commands in turn, whatever befalls them, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulated.ending import end
from simulated.performance import perform
from simulated.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulated.faults import Command
    from simulated.world import Fleets


def simulate(given: Fleets, script: Sequence[Command], *, mend_first: bool = True) -> World:
    """Every command in turn, then the end; raises AssertionError with all that was wrong."""
    world = World(given)
    for number, command in enumerate(script, start=1):
        ended = perform(world, command)
        _assert_right(world, f"command {number}: {command}\nended: {ended}")
    end(world, mend_first=mend_first)
    _assert_right(world, "the end")
    return world


def _assert_right(world: World, when: str) -> None:
    wrongs = "\n".join(world.wrongs)
    assert not world.wrongs, f"{wrongs}\nat {when}\nin {world.given}\n{world.told()}"
