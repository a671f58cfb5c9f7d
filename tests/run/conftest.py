"""The fixtures that execute plans on a fleet on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy.events.event import Event
from deploy.events.planned import PlanMade
from deploy.run.executor import Execution
from deploy.steps import verify
from run.paper_fleet import KINDS, Acts, PaperFleet, Ran

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.plan import Plan
    from deploy.steps.fleet import Fleet


@pytest.fixture
def steps_on_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps only note that they were done, or act as the test says."""
    for kind in KINDS:
        monkeypatch.setattr(kind, "run", lambda step, fleet: fleet.do(step))
    monkeypatch.setattr(verify.ProveRelease, "look_again", lambda *_: None)


@pytest.fixture
def run(steps_on_paper: None) -> Callable[..., Ran]:
    """Walk a real plan, ways back included, on a paper fleet."""
    del steps_on_paper

    def execute(plan: Plan, acts: Acts | None = None, **more: Any) -> Ran:
        events: list[Event] = []
        fleet = PaperFleet(acts or {}, **more)
        fleet.execution = Execution(plan, cast("Fleet", fleet), events.append)
        report = fleet.execution.run()
        assert isinstance(events[0], PlanMade)
        return Ran(report, events, fleet.done)

    return execute
