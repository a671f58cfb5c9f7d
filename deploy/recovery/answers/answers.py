"""Who decides about failed hosts, and how they are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from deploy.recovery.answers.choices import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.question import QuestionAsked
    from deploy.recovery.answers.replanning import Replanned


class Reply(NamedTuple):
    """What was decided about a host.

    answer: None where the run ends anyhow, so that none is needed; by: who or what decided.
    """

    answer: Answer | None
    by: str = ""


@dataclass(frozen=True)
class Answers:
    """Where decisions about hosts that failed come from.

    Attributes:
        again: Plans a host, by name, anew from a look at the fleet; raises DeployError.
        back: Plans the same as a repair.
        policy: The answer where no other comes: STOP or ROLLBACK.
        option: What `--on-failure` answers for one host; None for nothing.
        ask: Asks the person at the terminal, unless the run ends meanwhile. None where
            no person is there.
        limit_seconds: How long an answer is waited for.
    """

    again: Callable[[str], Replanned]
    back: Callable[[str], Replanned]
    policy: Answer = Answer.STOP
    option: Answer | None = None
    ask: Callable[[QuestionAsked, Callable[[], bool]], Reply] | None = None
    limit_seconds: float = 0.0
