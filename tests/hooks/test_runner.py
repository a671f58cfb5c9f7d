"""Which hook runs when; `pre-*` hold up what is not begun, the others hold up nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import BadInput, NotPermitted
from deploy.events.event import BatchBegan, Entry, Event, HostEnded, RunBegan, RunEnded
from deploy.events.planned import PlanMade
from deploy.events.user import HookBegan, HookEnded
from deploy.hooks import hook
from deploy.hooks.folder import Moment
from deploy.hooks.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RELEASES = {"web": "2.0.0", "api": "1.1"}
PLAN = PlanMade("Deploy", "Deploy web 2.0.0", RELEASES, ("web-1",), (), ())
BATCH = BatchBegan(2, 3, ("web-1", "web-2"))
BEGAN = RunBegan(1, "ab12", "0", "deploy", "prod", "ana@laptop", "inv deploy")


@pytest.fixture
def hooks(tmp_path: Path) -> Callable[..., Runner]:
    """A runner whose hooks note in one file that they ran, and end as the test says."""

    def made(**ends: str) -> Runner:
        files = {}
        for moment in Moment:
            files[moment] = file = tmp_path / moment
            end = ends.get(moment.replace("-", "_"), "exit 0")
            text = f'#!/bin/sh\nprintf "%s" "$CHANGEOVER_HOOK" >>ran\nenv >{moment}.env\n'
            file.write_text(f"{text}cat >>ran\n{end}\n")
            file.chmod(0o755)
        return Runner(files, tmp_path, 30.0)

    return made


def noted(made: Runner) -> list[str]:
    """Which hooks ran, with the event that each heard."""
    lines = (made.folder / "ran").read_text().splitlines()
    split = [line.partition("{") for line in lines]
    return [f"{name} {json.loads('{' + body)['event']}" for name, _, body in split]


def environment(made: Runner, moment: Moment) -> dict[str, str]:
    lines = (made.folder / f"{moment}.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines)
    return {name: value for name, _, value in pairs if name.startswith("CHANGEOVER_")}


def play(made: Runner, *events: Event) -> list[HookEnded]:
    heard: list[HookEnded] = []

    def emit(event: Event) -> None:
        assert isinstance(event, HookBegan | HookEnded)
        if isinstance(event, HookEnded):
            heard.append(event)

    made.note_to(emit)
    for event in events:
        made(Entry(0.0, event))
    made.close()
    return heard


def test_hooks_run_in_the_order_of_the_run_with_its_events(hooks: Callable[..., Runner]) -> None:
    made = hooks()
    made.before_all(BEGAN, RELEASES, lambda: PLAN)
    made.before_batch(BATCH)
    ended = play(made, HostEnded("web-1", "deployed"), RunEnded(0, "done", 1.0, {}))
    assert noted(made) == [
        "pre-deploy plan_made",
        "pre-batch batch_began",
        "post-host host_ended",
        "post-deploy run_ended",
    ]
    assert [each.hook for each in ended] == [each.split()[0] for each in noted(made)]
    assert environment(made, Moment.PRE_DEPLOY) == {
        "CHANGEOVER_HOOK": "pre-deploy",
        "CHANGEOVER_ENVIRONMENT": "prod",
        "CHANGEOVER_VERB": "deploy",
        "CHANGEOVER_RUN": "ab12",
        "CHANGEOVER_BY": "ana@laptop",
        "CHANGEOVER_RELEASES": "web=2.0.0 api=1.1",
    }
    batch = environment(made, Moment.PRE_BATCH)
    assert (batch["CHANGEOVER_BATCH"], batch["CHANGEOVER_BATCHES"]) == ("2", "3")
    assert batch["CHANGEOVER_HOSTS"] == "web-1 web-2"
    host = environment(made, Moment.POST_HOST)
    assert (host["CHANGEOVER_HOST"], host["CHANGEOVER_OUTCOME"]) == ("web-1", "deployed")
    assert environment(made, Moment.POST_DEPLOY)["CHANGEOVER_EXIT_CODE"] == "0"


def test_a_run_that_failed_has_a_hook_of_its_own(hooks: Callable[..., Runner]) -> None:
    made = hooks()
    play(made, RunEnded(4, "mixed", 1.0, {}))
    assert noted(made) == ["on-failure run_ended"]
    assert environment(made, Moment.ON_FAILURE)["CHANGEOVER_EXIT_CODE"] == "4"


def test_a_gate_that_fails_says_which_why_and_what_it_printed(hooks: Callable[..., Runner]) -> None:
    made = hooks(pre_deploy="echo frozen until Monday; exit 7", pre_batch="exit 1")
    with pytest.raises(BadInput) as refused:
        made.before_all(BEGAN, RELEASES, lambda: PLAN)
    assert refused.value.args == (
        "hook pre-deploy failed: exit status 7",
        "  | frozen until Monday",
    )
    with pytest.raises(NotPermitted, match="hook pre-batch failed: exit status 1"):
        made.before_batch(BATCH)


def test_p6_a_repair_is_held_up_by_no_hook(hooks: Callable[..., Runner]) -> None:
    made = replace(hooks(pre_deploy="exit 7", pre_batch="exit 1"), has_gates=False)
    made.before_all(BEGAN, RELEASES, lambda: PLAN)
    made.before_batch(BATCH)
    assert not (made.folder / "ran").exists()


def test_one_that_was_too_late_is_not_run_for_each_host_again(hooks: Callable[..., Runner]) -> None:
    made = replace(hooks(post_host="sleep 600"), limit_seconds=0.3)
    ended = play(made, *(HostEnded(f"web-{number}", "deployed") for number in range(50)))
    assert [each.host for each in ended] == ["web-0"]
    assert "longer than 0.3 s" in ended[0].error


def test_a_gate_is_not_waited_for_once_the_operator_wants_an_end(
    hooks: Callable[..., Runner],
) -> None:
    made = hooks(pre_batch="sleep 600", on_failure="sleep 0.3")
    made.is_over = lambda: True
    with pytest.raises(NotPermitted, match="it was ended, as the run was"):
        made.before_batch(BATCH)
    *_, ended = play(made, RunEnded(130, "ended by SIGINT: Ctrl-C", 1.0, {}))
    assert (ended.hook, ended.error) == ("on-failure", "")


def test_a_batch_begins_after_the_hooks_of_the_hosts_before_it(
    hooks: Callable[..., Runner],
) -> None:
    made = hooks(post_host="sleep 0.5")
    made(Entry(0.0, HostEnded("web-1", "deployed")))
    made(Entry(0.0, HostEnded("web-2", "deployed")))
    made.before_batch(BATCH)
    made.close()
    assert [each.split()[0] for each in noted(made)] == ["post-host", "post-host", "pre-batch"]


def test_an_end_that_the_operator_wants_waits_for_no_hook_of_a_host_before(
    hooks: Callable[..., Runner],
) -> None:
    made = hooks(post_host="until test -e go; do sleep 0.05; done", pre_batch="touch go; sleep 600")
    made.is_over = lambda: True
    made(Entry(0.0, HostEnded("web-1", "deployed")))
    with pytest.raises(NotPermitted, match="it was ended, as the run was"):
        made.before_batch(BATCH)
    (made.folder / "go").touch()
    made.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_in_a_hook_before_holds_up_no_batch_for_ever(
    hooks: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, plain = hooks(), hook.run

    def run(file: Path, **given: Any) -> hook.Ended:
        if file.name == Moment.POST_HOST:
            raise RuntimeError("a defect")
        return plain(file, **given)

    monkeypatch.setattr(hook, "run", run)
    made(Entry(0.0, HostEnded("web-1", "deployed")))
    made.before_batch(BATCH)
    assert noted(made) == ["pre-batch batch_began"]


def test_hostile_names_reach_a_hook_as_words_of_one_line(hooks: Callable[..., Runner]) -> None:
    made = hooks()
    play(made, HostEnded("web\x00\n\x1b[2J", "deployed"))
    assert environment(made, Moment.POST_HOST)["CHANGEOVER_HOST"] == r"web\x00\x0a\x1b[2J"


def test_without_hooks_there_is_no_thread(tmp_path: Path) -> None:
    made = Runner({}, tmp_path, 1.0)
    made.before_all(BEGAN, RELEASES, lambda: PLAN)
    made(Entry(0.0, HostEnded("web-1", "deployed")))
    assert made._thread is None
    made.close()


def test_a_hook_that_runs_in_a_run_is_an_event_as_it_begins(hooks: Callable[..., Runner]) -> None:
    """So that a screen can say what is waited for; of one before the run there is no view yet."""
    made, heard = hooks(), list[Event]()
    made.before_all(BEGAN, RELEASES, lambda: PLAN)
    made.note_to(heard.append)
    made.before_batch(BATCH)
    kinds = [(type(each).__name__, getattr(each, "hook", "")) for each in heard]
    assert kinds == [
        ("HookEnded", "pre-deploy"),
        ("HookBegan", "pre-batch"),
        ("HookEnded", "pre-batch"),
    ]
    assert heard[1] == HookBegan("pre-batch", "", 30.0)
