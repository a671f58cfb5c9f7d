"""How a run ended: failures, each host's outcome, and the exit code. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from deploy.aws.inventory import Host
    from deploy.plan.plan import Plan


class ExitCode(enum.IntEnum):
    """The exit codes of every command; docs/exit-codes.md holds the same table."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    LOCKED = 3
    MIXED = 4
    OUT_OF_SERVICE = 5
    DECLINED = 6
    HANGUP = 129
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed; the fleet is whole, on one release",
    ExitCode.BAD_INPUT: "bad input or usage; nothing was changed",
    ExitCode.LOCKED: "another deploy holds the environment",
    ExitCode.MIXED: "the fleet serves, but more than one release runs or a host was left out",
    ExitCode.OUT_OF_SERVICE: "hosts are out of service",
    ExitCode.DECLINED: "the question was answered with no, or not at all; nothing was changed",
    ExitCode.HANGUP: "ended by SIGHUP: the terminal closed",
    ExitCode.INTERRUPTED: "ended by SIGINT: Ctrl-C",
    ExitCode.TERMINATED: "ended by SIGTERM",
}
STATUS_MEANINGS = MEANINGS | {
    ExitCode.DONE: "all is well",
    ExitCode.FAILED: "all serve, but not what was deployed last",
}
"""The meanings of the codes of `inv status`."""


class Outcome(enum.StrEnum):
    """How it ended for one host."""

    WAITING = "not reached"
    CURRENT = "already current"
    DONE = "deployed"
    RESTARTED = "restarted"
    ROLLED_BACK = "rolled back"
    REPAIRED = "repaired"
    OBSERVED = "observed, and in service"
    PARTLY = "done in part: not all of its apps"
    BACK = "back on what it ran"
    OUT = "out of service"
    LEFT_OUT = "left out"
    GONE = "gone: its instance was terminated or is being terminated"
    LEFT = "left unchanged: another deploy holds the lock"
    UNKNOWN = "not known: a defect in Changeover ended its part"
    SERVES = "in service; its part of the plan failed"
    CUT_SHORT = "in service; a defect in Changeover ended its part"

    @classmethod
    def wanted(cls, verb: str) -> Outcome:
        """How a host ends on which all was done; verb: the plan's."""
        return _WANTED.get(verb, cls.DONE)


_WANTED = {
    "Restart": Outcome.RESTARTED,
    "Roll back": Outcome.ROLLED_BACK,
    "Repair": Outcome.REPAIRED,
    "Observe": Outcome.OBSERVED,
}
WELL = frozenset({Outcome.DONE, Outcome.CURRENT, *_WANTED.values()})
"""How hosts end that need nothing more."""


@dataclass(frozen=True)
class Failure:
    """Why a host's part failed: data for one paragraph of the report.

    leaves: whether a slot beside the one that serves may still run, since it could not be ended.
    refused: whether the host was found unfit before anything that serves was touched.
    is_stop: whether nothing failed: the rollout ended in order, as the credentials end.
    is_of_release: whether what failed is no host's alone, so that no further one begins.
    """

    host: Host
    step: str
    error: str
    command: str = ""
    exit_code: int | None = None
    journal: tuple[str, ...] = ()
    health: str = ""
    undone: tuple[str, ...] = ()
    leaves: bool = False
    refused: bool = False
    is_stop: bool = False
    is_of_release: bool = False


def is_spent(
    plan: Plan, failed: AbstractSet[str], failures: Iterable[Failure], settled: AbstractSet[str]
) -> bool:
    """Whether more failed than a plan tolerates. What failed of the release is tolerated nowhere.

    failed: the hosts that count, by name; settled: those past which it was decided to go on.
    """
    is_over = len(failed) > plan.tolerated and not failed <= settled
    return is_over or any(each.is_of_release and each.host.name not in settled for each in failures)


