"""A plan on one screen: what is the same for several hosts, batches or apps is shown once. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from deploy.durations import planned
from deploy.foreign_text import line, visible
from deploy.screen.plan import blocks, changes, words
from deploy.screen.plan.ending import PROOFS, ending, first_change, left_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.events.planned import PlanMade, PlannedBatch


def lines(plan: PlanMade) -> Iterator[str]:
    """The lines of the plan; each level below another is indented by two spaces more."""
    yield _head(plan)
    yield from _changes(plan)
    yield from _current(plan)
    yield from left_out(plan)
    yield from (f"Warning: {line(text)}" for text in plan.warnings)
    yield from (f"Note: {line(text)}" for text in plan.notes)
    staged = [*blocks.of_staging(plan)]
    if staged:
        yield f"Before anything {first_change(plan)}, on all hosts at once:"
        yield from staged
    for host in plan.once:
        did = "; ".join(line(step.text) for step in host.steps)
        yield f"When that is done, on {visible(host.host)}: {did}"
    if plan.batches:
        yield from _batches(plan)
        yield "On each host:"
        yield from blocks.of_batches(plan)
    yield ending(plan)


def _head(plan: PlanMade) -> str:
    """What, where, on how many hosts, and how: the title, without the releases."""
    if not plan.environment:  # in a file of an earlier version
        return line(plan.title)
    join = "to" if plan.verb == "Deploy" else "on"
    count = words.number(len(plan.hosts), "host")
    how = f", {line(plan.policy)}" if plan.policy else ""
    return f"{visible(plan.verb)} {join} {visible(plan.environment)}: {count}{how}"


def _changes(plan: PlanMade) -> Iterator[str]:
    for change in plan.changes:
        yield f"{visible(change.app)}  {changes.releases(change)}{changes.where(change, plan)}"
        said = (changes.files(change), changes.unit(change), changes.sent(change))
        yield from (f"  {each}" for each in said if each)
    changed = {change.app for change in plan.changes}
    for app, release in plan.releases.items():
        if app not in changed:
            yield f"{visible(app)}  {visible(release)}"


def _current(plan: PlanMade) -> Iterator[str]:
    """What is skipped, and why."""
    hosts: dict[str, list[str]] = {}
    for host in plan.staging:
        for step in host.steps:
            if step.kind in PROOFS:
                hosts.setdefault(step.app, []).append(host.host)
    for app, names in hosts.items():
        yield f"{visible(app)} is current on {words.hosts(names)}: proven, and not changed"


def _batches(plan: PlanMade) -> Iterator[str]:
    """A line for each run of batches that are alike: their hosts, what serves, how long."""
    first = 1
    for _, group in groupby(plan.batches, lambda batch: _shown(plan, batch)):
        alike = tuple(group)
        last = first + len(alike) - 1
        yield _alike(plan, alike, first, last)
        first = last + 1


def _alike(plan: PlanMade, alike: tuple[PlannedBatch, ...], first: int, last: int) -> str:
    names = words.hosts(host.host for batch in alike for host in batch.hosts)
    size, pace, serving, seconds = _shown(plan, alike[0])
    if last > first:
        numbers = f"{first} {'and' if last == first + 1 else 'to'} {last}"
        head, each = f"Batches {numbers}, {words.number(size, 'host')} each", " each"
    else:
        head, each = f"Batch {first}{f', {pace} at a time' * bool(pace)}", ""
    wait = f"about {planned(seconds)}{each}" if seconds else ""
    return "; ".join(part for part in (f"{head}: {names}", serving, wait) if part)


def _shown(plan: PlanMade, batch: PlannedBatch) -> tuple[int, int, str, float]:
    """What must be the same for batches to be one line: size, pace, what serves, seconds."""
    return len(batch.hosts), batch.at_a_time, serving(plan, batch), batch.seconds


def serving(plan: PlanMade, batch: PlannedBatch) -> str:
    """What serves meanwhile: `in service 10 of 12 (minimum 10)`, by group where they differ."""
    groups: dict[str, list[str]] = {}
    for name, count in batch.in_service.items():
        least = f" (minimum {batch.minimums[name]})" if name in batch.minimums else ""
        groups.setdefault(f"{count} of {plan.targets.get(name, count)}{least}", []).append(name)
    if len(groups) == 1:
        return f"in service {next(iter(groups))}"
    said = (f"{visible(' and '.join(names))} {counts}" for counts, names in groups.items())
    return f"in service {', '.join(said)}" if groups else ""
