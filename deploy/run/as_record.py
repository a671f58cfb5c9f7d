"""Makes the record of a finished run that its hosts keep. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from deploy.foreign_text import visible
from deploy.hosts import records
from deploy.hosts.logbook.run_record import Moved, RunRecord, ends_of
from deploy.run.report import Outcome
from deploy.values import MOST_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.settings.scope import Scope

T = TypeVar("T")


def is_due(plan: Plan) -> bool:
    """Whether hosts remember such a run: one that was to change more than what lies on them."""
    return bool(plan.batches)


def made(scope: Scope, run: str, report: Report) -> RunRecord:
    """The record of a run.

    Args:
        scope: What the command was asked for.
        run: The command's id.
        report: How it ended.
    """
    before = _before(report.plan)
    moved = (
        Moved(app, _short(", ".join(before.get(app, ()))), _short(after))
        for app, after in report.plan.releases.items()
    )
    return RunRecord(
        run=run,
        verb=scope.verb,
        command=_short(scope.again()),
        by=_short(records.author()),
        at=records.now(),
        seconds=report.seconds,
        exit_code=int(report.exit_code),
        moved=tuple(moved),
        ended=ends_of({host: str(outcome) for host, outcome in report.outcomes.items()}),
    )


def _before(plan: Plan) -> dict[str, tuple[str, ...]]:
    """By app, the releases that hosts had before it, as far as they can go back to them."""
    found: dict[str, dict[str, None]] = {}
    for batch in plan.batches:
        for host_plan in batch:
            for app, record in host_plan.good.items():
                found.setdefault(app, {})[record.release] = None
    return {app: tuple(releases) for app, releases in found.items()}


def _short(text: str) -> str:
    """The text, as long as a record may have it."""
    return visible(text, MOST_TEXT)


def keepers(report: Report, remotes: Mapping[str, T]) -> dict[str, T]:
    """The hosts that shall keep the record of a run: those that took part and are still there."""
    apart = {Outcome.GONE, Outcome.LEFT_OUT}
    return {name: each for name, each in remotes.items() if report.outcomes.get(name) not in apart}
