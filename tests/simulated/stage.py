"""Puts what is simulated in the place of what is real: threads and proofs."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from deploy.run import executor
from deploy.run.executor import Execution
from deploy.steps import verify
from deploy.steps.verify import NotProven, ProveRelease, ProveRevived
from simulated.builds import Kind
from simulated.clock import CLOCK
from simulated.places import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from deploy.plan.host_plan import HostPlan
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet
    from simulated.api import Api
    from simulated.fate import Fate


def take_the_stage(patch: pytest.MonkeyPatch) -> None:
    """From here to the patch's end, steps and executor act on the paper."""
    patch.setattr(verify, "ASK_SECONDS", 1.0)
    for kind in (ProveRelease, ProveRevived):
        patch.setattr(kind, "run", _proven(kind.run))
    patch.setattr(Execution, "_together", _together)
    patch.setattr(Execution, "_has_capacity", _decided(Execution._has_capacity))
    patch.setattr(Execution, "_begin_aside", _begin_aside)
    patch.setattr(Execution, "_beside", staticmethod(_beside))
    patch.setattr(Execution, "_wait", _wait)


def _proven(run: Callable[[Any, Fleet], None]) -> Callable[[Any, Fleet], None]:
    """The same proof; the world remembers how it ended for the process that it was of."""

    def prove(step: Step, own: Fleet) -> None:
        world = cast("Api", own.poller).world
        place = world.places[step.host.name, step.app.name, step.app.port]
        began = CLOCK.now
        try:
            run(step, own)
        except NotProven:
            # What serves and is sick for a while was proven once, and is in again afterwards.
            is_sick = place.registered and place.sick > began
            if place.process and not is_sick:
                place.process.proven, place.left = False, NOBODY
            raise
        if place.process is None or world.kind(place.process.build) in {Kind.SILENT, Kind.RESTLESS}:
            world.wrong("P3", f"{place}: a proof passed for what does not answer or stay")
        else:
            place.process.proven = True

    return prove


def _together(
    execution: Execution,
    work: list[tuple[HostPlan, Callable[[HostPlan], None]]],
    at_a_time: int = executor.MOST_AT_A_TIME,
) -> None:
    """Stands in for the executor's threads: these take turns, so many of them at a time.

    What was begun aside meanwhile goes on with the next ones.
    """
    fate = _fate(execution)
    todo = iter(work)

    def take() -> None:
        for host_plan, act in todo:
            act(host_plan)

    aside, fate.aside = fate.aside, []
    fate.turns.together([*[take] * min(at_a_time, len(work)), *aside])
    fate.acting = ""


def _decided(decide: Callable[[Execution, int, Callable[[], list[HostPlan]]], bool]) -> Any:
    """The same decision; nothing else happens meanwhile, since a window's turn is locked."""

    def has_room(execution: Execution, number: int, going: Callable[[], list[HostPlan]]) -> bool:
        fate = _fate(execution)
        with fate.between_steps(going()[0].host.name):
            return decide(execution, number, going)

    return has_room


def _begin_aside(execution: Execution, host_plan: HostPlan) -> None:
    _fate(execution).aside.append(partial(execution._leave, host_plan))


def _beside(host_plan: HostPlan, act: Callable[[HostPlan], None]) -> Future[None]:
    """In the same thread: others that are staged meanwhile take their turns between its steps."""
    ended: Future[None] = Future()
    act(host_plan)
    ended.set_result(None)
    return ended


def _wait(execution: Execution, futures: object) -> None:
    """Stands in for the wait at a plan's end, for what is still under way aside."""
    del futures
    fate = _fate(execution)
    aside, fate.aside = fate.aside, []
    if aside:
        fate.turns.together(aside)
    fate.acting = ""


def _fate(execution: Execution) -> Fate:
    return cast("Api", execution.fleet.poller).fate
