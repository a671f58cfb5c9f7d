"""How a run that others started ended, by the hosts' records: in words, as an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.hosts.logbook import proven_runs, run_record, run_records
from deploy.run.report import MEANINGS, ExitCode
from deploy.screen.records import runs as runs_view

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from deploy.hosts.lock.progress import Progress
    from deploy.hosts.logbook.run_record import RunRecord
    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.session.session import Session
    from deploy.settings.scope import Scope


@dataclass(frozen=True)
class Ending:
    """How watching ends.

    Attributes:
        how: `ended`, `died`, `unknown`, or `none` where nothing ran.
        code: The exit code.
        said: What to say, in lines.
        record: What the hosts remember of the run; None where that is nothing.
    """

    how: str
    code: ExitCode
    said: tuple[str, ...]
    record: RunRecord | None = None

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        record = self.record.as_json() if self.record else None
        return {"how": self.how, "exit_code": int(self.code), "record": record, "said": self.said}


@dataclass(frozen=True)
class Memory:
    """The records that an environment's hosts have of its runs.

    Attributes:
        lines: By host.
        size: How many hosts the environment has.
    """

    lines: Mapping[str, tuple[str, ...]]
    size: int

    @classmethod
    def of(cls, opened: Session) -> Memory:
        """Ask the hosts.

        Raises:
            BadInput: A later version of Changeover wrote a record.
        """
        lines, _ = run_records.read(opened.environment.name, opened.everyone)
        return cls(lines, len(opened.everyone))

    def runs(self) -> frozenset[str]:
        """The ids of the runs that any host remembers."""
        return frozenset(each.run for each in run_record.merged(self.lines.values())[0])

    def last(self) -> RunRecord | None:
        """The newest that most hosts remember; None where there is none."""
        return next(iter(proven_runs.proven(self.lines.values(), self.size)), None)

    def of_run(self, far: Progress | None, before: Collection[str]) -> RunRecord | None:
        """Return the record of the run that was followed.

        Args:
            far: Its progress, which has its id; hosts that took no part remember nothing of it.
            before: The ids of the runs that were remembered before it ended.
        """
        size = far.hosts if far else self.size
        for record in proven_runs.proven(self.lines.values(), size):
            if record.run == far.run if far else record.run not in before:
                return record
        return None


def none(scope: Scope, last: RunRecord | None) -> Ending:
    """No deploy holds the lock: the last run is shown, and gives the exit code."""
    begin = f"{scope.environment}: no deploy is running"
    if last is None:
        return Ending("none", ExitCode.DONE, (f"{begin}, and its hosts remember no run.",))
    said = (f"{begin}. The last run:", *runs_view.in_full(last))
    return Ending("none", _code(last), said, last)


def over(scope: Scope, record: RunRecord, successor: HolderSeen | None = None) -> Ending:
    """The run ended, and its hosts remember how; successor: who has the lock since then."""
    code = _code(record)
    began = f"{scope.environment}: {visible(record.verb)} has ended: {MEANINGS[code]}"
    then = [] if code is ExitCode.DONE else [f"next: {scope.command('status')}"]
    if successor:
        then = [f"the lock is held by another now: {successor}", f"next: {scope.command('watch')}"]
    return Ending("ended", code, (began, *runs_view.in_full(record), *then), record)


def unrecorded(scope: Scope, held: HolderSeen, far: Progress | None) -> Ending:
    """The lock was released or broken, and no host remembers how the run ended."""
    begin = f"{scope.environment}: {visible(held.holder.what)} has ended"
    if far is None:
        said = f"{begin} without a record: it was refused, not agreed to, or had nothing to do."
        return Ending("unknown", ExitCode.DECLINED, (said, f"next: {scope.command('status')}"))
    if not far.batches:
        return Ending("ended", ExitCode.DONE, (f"{begin}: no host was to be changed.",))
    said = f"{begin}, and most of its hosts have no record of how: its lock may have been broken."
    then = f"next: {scope.command('status')}, then {scope.command('repair')}"
    return Ending("unknown", ExitCode.OUT_OF_SERVICE, (said, then))


def died(scope: Scope, held: HolderSeen) -> Ending:
    """The holder shows no life any more."""
    said = (
        f"{scope.environment}: {held.holder} is dead: it was killed, or its machine does not run."
    )
    then = f"next: recover what it left: {scope.command('repair')}"
    return Ending("died", ExitCode.OUT_OF_SERVICE, (said, then))


def _code(record: RunRecord) -> ExitCode:
    """A run's exit code; that of hosts out of service for a number that is none of ours."""
    known = {int(each): each for each in ExitCode}
    return known.get(record.exit_code, ExitCode.OUT_OF_SERVICE)
