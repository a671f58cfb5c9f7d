"""What is said the moment it happens, and stays: a failure's cause, what is done, a pause. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.events.event import HostFailed, StepEnded
from deploy.events.planned import PlanMade
from deploy.events.recovery import RecoveryBegan
from deploy.foreign_text import visible
from deploy.hooks import words
from deploy.screen.run import why
from deploy.screen.run.line import line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.events.event import Entry
    from deploy.screen.run.line import Line

OUT_BY_US = "Target.NotRegistered"
"""The reason of a target that was taken out, which is no cause of anything."""
JOURNAL_CHARACTERS = 200
"""Of a journal's line; the run's file has the rest."""
FAILED_AGAIN = ": failed: "
"""What stands in a recovery's line between a step and why that failed."""


@dataclass
class Failures:
    """Hears a run's entries; each call returns the lines that are new.

    Attributes:
        tolerated: How many hosts may fail before no further one begins.
        batches: How many the plan has.
    """

    tolerated: int = 0
    batches: int = 0
    _said: set[tuple[str, str]] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)
    _is_ending: bool = False

    def __call__(self, entry: Entry) -> list[Line]:
        """Hear one entry."""
        match entry.event:
            case PlanMade() as plan:
                self.tolerated, self.batches = plan.tolerated, len(plan.batches)
                self._said, self._failed, self._is_ending = set(), set(), False
                return []
            case StepEnded() as step if step.error and step.is_planned:
                return self._heading(step.host, step.step, step.error)
            case StepEnded() as step if step.error:
                text = f"{visible(step.host)}: its recovery failed at: {visible(step.step)}"
                return [line(text, "bold red"), *error_lines(step.host, step.error)]
            case RecoveryBegan() as event:
                return [*self._recovery(event), *self._policy(event.host)]
            case HostFailed() as event:
                return self._host_failed(event)
            case event:
                return [line(each, "yellow") for each in words.lines(event)]

    def _host_failed(self, event: HostFailed) -> list[Line]:
        heading = self._heading(event.host, event.step, event.error, is_stop=event.is_stop)
        if event.is_stop:
            return heading
        return [*heading, *self._policy(event.host, is_of_release=event.is_of_release)]

    def _heading(self, host: str, step: str, error: str, *, is_stop: bool = False) -> list[Line]:
        """What failed, once."""
        if (host, step) in self._said:
            return []
        self._said.add((host, step))
        return [heading((host,), step, is_stop=is_stop), *error_lines(host, error)]

    def _recovery(self, event: RecoveryBegan) -> list[Line]:
        found = self._heading(event.host, event.step, event.error)
        found += evidence(event.error, event.exit_code, event.journal, event.health)
        goal = visible(event.goal) or "its recovery begins"
        return [*found, line(f"  now: {goal}", "yellow")]

    def _policy(self, host: str, *, is_of_release: bool = False) -> list[Line]:
        """That no further batch begins, once it is so."""
        self._failed.add(host)
        is_over = is_of_release or len(self._failed) > self.tolerated
        if not is_over or self._is_ending or self.batches <= 1:
            return []
        self._is_ending = True
        return [line("No further batch begins; hosts that have begun finish.", "yellow")]


def heading(hosts: Iterable[str], step: str, *, is_stop: bool = False) -> Line:
    """`web-3: prove 2.0.0 failed`, or what was not begun."""
    if is_stop:
        return line(f"{visible(step)}: not done", "bold red")
    return line(f"{', '.join(map(visible, hosts))}: {visible(step)} failed", "bold red")


def error_lines(host: str, error: str) -> list[Line]:
    """An error below the heading that names its host."""
    lines = error.split("\n")
    lines[0] = lines[0].removeprefix(f"{host}: ")
    return [line(f"  {each}", "red") for each in lines]


def evidence(
    error: str, exit_code: int | None, journal: tuple[str, ...], health: str
) -> list[Line]:
    """The exit status, the journal's line that says why, and the load balancer's reason."""
    found: list[Line] = []
    if exit_code is not None and f"exit code {exit_code}" not in error:
        found.append(line(f"  exit code {exit_code}"))
    if reason := why.line(journal):
        found.append(line(f"  | {visible(reason, JOURNAL_CHARACTERS)}"))
    if "(" in health and OUT_BY_US not in health:  # AWS has its reason in parentheses
        found.append(line(f"  load balancer: {visible(health)}"))
    return found
