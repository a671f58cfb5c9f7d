"""What both views of a plan say of it as a whole. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.durations import planned
from deploy.foreign_text import line
from deploy.screen.plan import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.events.planned import PlanMade, PlannedStep

PROOFS = frozenset({"prove_current", "prove_still_previous"})
"""The kinds of steps that only look at what serves."""


def steps(plan: PlanMade) -> tuple[PlannedStep, ...]:
    """All steps, in the plan's order."""
    hosts = [*plan.staging, *plan.once, *(host for batch in plan.batches for host in batch.hosts)]
    return tuple(step for host in hosts for step in (*host.steps, *host.after))


def first_change(plan: PlanMade) -> str:
    """What happens first that requests may notice: `leaves the load balancer`."""
    return "is stopped" if plan.is_of_workers else "leaves the load balancer"


def left_out(plan: PlanMade) -> Iterator[str]:
    """A line for each reason for which hosts are not touched."""
    reasons: dict[str, list[str]] = {}
    for host, reason in plan.left_out.items():
        reasons.setdefault(reason, []).append(host)
    for reason, hosts in reasons.items():
        verb = "is" if len(hosts) == 1 else "are"
        yield f"Warning: {words.hosts(hosts)} {verb} left out: {line(reason)}"


def ending(plan: PlanMade) -> str:
    """The last line: how long it waits, or that nothing is to be done."""
    every = steps(plan)
    if not every:
        return "Nothing is to be done: every host is as it was last deployed."
    if plan.batches:
        return f"Waits from settings alone: about {planned(plan.seconds)}."
    if all(step.kind in PROOFS for step in every):
        return "Every host is current: nothing is changed."
    return f"Nothing {first_change(plan)}."
