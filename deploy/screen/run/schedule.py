"""The steps of a plan that are done and that are left, by host, from a run's events. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.durations import about
from deploy.screen.run import remaining
from deploy.screen.run.remaining import Pace, Part, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.events.event import StepBegan, StepEnded
    from deploy.events.planned import PlanMade, PlannedStep


@dataclass
class Schedule:
    """Hears of a plan's steps.

    Attributes:
        staging: What is left before any batch.
        turns: What is left of what is done once, and then of each batch.
        pace: What steps took so far.
        is_ending: Whether no further host begins.
    """

    staging: list[Part] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    is_ending: bool = False
    _parts: dict[str, list[Part]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Know the parts of each host in their order."""
        for turn in (Turn(self.staging, []), *self.turns):
            for part in (*turn.parts, *turn.after):
                self._parts.setdefault(part.host, []).append(part)

    @classmethod
    def of(cls, plan: PlanMade, pace: Pace) -> Schedule:
        """All of a plan; pace: of what ran before it in the same run."""
        once = [Turn([Part(each.host, each.steps)], []) for each in plan.once]
        return cls(
            [Part(each.host, each.steps) for each in plan.staging],
            [
                *once,
                *(
                    Turn(
                        [Part(each.host, each.steps) for each in batch.hosts],
                        [Part(each.host, each.after) for each in batch.hosts],
                        batch.at_a_time,
                    )
                    for batch in plan.batches
                ),
            ],
            pace,
        )

    def begin(self, step: StepBegan, at: float) -> None:
        """A step of the plan or of a recovery starts; those before it in its list were left out."""
        for part in self._of(step.host):
            for number, planned in enumerate(part.left):
                if (planned.app, planned.text) == (step.app, step.step):
                    part.left, part.since, part.has_begun = part.left[number:], at, True
                    return

    def end(self, step: StepEnded) -> None:
        """A step of them ended; what it took counts where it did what it says."""
        if not (step.error or step.is_stopped):
            self.pace.note(step.app, step.kind, step.seconds)
        for part in self._of(step.host):
            if part.since is not None:
                part.left, part.since = part.left[1:], None
                return

    def drop(self, host: str) -> None:
        """Nothing more of the plan is done on a host."""
        for part in self._of(host):
            part.left, part.since = (), None

    def recover(self, host: str, steps: tuple[PlannedStep, ...]) -> None:
        """A host's recovery begins, in the place of what was left of its plan."""
        self.drop(host)
        if not steps:
            return
        part = Part(host, steps, has_begun=True)
        turns = (turn for turn in self.turns if self._has_begun(turn, host))
        self._parts.setdefault(host, []).append(part)
        own = next(turns, None)
        (own.parts if own else self.staging).append(part)

    def seconds_left(self, now: float) -> float:
        """How long it still takes; now: unix seconds."""
        return remaining.seconds(self.staging, self.turns, self.pace, now, begun=self.is_ending)

    @staticmethod
    def _has_begun(turn: Turn, host: str) -> bool:
        return any(part.has_begun and part.host == host for part in turn.parts)

    def _of(self, host: str) -> Iterator[Part]:
        """A host's parts with something left, in their order."""
        return (part for part in self._parts.get(host, ()) if part.left)


def in_all(plan: PlanMade) -> str:
    """How long a plan takes if its steps take what they did before; empty where none is kept."""
    if not (plan.earlier and plan.batches):
        return ""
    seconds = Schedule.of(plan, Pace(plan.earlier)).seconds_left(0.0)
    return f"By what steps took in earlier runs: {about(seconds)} in all."
