"""What a plan changes, and what serves meanwhile: the parts of its event that take some working."""

from __future__ import annotations

import heapq
from operator import itemgetter
from typing import TYPE_CHECKING

from deploy.events.planned import PlannedChange, PlannedFiles
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.aws.targets import Target, TargetGroup
    from deploy.difference.change import Change
    from deploy.plan.plan import Plan

    Groups = Mapping[str, Sequence[TargetGroup]]

MOST_FILES = 20
"""How many files of each kind are named in the event; all are counted."""


def changes(plan: Plan, *, shows_values: bool = False) -> tuple[PlannedChange, ...]:
    """What a plan changes, where that was looked at (see `comparison`).

    shows_values: whether values of `Environment=` are in it, for a terminal and never for an event.
    """
    return tuple(_change(each, shows_values=shows_values) for each in plan.changes)


def in_service(plan: Plan, groups: Groups) -> tuple[dict[str, int], ...]:
    """How many targets serve while each batch is out, at the least, by target group.

    A target that was switched serves from then on, unless traffic is shifted away from its zone.
    """
    serving = {name: now.healthy for name, now in plan.in_service.items()}
    found: list[dict[str, int]] = []
    for number, batch in enumerate(plan.batches, start=1):
        out: dict[str, set[Target]] = {}
        for app in plan.apps.values():
            switched = [each.host for each in batch if each.switches(app)]
            for group in groups.get(app.name, ()):
                if now := plan.in_service.get(group.name):
                    targets = {now.targets[host] for host in switched}
                    out[group.name] = out.get(group.name, set()) | targets
        most = plan.at_a_time(number)
        least: dict[str, int] = {}
        for name, targets in out.items():
            gone = len(serving[name] & targets)
            least[name] = len(serving[name]) - min(gone, most or gone)
            serving[name] |= targets - plan.in_service[name].shifted
        found.append(least)
    return tuple(found)


def _change(each: Change, *, shows_values: bool) -> PlannedChange:
    files = each.files
    return PlannedChange(
        app=each.app,
        hosts=each.hosts,
        before=each.before,
        after=each.after,
        is_sent=each.is_sent,
        sent_bytes=each.sent_bytes,
        package_bytes=each.package_bytes,
        are_files_known=files is not None,
        added=_files(files.added if files else ()),
        changed=_files(files.changed if files else ()),
        removed=_files(files.removed if files else ()),
        is_unit_known=each.unit is not None,
        unit=each.unit_with_values if shows_values else each.unit or (),
    )


def _files(files: Sequence[tuple[str, int]]) -> PlannedFiles:
    largest = heapq.nlargest(MOST_FILES, files, key=itemgetter(1))
    return PlannedFiles(
        count=len(files),
        bytes=sum(size for _, size in files),
        largest={visible(path): size for path, size in largest},
    )
