"""The previous unit is proven like a release: it answers, and then it stays up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.errors import NotProven
from deploy.hosts.probe.request import Reply
from deploy.steps.answers import ProveRevived
from deploy.steps.fleet import Fleet
from deploy.survey.question import Question, Questions

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script

HOST = builders.host()
WEB = builders.app(replaces="old.service", prove_seconds=0.0, start_timeout_seconds=1).at(5000)
PROOF = ProveRevived(HOST, WEB, "old.service", Questions((Question("/health", "200"),)))


class PaperHost:
    """Answers with a code, and shows one state of the unit after the other."""

    def __init__(self, code: int, *states: tuple[str, str]) -> None:
        self._code, self._states = code, list(states)

    def probe(self, *_: object) -> Reply:
        return Reply(self._code)

    def ask(self, script: Script[Any], _seconds: float) -> Any:
        active, invocation = self._states.pop(0)
        facts = (f"show.ActiveState={active}", f"show.InvocationID={invocation * 32}")
        return script.parse(CommandResult("", 0, "", "", facts=facts))


def prove(host: PaperHost) -> None:
    remotes = {HOST.name: cast("Any", host)}
    PROOF.run(Fleet(remotes, {}, cast("Any", None), cast("Any", None), author="me"))


def test_one_that_answers_and_stays_is_proven() -> None:
    prove(PaperHost(200, ("active", "a"), ("active", "a")))


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (("active", "b"), "does not stay up"),
        (("failed", "a"), "does not stay up"),
        (("activating", "a"), "does not stay up"),
    ],
)
def test_p3_one_that_answers_once_and_ends_is_not_proven(last: tuple[str, str], said: str) -> None:
    with pytest.raises(NotProven, match=said):
        prove(PaperHost(200, ("active", "a"), last))


def test_one_that_answers_wrongly_is_not_proven() -> None:
    with pytest.raises(NotProven, match="answer 503, not 200"):
        prove(PaperHost(503))
