"""The fixture that executes a plan on a fleet on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy.run.executor import Execution
from deploy.run.report import Event
from deploy.steps import verify
from run.paper_fleet import KINDS, Acts, PaperFleet, Ran

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.plan import Plan
    from deploy.steps.fleet import Fleet


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Walk a real plan, ways back included, on a paper fleet."""
    for kind in KINDS:
        monkeypatch.setattr(kind, "run", lambda step, fleet: fleet.do(step))
    monkeypatch.setattr(verify.ProveRelease, "look_again", lambda *_: None)

    def execute(plan: Plan, acts: Acts | None = None, **more: Any) -> Ran:
        events: list[Event] = []
        fleet = PaperFleet(acts or {}, **more)
        fleet.execution = Execution(plan, cast("Fleet", fleet), events.append)
        return Ran(fleet.execution.run(), events, fleet.done)

    return execute
