"""A whole run, from its events: the report at its end is made from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.durations import taken
from deploy.events.event import HostFailed, HostSaid, RunBegan, RunEnded, StepBegan, StepEnded
from deploy.events.planned import PlanMade
from deploy.events.question import QuestionAnswered
from deploy.foreign_text import visible
from deploy.recovery.answers.choices import Answer
from deploy.steps.base import Phase

if TYPE_CHECKING:
    from deploy.events.event import Entry
    from deploy.events.planned import PlannedStep

JOURNAL_LINES = 10
LEAST_SECONDS = 1.0
WAITS = frozenset({Phase.DRAIN.value, Phase.CHECK.value, Phase.SOAK.value})
"""The phases that only wait: for requests to finish, for the load balancer, for time to pass."""


@dataclass
class Times:
    """Hears a run's entries.

    Attributes:
        steps: All that ended.
        waits: How long the settings have steps wait, by app and type.
    """

    steps: list[StepEnded] = field(default_factory=list)
    waits: dict[tuple[str, str], float] = field(default_factory=dict)

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        match entry.event:
            case StepEnded() as step:
                self.steps.append(step)
            case PlanMade() as plan:
                for planned in _all_steps(plan):
                    self.waits[planned.app, planned.kind] = planned.seconds

    def slowest(self, most: int) -> str:
        """`web-3 drain 41 s, web-1 prove 12 s`; empty where nothing took a second."""
        by_length = sorted(self.steps, key=lambda step: -step.seconds)[:most]
        return ", ".join(
            f"{visible(step.host)} {step.phase} {taken(step.seconds)}"
            for step in by_length
            if step.seconds >= LEAST_SECONDS
        )

    def split(self) -> tuple[float, float]:
        """Seconds of waiting and of work, over all hosts.

        Of a step that does both, such as a proof, as much is waiting as the settings ask for.
        """
        waiting = work = 0.0
        for step in self.steps:
            planned = self.waits.get((step.app, step.kind), 0.0)
            wait = step.seconds if step.phase in WAITS else min(step.seconds, planned)
            waiting, work = waiting + wait, work + step.seconds - wait
        return waiting, work


@dataclass
class Story:
    """Hears a run's entries, live or from its file.

    Attributes:
        began: Its first event.
        plans: The plan, and where finished hosts were taken back the one for that.
        failures: In the order in which they were known, but for hosts that were tried again since.
        answers: What was decided about hosts that failed.
        ended: Its last event; None while it goes on, and where it was cut off.
        times: What its steps took.
        journal: The last lines of what was proven last.
        journal_of: The host that wrote them, by name; empty for none.
    """

    began: RunBegan | None = None
    plans: list[PlanMade] = field(default_factory=list)
    failures: list[HostFailed] = field(default_factory=list)
    answers: list[QuestionAnswered] = field(default_factory=list)
    ended: RunEnded | None = None
    times: Times = field(default_factory=Times)
    journal: list[str] = field(default_factory=list)
    journal_of: str = ""
    _proving: set[str] = field(default_factory=set)

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        self.times(entry)
        match entry.event:
            case RunBegan() as event:
                self.began = event
            case PlanMade() as event:
                self.plans.append(event)
            case StepBegan() as event:
                self._proves(event)
            case HostSaid() as event if event.text.startswith("|"):
                self._keep(event)
            case HostFailed() as event:
                self.failures.append(event)
            case QuestionAnswered() as event if event.answer:
                self._answered(event)
            case RunEnded() as event:
                self.ended = event
            case _:
                pass

    @property
    def releases(self) -> dict[str, str]:
        """What each app was to run."""
        return self.plans[0].releases if self.plans else {}

    @property
    def changed_nothing(self) -> bool:
        """Whether no host had anything to do but to prove what it runs."""
        return not any(plan.batches for plan in self.plans)

    def _answered(self, answered: QuestionAnswered) -> None:
        self.answers.append(answered)
        if answered.answer == Answer.RETRY:
            self.failures = [each for each in self.failures if each.host != answered.host]

    def _proves(self, step: StepBegan) -> None:
        """Hosts say lines of a journal while they prove; an upload's line is none of them."""
        if step.phase == Phase.PROVE.value:
            self._proving.add(step.host)
        else:
            self._proving.discard(step.host)

    def _keep(self, said: HostSaid) -> None:
        if said.host not in self._proving:
            return
        if said.host != self.journal_of:
            self.journal_of, self.journal = said.host, []
        self.journal = [*self.journal, said.text.removeprefix("| ")][-JOURNAL_LINES:]


def _all_steps(plan: PlanMade) -> list[PlannedStep]:
    batches = (host for batch in plan.batches for host in batch.hosts)
    parts = [*plan.staging, *plan.once, *batches]
    return [step for part in parts for step in (*part.steps, *part.after)]
