"""A run as its events have it: what the report at its end is drawn from. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.events.event import HostFailed, RunBegan, RunEnded
from deploy.events.planned import PlanMade

if TYPE_CHECKING:
    from deploy.events.event import Entry


@dataclass
class Story:
    """Hears a run's entries, live or from its file.

    Attributes:
        began: Its first event.
        plans: The plan, and where finished hosts were taken back the one for that.
        failures: In the order in which they were known.
        ended: Its last event; None while it goes on, and where it was cut off.
    """

    began: RunBegan | None = None
    plans: list[PlanMade] = field(default_factory=list)
    failures: list[HostFailed] = field(default_factory=list)
    ended: RunEnded | None = None

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        match entry.event:
            case RunBegan() as event:
                self.began = event
            case PlanMade() as event:
                self.plans.append(event)
            case HostFailed() as event:
                self.failures.append(event)
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
