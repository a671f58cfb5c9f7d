"""A run's entries, as tests let views hear them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import builders

from deploy.errors import DeployError
from deploy.events.event import Entry
from deploy.events.planned import PlanMade
from deploy.run import as_events
from deploy.screen.plan import text
from deploy.screen.run.story import Story
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Event, StepBegan, StepEnded
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.steps.base import Step


def now(event: Event) -> Entry:
    """An event that happens now."""
    return Entry(time.time(), event)


def telling(listen: Callable[[Entry], None]) -> Callable[[Event], None]:
    """What passes events on to a view, stamped."""
    return lambda event: listen(now(event))


def planned(plan: Plan) -> PlanMade:
    """The plan's event; its apps have a group each."""
    groups = dict.fromkeys((step.app.name for step in plan.steps), (builders.group(),))
    return as_events.plan_made(plan, groups)


def plan_made(plan: Plan) -> Entry:
    """The plan, that is made now."""
    return now(planned(plan))


def printed(plan: Plan, *, is_full: bool = False) -> str:
    """The plan as a log shows it; is_full: with every step on a line of its own."""
    return text.of(planned(plan), is_full=is_full)


def began(step: Step, *, planned: bool = True) -> StepBegan:
    """A step that begins."""
    return as_events.step_began(step, planned=planned)


def ended(step: Step, seconds: float, health: str = "", error: str = "") -> StepEnded:
    """A step that ended."""
    return as_events.step_ended(
        step, seconds, health, DeployError(error) if error else None, planned=True
    )


def story(report: Report, next_command: str = "", scope: Scope | None = None) -> Story:
    """A whole run that ended with this report."""
    verb = {"Roll back": "rollback"}.get(report.plan.verb, report.plan.verb.lower())
    heard = Story()
    scope = scope or Scope(report.plan.environment, verb=verb)
    heard(now(as_events.run_began(scope, "0" * 32)))
    heard(plan_made(report.plan))
    for failure in report.failures:
        heard(now(as_events.failed(failure)))
    heard(now(as_events.run_ended(report, next_command)))
    return heard
