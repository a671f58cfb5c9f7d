"""Pauses a deploy between two batches, until a person decides or its time is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import NotPermitted
from deploy.events.user import HoldBegan, HoldEnded
from deploy.foreign_text import visible
from deploy.hosts.lock import decision
from deploy.hosts.lock.decision import Word
from deploy.recovery.failed_host import is_deployed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.events.event import BatchBegan, Event
    from deploy.hosts.ssh.remote import Remote
    from deploy.plan.plan import Plan
    from deploy.settings.scope import Scope
    from deploy.steps.fleet import Fleet

LOOK_SECONDS = 2.0
"""How often the hosts are asked for a decision."""


def held_batch(plan: Plan) -> int | None:
    """The number of the batch before which a plan's policy wants a pause; None for no pause.

    Batches count that bring the new release somewhere: what only ends slots that were left does
    not. Without a batch after the last of them there is nothing to wait for, and what takes hosts
    back never waits.
    """
    wanted = plan.rollout.pause_after if plan.rollout else None
    if wanted is None or plan.verb != "Deploy":
        return None
    deploying = [
        number
        for number, batch in enumerate(plan.batches, start=1)
        if any(is_deployed(step) for host_plan in batch for step in host_plan.steps)
    ]
    after = dict(enumerate(deploying, start=1)).get(wanted, len(plan.batches))
    return None if after == len(plan.batches) else after + 1


@dataclass(frozen=True)
class Hold:
    """A pause of a deploy: before which batch, and for how long at most.

    Attributes:
        number: Of the batch before which it waits.
        seconds: How long at most; 0 for without an end.
        scope: What the command is about.
        remotes: All hosts of the environment, by name.
        token: The deploy's, as in its lock.
    """

    number: int
    seconds: float
    scope: Scope
    remotes: Mapping[str, Remote]
    token: str

    def before(self, fleet: Fleet, emit: Callable[[Event], None], batch: BatchBegan) -> None:
        """Wait, where this batch is the one; return where it may begin.

        Raises NotPermitted where a person ended it, or the operator wants an end.
        """
        if batch.number != self.number:
            return
        environment, clock = self.scope.environment, fleet.clock
        decision.forget(environment, self.remotes, self.token)
        go_on, end = (self.scope.command(word.value) for word in (Word.PROMOTE, Word.ABORT))
        emit(HoldBegan(batch.number - 1, self.seconds, go_on, end))
        over = clock.monotonic() + self.seconds if self.seconds else float("inf")
        while not fleet.stop.is_set() and (left := over - clock.monotonic()) > 0:
            made = decision.read(environment, self.remotes, self.token)
            if made:
                emit(HoldEnded(made.word.value, made.by))
                if made.word is Word.ABORT:
                    raise NotPermitted(f"ended by `{end}`: {visible(made.by)}")
                return
            clock.wait(fleet.stop, min(LOOK_SECONDS, left))
        emit(HoldEnded())
        if fleet.stop.is_set():
            raise NotPermitted("stopped while it waited for a decision")
