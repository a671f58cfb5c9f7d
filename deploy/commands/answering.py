"""Who decides about a failed host: the person at the terminal, an option, or the policy."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from deploy.errors import BadInput, nearest
from deploy.hosts import records
from deploy.recovery import repair
from deploy.recovery.answers import replanning
from deploy.recovery.answers.answers import Answers, Reply
from deploy.recovery.answers.choices import ASK, FOR_ONE_HOST, Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.commands.change import Change
    from deploy.events.question import QuestionAsked
    from deploy.plan.plan import Plan
    from deploy.recovery.answers.replanning import Replanned
    from deploy.screen.console import Screen
    from deploy.session.session import Session

LIMIT_SECONDS = 1800.0
"""The time limit of a question: long enough to find the cause and to repair it."""


def refuse(change: Change, screen: Screen) -> None:
    """Raise BadInput for an `--on-failure` that is unknown, or that no person can answer."""
    given, verb = change.asked.on_failure, change.scope.verb
    if given is None:
        return
    answers = [answer.value for answer in Answer if _is_for(answer, verb)]
    words = sorted([ASK, *answers])
    if given not in words:
        known = f"it is one of {', '.join(words)}"
        hint = nearest(given, words)
        raise BadInput(f"--on-failure {given}: unknown for `{verb}`{hint}; {known}")
    if given == ASK and not screen.can_choose:
        raise BadInput(
            "--on-failure ask: no person can be asked without a terminal, in CI, or with --json; "
            "give retry, put-back, leave-out or stop"
        )


def _is_for(answer: Answer, verb: str) -> bool:
    """Return whether an answer is one to a command: only a deploy takes finished hosts back."""
    return answer is not Answer.ROLLBACK or verb == "deploy"


def of(change: Change, opened: Session, screen: Screen, plan: Plan) -> Answers | None:
    """Return what decides about failed hosts in a run of a plan; None for the policy alone."""
    asked, again = change.asked, change.again
    if again is None or asked.on_failure in {Answer.STOP, Answer.ROLLBACK}:
        return None
    option = Answer(asked.on_failure) if asked.on_failure in FOR_ONE_HOST else None
    is_asked = asked.on_failure == ASK or (asked.on_failure is None and not asked.yes)
    ask = partial(_asked, screen) if is_asked and screen.can_choose else None
    if option is None and ask is None:
        return None
    policy = opened.environment.rollout.on_failure if change.scope.verb == "deploy" else "stop"

    def replanned_on(host: str) -> Replanned:
        made = again(opened)
        replanning.refuse_other(made, plan.releases)
        return replanning.on_host(made, host)

    return Answers(replanned_on, partial(_back, opened), Answer(policy), option, ask, LIMIT_SECONDS)


def _asked(screen: Screen, asked: QuestionAsked, is_over: Callable[[], bool]) -> Reply:
    """Return what the person at the terminal decides; the policy, where no answer comes in time."""
    choice = screen.choose(asked, is_over)
    if choice.word:
        return Reply(Answer(choice.word), records.author())
    return Reply(None) if is_over() else Reply(Answer(asked.policy), f"the policy: {choice.why}")


def _back(opened: Session, host: str) -> Replanned:
    """Return what a repair would do on a host now."""
    seen = opened.survey(settled=True)
    return replanning.on_host(repair.make(opened.environment, seen, opened.scope), host)
