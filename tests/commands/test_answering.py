"""Who decides about a failed host: a person where one is there, an option, or the policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import builders
import pytest
from run.paper_fleet import made, old
from screen.test_choice import asked

from deploy.commands import answering, changes
from deploy.errors import BadInput, DeployError
from deploy.recovery.answers.choices import Answer
from deploy.screen.question import Choice
from deploy.session.arguments import CommandOptions, read_settings

NO_CHOICE = Choice()
PLAN = made(old(3), batch=1)


@dataclass
class Screen:
    """A screen with a person in front of it, or none."""

    can_choose: bool
    choice: Choice = NO_CHOICE

    def choose(self, *_: object) -> Choice:
        return self.choice


@dataclass
class Session:
    """A session: settings, and what a look shows."""

    environment: Any


def deploying(**options: Any) -> Any:
    return changes.deploy(CommandOptions("lab", **options), None)


def of(change: Any, screen: Screen, **rollout: Any) -> Any:
    session = Session(builders.environment(rollout=rollout))
    return answering.of(change, cast("Any", session), cast("Any", screen), PLAN)


@pytest.mark.parametrize(
    ("options", "can_choose", "has_person", "option"),
    [
        ({}, True, True, None),
        ({}, False, False, None),
        ({"yes": True}, True, False, None),
        ({"yes": True, "on_failure": "ask"}, True, True, None),
        ({"on_failure": "retry"}, True, False, Answer.RETRY),
        ({"on_failure": "put-back"}, False, False, Answer.PUT_BACK),
        ({"on_failure": "leave-out", "yes": True}, False, False, Answer.LEAVE_OUT),
        ({"on_failure": "stop"}, True, False, None),
        ({"on_failure": "rollback"}, True, False, None),
    ],
)
def test_who_decides(
    options: dict[str, Any], can_choose: bool, has_person: bool, option: Answer | None
) -> None:
    answers = of(deploying(**options), Screen(can_choose))
    if answers is None:
        assert not has_person
        assert option is None
    else:
        assert (answers.ask is not None, answers.option) == (has_person, option)


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("deploy", "retri", "--on-failure retri: unknown for `deploy`; did you mean 'retry'?"),
        ("deploy", "", "it is one of ask, leave-out, put-back, retry, rollback, stop"),
        ("rollback", "rollback", "it is one of ask, leave-out, put-back, retry, stop"),
        ("restart", "rollback", "--on-failure rollback: unknown for `restart`"),
    ],
)
def test_p8_an_unknown_word_is_refused_with_the_known_ones(
    verb: str, given: str, said: str
) -> None:
    options = CommandOptions("lab", on_failure=given)
    change = {
        "deploy": lambda: changes.deploy(options, None),
        "rollback": lambda: changes.roll_back(options, None),
        "restart": lambda: changes.restart(options),
    }[verb]()
    with pytest.raises(BadInput) as raised:
        answering.refuse(change, cast("Any", Screen(can_choose=True)))
    assert said in str(raised.value)


def test_p8_ask_is_refused_where_no_person_can_be_asked() -> None:
    change = deploying(on_failure="ask")
    answering.refuse(change, cast("Any", Screen(can_choose=True)))
    with pytest.raises(BadInput, match="give retry, put-back, leave-out or stop"):
        answering.refuse(change, cast("Any", Screen(can_choose=False)))


def test_repair_and_observe_ask_nothing() -> None:
    assert of(changes.repair(CommandOptions("lab")), Screen(can_choose=True)) is None


@pytest.mark.parametrize(
    ("choice", "is_over", "answer", "by"),
    [
        (Choice("retry"), False, Answer.RETRY, "@"),
        (Choice(why="no answer within 30 minutes"), False, Answer.STOP, "the policy: no answer"),
        (Choice(), True, None, ""),
    ],
)
def test_where_no_answer_comes_the_policy_answers_and_a_stop_needs_none(
    choice: Choice, is_over: bool, answer: Answer | None, by: str
) -> None:
    answers = of(deploying(), Screen(can_choose=True, choice=choice))
    reply = answers.ask(asked(), lambda: is_over)
    assert reply.answer is answer
    assert by in reply.by


def test_the_policy_is_the_settings_own_and_of_a_rollback_it_is_stop() -> None:
    assert of(deploying(), Screen(can_choose=True), on_failure="rollback").policy == "rollback"
    back = changes.roll_back(CommandOptions("lab"), None)
    assert of(back, Screen(can_choose=True), on_failure="rollback").policy == "stop"


def test_p6_a_retry_is_refused_where_the_command_would_bring_another_release_now() -> None:
    change = replace(deploying(), again=lambda _: replace(PLAN, releases={"web": "9"}))
    with pytest.raises(DeployError, match="would bring web 9 now"):
        of(change, Screen(can_choose=True)).again("host-1")
    same = replace(deploying(), again=lambda _: PLAN)
    found = of(same, Screen(can_choose=True)).again("host-1")
    assert {each.host.name for each in found.turns} == {"host-1"}


@pytest.mark.parametrize("word", ["stop", "rollback"])
def test_an_option_that_ends_the_rollout_takes_the_place_of_the_setting(
    word: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = builders.environment(rollout={"on_failure": "stop"})
    monkeypatch.setattr("deploy.session.arguments.environment_of", lambda *_: environment)
    monkeypatch.setattr("deploy.settings.load.find", lambda _: tmp_path / "fabric.yaml")
    screen = cast("Any", type("Noting", (), {"note": lambda *_: None})())
    loaded = read_settings(CommandOptions("lab", on_failure=word), screen)
    assert loaded.rollout.on_failure == word
    assert CommandOptions("lab", on_failure=word).flags == ("--on-failure", word)
