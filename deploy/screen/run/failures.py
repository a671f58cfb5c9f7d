"""Lines that appear at once and stay: a failure's cause, what is done, a pause. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws.targets import GONE
from deploy.durations import limit
from deploy.events.event import BatchBegan, HostFailed, StepEnded
from deploy.events.planned import PlanMade
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.events.recovery import RecoveryBegan
from deploy.foreign_text import visible
from deploy.hooks import words
from deploy.recovery.answers.choices import FOR_ONE_HOST, Answer
from deploy.screen.run import why
from deploy.screen.run.line import line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.events.event import Entry, Event
    from deploy.screen.run.line import Line

JOURNAL_CHARACTERS = 200
"""Of a journal's line; the run's file has the rest."""
CHOICES: dict[str, tuple[str, str]] = {
    Answer.RETRY: ("r", "its steps again, with the same release"),
    Answer.PUT_BACK: ("p", "once more to what it ran before; then the others go on"),
    Answer.LEAVE_OUT: ("l", "it stays as it is and counts as failed; the others go on"),
    Answer.STOP: ("s", "no further host; those that are finished keep the new release"),
    Answer.ROLLBACK: ("b", "no further host; those that are finished go back, too"),
}
"""What can be decided about a host that failed: the letter to type, and what it means."""
NO_FURTHER = "No further batch begins; hosts that have begun finish."
FAILED_AGAIN = ": failed: "
"""Separates a step from why it failed, in a recovery's line."""


@dataclass
class Failures:
    """Hears a run's entries; each call returns the lines that are new.

    Attributes:
        tolerated: How many hosts may fail before no further one begins.
        batches: How many the plan has.
        batch: The number of the one that began last, from 1; 0 before the first.
    """

    tolerated: int = 0
    batches: int = 0
    batch: int = 0
    _said: set[tuple[str, str]] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)
    _is_ending: bool = False

    def __call__(self, entry: Entry) -> list[Line]:
        """Hear one entry."""
        match entry.event:
            case PlanMade() | BatchBegan() as event:
                return self._begin(event)
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
                return self._of_user(event)

    def _begin(self, event: PlanMade | BatchBegan) -> list[Line]:
        """A plan, with which all begins anew, or a batch of it; nothing is said of them."""
        if isinstance(event, BatchBegan):
            self.batch = max(event.number, self.batch)
            return []
        self.tolerated, self.batches, self.batch = event.tolerated, len(event.batches), 0
        self._said, self._failed, self._is_ending = set(), set(), False
        return []

    def _of_user(self, event: Event) -> list[Line]:
        """What people, and what they wrote, have to do with it."""
        if isinstance(event, QuestionAsked):
            return question(event)
        if isinstance(event, QuestionAnswered) and event.answer in FOR_ONE_HOST:
            # More begins after all, and what fails on the host from now on is new.
            self._is_ending = False
            self._said = {each for each in self._said if each[0] != event.host}
            if event.answer == Answer.RETRY:
                self._failed.discard(event.host)
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
        if not is_over or self._is_ending or self.batch >= self.batches:
            return []
        self._is_ending = True
        return [line(NO_FURTHER, "yellow")]


def heading(hosts: Iterable[str], step: str, *, is_stop: bool = False) -> Line:
    """`web-3 failed: prove 2.0.0`, or what was not begun."""
    if is_stop:
        return line(f"{visible(step)}: not done", "bold red")
    return line(f"{', '.join(map(visible, hosts))} failed: {visible(step)}", "bold red")


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
    # AWS has its reason in parentheses; of a target that was taken out it is no cause of anything.
    if "(" in health and GONE.reason not in health:
        found.append(line(f"  load balancer: {visible(health)}"))
    return found


def question(asked: QuestionAsked) -> list[Line]:
    """What a person decides by: the evidence, how the host and the fleet are, what can be done."""
    stands = f"  it is {visible(asked.outcome)}"
    if asked.in_service:
        stands += f"; in service: {asked.in_service}"
    note = [line(f"  {visible(asked.note)}", "yellow")] if asked.note else []
    width = max((len(option) for option in asked.options), default=0)
    known = [(option, *CHOICES[option]) for option in asked.options if option in CHOICES]
    return [
        line(""),
        heading((asked.host,), asked.step),
        *error_lines(asked.host, asked.error),
        *evidence(asked.error, asked.exit_code, asked.journal, asked.health),
        line(stands),
        *note,
        line("What now? Nothing more begins until this is answered."),
        *(line(f"  {key}  {option:{width}}  {meaning}") for option, key, meaning in known),
        line(f"No answer within {limit(asked.seconds)} means: {visible(asked.policy)}.", "dim"),
    ]
