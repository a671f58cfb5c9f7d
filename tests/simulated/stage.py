"""Sees how each proof ends, since a registration is right only after one that passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from deploy.errors import NotProven
from deploy.steps import base
from deploy.steps.answers import ProvePrevious, ProveRevived
from deploy.steps.verify import ProveRelease
from simulated.builds import Kind
from simulated.clock import CLOCK
from simulated.places import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet
    from simulated.api import Api


def take_the_stage(patch: pytest.MonkeyPatch) -> None:
    """From here to the patch's end, steps and executor act on the paper."""
    patch.setattr(base, "ASK_SECONDS", 1.0)
    for kind in (ProveRelease, ProvePrevious, ProveRevived):
        patch.setattr(kind, "run", _proven(kind.run))


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
