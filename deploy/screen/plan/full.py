"""A plan with every step on a line of its own, as `--full` shows it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import line, visible
from deploy.screen.plan import changes, words
from deploy.screen.plan.ending import ending, first_change, left_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.events.planned import PlanMade, PlannedBatch, PlannedHost, PlannedStep


def lines(plan: PlanMade) -> Iterator[str]:
    """The lines of the plan; each step is `  <host>: <what it does>`, and nothing else is."""
    yield line(plan.title)
    for change in plan.changes:
        hosts = words.hosts(change.hosts)
        yield f"{visible(change.app)} on {hosts}: {changes.releases(change)}"
        said = (changes.files(change), "" if change.unit else changes.unit(change))
        yield from (f"- {each}" for each in (*said, changes.sent(change)) if each)
        yield from changes.details(change)
    yield from left_out(plan)
    yield from (f"Warning: {line(text)}" for text in plan.warnings)
    yield from (f"Note: {line(text)}" for text in plan.notes)
    if plan.staging:
        yield f"Before anything {first_change(plan)}, on all hosts at once:"
        yield from _steps((host, host.steps) for host in plan.staging)
    if plan.once:
        yield "Once, when that is done:"
        yield from _steps((host, host.steps) for host in plan.once)
    for number, batch in enumerate(plan.batches, start=1):
        yield from _batch(plan, number, batch)
    yield ending(plan)


def _batch(plan: PlanMade, number: int, batch: PlannedBatch) -> Iterator[str]:
    names = ", ".join(visible(host.host) for host in batch.hosts)
    pace = f", {batch.at_a_time} at a time" if batch.at_a_time else ""
    yield f"Batch {number} of {len(plan.batches)}{pace}: {names}"
    yield from _steps((host, host.steps) for host in batch.hosts)
    if any(host.after for host in batch.hosts):
        yield "And then, while the next batch begins:"
    yield from _steps((host, host.after) for host in batch.hosts)


def _steps(parts: Iterable[tuple[PlannedHost, tuple[PlannedStep, ...]]]) -> Iterator[str]:
    for host, steps in parts:
        yield from (f"  {line(host.host)}: {line(step.text)}" for step in steps)
