"""What a plan changes of each app, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.foreign_text import visible
from deploy.screen.plan import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.events.planned import PlanMade, PlannedChange, PlannedFiles

MOST_UNIT_LINES = 4
"""So many lines of a unit that differ are shown in a folded plan."""
_SIGNS = ("-", "+")


def releases(change: PlannedChange) -> str:
    """From what to what: `1.0.0-aaaaaaaaaaaa → 2.0.0-bbbbbbbbbbbb`."""
    before, after = visible(change.before or "none"), visible(change.after)
    if change.before != change.after:
        return f"{before} → {after}"
    return f"{after}, with another unit" if differing(change) else f"{after}, once more"


def where(change: PlannedChange, plan: PlanMade) -> str:
    """On which hosts; empty for all of the plan's."""
    return "" if {*change.hosts} == {*plan.hosts} else f" on {words.hosts(change.hosts)}"


def files(change: PlannedChange) -> str:
    """How many files change, with their bytes; empty where that says nothing."""
    if not change.are_files_known:
        return "which files differ is not known" if _has_both(change) else ""
    parts = [
        f"{words.number(each.count, 'file')} {what} ({words.size(each.bytes)})"
        for what, each in _kinds(change)
        if each.count
    ]
    return ", ".join(parts) or "no file differs"


def sent(change: PlannedChange) -> str:
    """What is sent to each of the hosts; empty where that says nothing."""
    if not change.is_sent:
        return "nothing to send: the release is there" if _has_both(change) else ""
    whole, most = words.size(change.package_bytes), words.size(change.sent_bytes)
    each = f"to {'each of ' * (len(change.hosts) > 1)}{words.number(len(change.hosts), 'host')}"
    if most == whole:
        return f"at most {whole} to send {each}"
    return f"at most {most} to send {each} (package: {whole})"


def differing(change: PlannedChange) -> tuple[str, ...]:
    """The lines of the units' diff that differ, without those around them."""
    return tuple(line for line in change.unit if line.startswith(_SIGNS))


def unit(change: PlannedChange) -> str:
    """How the unit differs, in one line; empty where that says nothing."""
    lines = differing(change)
    if not change.is_unit_known:
        return "how the unit differs is not known" if _has_both(change) else ""
    if not lines:
        return "no directive of the unit differs"
    if len(lines) <= MOST_UNIT_LINES:
        return f"unit: {'  '.join(visible(line) for line in lines)}"
    return f"unit: {words.number(len(lines), 'line')} differ (--full shows them)"


def details(change: PlannedChange) -> Iterator[str]:
    """The files that change, the largest of each kind by name, and the unified diff of the unit."""
    for what, each in _kinds(change):
        if each.count:
            yield f"{what.capitalize()}: {words.number(each.count, 'file')}, {_listed(each)}"
    if change.unit:
        yield f"--- the unit of {visible(change.before)}"
        yield f"+++ the unit of {visible(change.after)}"
        yield from (visible(line) for line in change.unit)


def _has_both(change: PlannedChange) -> bool:
    """Whether a release takes the place of a release, and not of nothing or of another's unit."""
    names = (change.before, change.after)
    return all(name and values.service_name(name) is None for name in names)


def _listed(each: PlannedFiles) -> str:
    names = [f"{visible(path)} ({words.size(size)})" for path, size in each.largest.items()]
    rest = each.count - len(names)
    return ", ".join(names) + (f" and {rest} more" if rest > 0 else "")


def _kinds(change: PlannedChange) -> tuple[tuple[str, PlannedFiles], ...]:
    return ("added", change.added), ("changed", change.changed), ("removed", change.removed)
