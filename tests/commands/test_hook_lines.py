"""Hooks where no view of the run is on the screen: before it, and after its report."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import builders
import pytest

from commands.test_unforeseen import ASKED, Held, report
from deploy.commands import hook_lines, pipeline
from deploy.commands.change import Change
from deploy.commands.hook_lines import SHOWING, Unseen
from deploy.events.event import HostEnded
from deploy.events.stream import Stream
from deploy.events.user import HookEnded
from deploy.hooks.folder import Moment
from deploy.hooks.runner import Runner
from deploy.run.report import ExitCode, Outcome
from deploy.screen.console import Screen
from deploy.session import session as sessions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.commands.rollout import Rollout
    from deploy.plan.plan import Plan
    from deploy.run.report import Report

LATE = HookEnded("post-host", "web-1", 1.0, "exit status 3", ("no route",))


def hook(folder: Path, moment: Moment, text: str) -> None:
    file = folder / moment.value
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Outcome], ExitCode]:
    """A command with the hooks of a folder, whose run is on paper and ends like this."""

    def ended(outcome: Outcome) -> ExitCode:
        files = {each: tmp_path / each.value for each in Moment if (tmp_path / each.value).exists()}
        made = report(outcome)

        def execute(rollout: Rollout, _: Plan) -> Report:
            rollout.hooks.note_to(rollout.events.emit)
            rollout.events.emit(HostEnded("host-1", str(outcome)))
            return made

        held = Held()
        held.survey = lambda **_: builders.survey()  # type: ignore[attr-defined]
        monkeypatch.setattr(pipeline, "read_settings", lambda *_: builders.environment())
        monkeypatch.setattr(sessions, "Session", lambda *_, **__: held)
        monkeypatch.setattr(pipeline, "Signals", lambda *_: Held())
        monkeypatch.setattr(Runner, "of", lambda *_: Runner(files, tmp_path, 30.0))
        return pipeline.run(Change(ASKED, ASKED.scope("deploy"), lambda _: made.plan, execute))

    return ended


@pytest.mark.parametrize(
    ("outcome", "moment", "verdict"),
    [
        (Outcome.DONE, Moment.POST_DEPLOY, "is everywhere"),
        (Outcome.OUT, Moment.ON_FAILURE, "hosts are out of service"),
    ],
)
def test_the_report_is_there_before_the_last_hook_is_waited_for(
    outcome: Outcome,
    moment: Moment,
    verdict: str,
    tmp_path: Path,
    hooks: Callable[[Outcome], ExitCode],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An operator on call reads how it ended at once, not when a slow chat message is out."""
    hook(tmp_path, moment, "echo no route; exit 3")
    hooks(outcome)
    shown = capsys.readouterr()
    waited = f"waiting for hook {moment} (at most 30 s)"
    assert shown.out.index(verdict) < shown.out.index(waited)
    assert shown.err.count(f"hook {moment} failed: exit status 3\n  | no route\n") == 1


def test_before_the_run_it_is_said_that_a_hook_is_waited_for(
    tmp_path: Path, hooks: Callable[[Outcome], ExitCode], capsys: pytest.CaptureFixture[str]
) -> None:
    hook(tmp_path, Moment.PRE_DEPLOY, "exit 0")
    hooks(Outcome.DONE)
    assert capsys.readouterr().out.count("waiting for hook pre-deploy (at most 30 s)") == 1


def test_without_hooks_nothing_is_said_of_them(
    hooks: Callable[[Outcome], ExitCode], capsys: pytest.CaptureFixture[str]
) -> None:
    hooks(Outcome.DONE)
    assert "hook" not in "".join(capsys.readouterr())


def test_a_hook_of_the_last_host_that_fails_when_the_table_is_gone_is_not_forgotten(
    tmp_path: Path, hooks: Callable[[Outcome], ExitCode], capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs beside the run, which may be over by then."""
    hook(tmp_path, Moment.POST_HOST, "sleep 0.3; echo no route; exit 3")
    hooks(Outcome.DONE)
    assert "hook post-host for host-1 failed: exit status 3" in capsys.readouterr().err


@pytest.mark.parametrize(("is_shown", "count"), [(False, 1), (True, 0)])
def test_what_a_view_of_the_run_shows_is_not_said_again(*, is_shown: bool, count: int) -> None:
    events = Stream()
    unseen = Unseen(events)
    view = events.heard(SHOWING, lambda _: None) if is_shown else nullcontext()
    with events.heard("noting", unseen), view:
        events.emit(LATE)
    assert len(unseen.failed) == count


def test_a_repair_waits_for_no_hook_before_it(tmp_path: Path) -> None:
    files = dict.fromkeys(Moment, tmp_path)
    with_gates, without = (Runner(files, tmp_path, 90.0, has_gates=each) for each in (True, False))
    assert with_gates.waited_for(Moment.PRE_DEPLOY).endswith("pre-deploy (at most 1.5 minutes)")
    assert not without.waited_for(Moment.PRE_DEPLOY)
    both = without.waited_for(Moment.POST_HOST, Moment.ON_FAILURE)
    assert both == "waiting for hooks post-host, on-failure (at most 1.5 minutes each)"
    assert isinstance(hook_lines.waiting(Screen(), without, Moment.PRE_BATCH), nullcontext)
