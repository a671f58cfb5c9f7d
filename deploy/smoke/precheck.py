"""Tries the smoke tests through the load balancer on the serving release, before any change.

A wrong address, or a listener that cannot be reached from here, is found before the first drain.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.clock import CLOCK
from deploy.errors import BadInput
from deploy.front.client import NoAnswer
from deploy.settings import success_codes
from deploy.smoke.through_balancer import PAUSE_SECONDS, TRIES, PassSmokeTests

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.clock import Clock
    from deploy.hosts.probe.request import Head, Request
    from deploy.plan.plan import Plan
    from deploy.smoke.verdict import SmokeRequest

    Ask = Callable[[Request, int, float], Head]

AT_ONCE = 8


def checked(plan: Plan, ask: Ask, clock: Clock = CLOCK) -> Plan:
    """Return the plan, with a warning for each test that what serves now does not pass.

    That refuses no plan: the new release may repair it. Nothing is asked of an app of which nothing
    serves yet.

    Raises:
        BadInput: No answer comes at all, so that the deploy could not end well.
    """
    steps = {step.app.name: step for step in plan.steps if isinstance(step, PassSmokeTests)}
    due = [step for step in steps.values() if _is_served(plan, step)]
    tests = [(step, test) for step in due for test in step.tests]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        notes = list(pool.map(lambda each: _note(each[0], each[1], ask, clock), tests))
    return replace(plan, warnings=(*plan.warnings, *filter(None, notes)))


def _is_served(plan: Plan, step: PassSmokeTests) -> bool:
    names = {on.app.name: [group.name for group in on.groups] for on in plan.running.values()}
    return any(
        plan.in_service[group].healthy
        for group in names.get(step.app.name, ())
        if group in plan.in_service
    )


def _note(step: PassSmokeTests, test: SmokeRequest, ask: Ask, clock: Clock) -> str:
    """What to say of a test; nothing where what serves passes it."""
    head = _answer(step, test, ask, clock)
    name = step.app.name
    if test.header and head.value(test.header) is None:
        return (
            f"{name}: what serves now names no release in {test.header} ({test}, answer "
            f"{head.code}); the new one must, or the deploy stops after its first batch"
        )
    if test.is_new or success_codes.parse(test.expect).matches(head.code):
        return ""
    return (
        f"{name}: what serves now does not pass the smoke test `{test}` through the load balancer: "
        f"answer {head.code}. If only the new release can, give it `new: true`"
    )


def _answer(step: PassSmokeTests, test: SmokeRequest, ask: Ask, clock: Clock) -> Head:
    why = ""
    for number in range(TRIES):
        clock.sleep(PAUSE_SECONDS * number)
        try:
            return ask(test.request, number, test.timeout_seconds)
        except NoAnswer as error:
            why = str(error)
    raise BadInput(
        f"{step.app.name}: {test.url} cannot be asked from here, tried {TRIES} times: {why}; "
        "correct `url` under `smoke_through`, deploy from where users' requests come from, or "
        "leave `smoke_through` out"
    )
