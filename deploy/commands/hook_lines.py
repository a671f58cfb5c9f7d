"""What is said of hooks where no view of the run is on the screen: before it, and after it."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.events.user import HookEnded
from deploy.hooks import words

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deploy.events.event import Entry
    from deploy.events.stream import Stream
    from deploy.hooks.folder import Moment
    from deploy.hooks.runner import Runner
    from deploy.screen.console import Screen

SHOWING = "showing the progress"
"""By this name a view of the run listens to its events, while one is on the screen."""


def waiting(screen: Screen, hooks: Runner, *moments: Moment) -> AbstractContextManager[object]:
    """Show while a `with` block runs that hooks of these moments are waited for, if there are."""
    text = hooks.waited_for(*moments)
    return screen.busy(text) if text else nullcontext()


@dataclass
class Unseen:
    """Hears a run's entries.

    Attributes:
        events: The run's stream.
        failed: The hooks that failed while no view of the run was shown, in words: one for a host
            whose part ended last, and the one that runs when all is over.
    """

    events: Stream
    failed: list[str] = field(default_factory=list)

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        if isinstance(entry.event, HookEnded) and SHOWING not in self.events.listeners:
            self.failed += ["\n".join(said)] if (said := words.lines(entry.event)) else []
