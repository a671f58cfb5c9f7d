"""What a plan changes, for the page: releases, files, the unit's diff. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.screen.plan import changes, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.events.planned import PlanMade, PlannedChange

LOOKS = {"+": "added", "-": "removed", "@": "place"}
"""How a line of a unified diff is drawn, by its first character."""


@dataclass(frozen=True)
class Files:
    """Files that are added, changed or removed.

    Attributes:
        kind: `added`, `changed` or `removed`.
        total: How many, and their bytes.
        largest: The largest of them, each with its bytes.
        rest: How many more there are.
    """

    kind: str
    total: str
    largest: tuple[tuple[str, str], ...]
    rest: int


@dataclass(frozen=True)
class DiffLine:
    """A line of a unified diff.

    Attributes:
        text: With its sign.
        look: `added`, `removed`, `place`, or empty for a line that is in both.
    """

    text: str
    look: str


@dataclass(frozen=True)
class Difference:
    """What changes of one app, on hosts where it is the same.

    Attributes:
        app: By name.
        way: From which release to which.
        where: On which hosts.
        gist: All of it in a few words each.
        files: The files, by kind; empty where none differs, or none is known.
        unit: The unit's diff; empty where no directive differs, or one unit is not known.
        is_back: Whether it is of the plan by which finished hosts go back.
    """

    app: str
    way: str
    where: str
    gist: tuple[str, ...]
    files: tuple[Files, ...]
    unit: tuple[DiffLine, ...]
    is_back: bool = False


def differences(plans: Sequence[PlanMade]) -> tuple[Difference, ...]:
    """What the plans of a run change, in their order."""
    return tuple(
        _difference(change, plan, is_back=number > 0)
        for number, plan in enumerate(plans)
        for change in plan.changes
    )


def _difference(change: PlannedChange, plan: PlanMade, *, is_back: bool) -> Difference:
    names = words.hosts(change.hosts)
    is_everywhere = {*change.hosts} == {*plan.hosts} and len(change.hosts) > 1 and not is_back
    said = (changes.files(change), _unit(change), changes.sent(change))
    return Difference(
        app=change.app,
        way=changes.releases(change),
        where=f"all {len(change.hosts)} hosts" if is_everywhere else names,
        gist=tuple(each for each in said if each),
        files=tuple(_files(change)),
        unit=tuple(_diff(change)),
        is_back=is_back,
    )


def _unit(change: PlannedChange) -> str:
    """How the unit differs, in a few words: its lines are below them."""
    count = len(changes.differing(change))
    if change.is_unit_known and count:
        return f"{words.number(count, 'line')} of the unit differ{'s' * (count == 1)}"
    return changes.unit(change)


def _files(change: PlannedChange) -> Iterator[Files]:
    kinds = ("added", change.added), ("changed", change.changed), ("removed", change.removed)
    for kind, each in kinds:
        if each.count > 0:
            total = f"{words.number(each.count, 'file')}, {words.size(each.bytes)}"
            largest = tuple((path, words.size(size)) for path, size in each.largest.items())
            yield Files(kind, total, largest, max(0, each.count - len(largest)))


def _diff(change: PlannedChange) -> Iterator[DiffLine]:
    if change.unit:
        yield DiffLine(f"--- the unit of {change.before}", "removed")
        yield DiffLine(f"+++ the unit of {change.after}", "added")
    yield from (DiffLine(line, LOOKS.get(line[:1], "")) for line in change.unit)