@dataclass(frozen=True)
class Report:
    """A rollout that is over.

    deployed: the hosts and apps, by name, that a release is proven and in service of since then;
    seconds: of wall time; signal: the number that ended it, or 0; lost: whether another deploy
    took the environment over meanwhile; mixed: whether more than one release runs, as far as a
    look at the fleet showed: afterwards, or before where no look was possible; defects: errors of
    Changeover itself that belong to no host; appeared: targets that are no hosts and were not there
    when this was planned, in words; remarks: what a step could not see, or had to give up, though
    it did what it says; taken_out: the targets, by the names of host and app and by port, that this
    run took out and did not register again;
    settled: hosts that failed, by name, past which it was decided to go on;
    answer: what was decided in place of `on_failure`; empty for nothing.
    """

    plan: Plan
    outcomes: dict[str, Outcome]
    failures: tuple[Failure, ...] = ()
    executed: tuple[str, ...] = ()
    deployed: frozenset[tuple[str, str]] = frozenset()
    seconds: float = 0.0
    signal: int = 0
    lost: bool = False
    mixed: bool = False
    defects: tuple[str, ...] = ()
    appeared: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    taken_out: frozenset[tuple[str, str, int]] = frozenset()
    settled: frozenset[str] = frozenset()
    answer: str = ""

    @property
    def stopped_short(self) -> bool:
        """Whether failures ended it before all hosts had their turn, and that was not asked for."""
        failed = {failure.host.name for failure in self.failures if not failure.is_stop}
        due = {host_plan.host.name for batch in self.plan.batches for host_plan in batch}
        begun = {Outcome.WAITING, Outcome.PARTLY}
        waits = {name for name in due - failed if self.outcomes.get(name) in begun}
        is_over = is_spent(self.plan, failed, self.failures, self.settled)
        ended = (bool(waits) and not self.is_out_of_time) or is_over
        return bool(failed) and ended and not self.signal and not self.lost

    @property
    def is_out_of_time(self) -> bool:
        """Whether it ended in order before the credentials did, so that hosts had no turn."""
        return any(failure.is_stop for failure in self.failures)

    @property
    def is_refused(self) -> bool:
        """Whether it ended before the first drain, since hosts cannot run what they would get."""
        untouched = {Outcome.WAITING, Outcome.CURRENT, Outcome.BACK}
        only_refusals = bool(self.failures) and all(each.refused for each in self.failures)
        return only_refusals and untouched >= set(self.outcomes.values())

    @property
    def exit_code(self) -> ExitCode:
        """By who took over, by signal, then by what is worst for the fleet."""
        if self.lost:
            return ExitCode.LOCKED
        if self.signal:
            return ExitCode(128 + self.signal)
        ends = set(self.outcomes.values())
        if {Outcome.OUT, Outcome.UNKNOWN} & ends or ends == {Outcome.GONE}:
            return ExitCode.OUT_OF_SERVICE
        if self.is_refused:
            return ExitCode.BAD_INPUT
        due = [
            host_plan.host.name
            for batch in self.plan.batches
            for host_plan in batch
            if self.outcomes.get(host_plan.host.name) is not Outcome.GONE
        ]
        is_reached = all(self.outcomes.get(name) in WELL for name in due)
        has_begun = all(self.outcomes.get(name) is not Outcome.WAITING for name in due)
        if not self.failures and (is_reached or (has_begun and not self.defects)):
            is_mixed = bool(self.appeared) or (self.plan.leaves_mixed and self.mixed)
            return ExitCode.MIXED if is_mixed else ExitCode.DONE
        has_new = any(outcome in WELL | {Outcome.PARTLY} for outcome in self.outcomes.values())
        has_old = any(self.outcomes.get(name) not in WELL for name in due)
        leaves = any(failure.leaves for failure in self.failures)
        is_partial = Outcome.LEFT_OUT in self.outcomes.values()
        is_mixed = self.mixed or leaves or is_partial or (has_new and has_old)
        is_mixed = is_mixed or bool(self.appeared)
        return ExitCode.MIXED if is_mixed else ExitCode.FAILED
