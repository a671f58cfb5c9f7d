"""A command that changes the fleet, as a value: `changes` makes it, `pipeline` does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.commands.rollout import Rollout
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.session.arguments import CommandOptions
    from deploy.session.session import Session
    from deploy.settings.scope import Scope


def _nothing(_: Session) -> None:
    """Look at nothing."""


@dataclass(frozen=True)
class Change:
    """A command that changes the fleet: how its plan is made, and how it is executed.

    Attributes:
        asked: The options that all such commands have.
        scope: What the command is about.
        make: Its plan, by a session that holds the lock, unless this is a dry run.
        execute: Does the plan; gives the report.
        beside: Looked at too, for one list, where something is wrong already.
        again: Makes its plan for a host that failed and is tried again, whatever failed there
            before; None where nothing is decided about such a host.
    """

    asked: CommandOptions
    scope: Scope
    make: Callable[[Session], Plan]
    execute: Callable[[Rollout, Plan], Report]
    beside: Callable[[Session], object] = _nothing
    again: Callable[[Session], Plan] | None = None
