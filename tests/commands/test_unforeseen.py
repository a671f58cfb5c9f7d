"""Errors that nobody foresaw: a command ends with its true exit code and its full report."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self, cast

import builders
import pytest
from invoke import Context, Exit

from deploy.aws.api import lifetime
from deploy.cli import changing, invoke_patch, looking, tasks
from deploy.cli.options import EXAMPLES
from deploy.clock import CLOCK
from deploy.commands import conclusion
from deploy.commands import pipeline as pipelines
from deploy.commands.change import Change
from deploy.commands.rollout import Rollout
from deploy.crew import Crew
from deploy.errors import (
    ApiError,
    BadInput,
    Locked,
    NotAllowed,
    UnexpectedAnswer,
    Unreachable,
)
from deploy.plan import assembly, plan
from deploy.run.report import ExitCode, Outcome, Report
from deploy.screen import status, status_table, tables
from deploy.session import arguments
from deploy.session import session as sessions
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from deploy.events.event import Event
    from deploy.session.session import Session

ROOT = Path(__file__).parents[2]
ASKED = arguments.CommandOptions("lab", str(ROOT / "fabric.yaml"), yes=True)


def report(*outcomes: Outcome) -> Report:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n, _ in enumerate(outcomes, start=1)]
    made = assembly.make(
        builders.environment(),
        (builders.offer(builders.app(), hosts),),
        builders.survey(hosts),
        allow_downtime=True,
    )
    return Report(made, {f"host-{n}": outcome for n, outcome in enumerate(outcomes, start=1)})


class Held:
    """A session, a lease or the signals: a block that may fail at its end."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.hosts = error, ()
        self.environment = builders.environment(runs=os.devnull)
        self.run = "0" * 32
        self.scope = Scope("lab")
        self.credentials = lifetime.RENEWED
        self.balancer = SimpleNamespace(confirm_registration=lambda _: None)
        self.groups = {"web": (builders.group(),)}
        self.remotes: dict[str, Any] = {}
        self.scope = Scope("lab")
        self.holder = SimpleNamespace(token="0" * 32)
        self.heartbeat = SimpleNamespace()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.error:
            raise self.error

    def lease(self, *_: object) -> Held:
        return Held()

    def abandon(self) -> None:
        pass


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The commands' pipeline from a session to its end, with the run on paper."""

    def run(ended: Any, *, session: Held | None = None, survey: Any = None) -> ExitCode:
        held = session or Held()
        cast("Any", held).survey = survey or (lambda **_: builders.survey())
        monkeypatch.setattr(pipelines, "read_settings", lambda *_: builders.environment())
        monkeypatch.setattr(sessions, "Session", lambda *_, **__: held)
        monkeypatch.setattr(pipelines, "Signals", lambda *_: Held())
        made = report(Outcome.DONE).plan
        return pipelines.run(Change(ASKED, ASKED.scope("deploy"), lambda _: made, ended))

    return run


def fail(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("nobody foresaw it")


@pytest.mark.parametrize(
    ("outcome", "code"), [(Outcome.DONE, ExitCode.DONE), (Outcome.OUT, ExitCode.OUT_OF_SERVICE)]
)
@pytest.mark.parametrize("broken", ["render_report", "survey", "session"])
def test_what_fails_after_the_run_hides_neither_report_nor_exit_code(
    broken: str,
    outcome: Outcome,
    code: ExitCode,
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if broken.startswith("render"):
        drawn_by = status_table if broken == "render_overview" else tables
        monkeypatch.setattr(drawn_by, broken, fail)
    session = Held(ZeroDivisionError("nobody foresaw it") if broken == "session" else None)
    survey = fail if broken == "survey" else None
    ended = report(outcome)
    assert pipeline(lambda *_: ended, session=session, survey=survey) is code
    shown = "".join(capsys.readouterr())
    assert "a defect in Changeover: ZeroDivisionError" in shown
    assert f"host-1: {outcome}" in shown
    assert "Traceback" not in shown


def test_p10_nothing_is_done_where_hosts_could_not_be_put_in_again(pipeline: Any) -> None:
    """The first write would be allowed, and a host be out of service by the second."""

    def refuse(_: object) -> None:
        raise NotAllowed("AWS (elbv2.register_targets): not allowed")

    session = Held()
    session.balancer = SimpleNamespace(confirm_registration=refuse)
    with pytest.raises(NotAllowed):
        pipeline(fail, session=session)


def test_a_run_without_a_report_counts_as_out_of_service(
    pipeline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline(fail) is ExitCode.OUT_OF_SERVICE
    assert "status --env lab" in capsys.readouterr().err


def test_before_the_first_change_the_error_goes_on(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "read_settings", fail)
    del pipeline
    with pytest.raises(ZeroDivisionError):
        pipelines.run(Change(ASKED, ASKED.scope("deploy"), fail, fail))


WORDS = {
    "env": "prod",
    "settings": "a b.yaml",
    "reason": "its job was cancelled",
    "target_group": "web-prod",
}


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A command that ends with an error before its report: Invoke's Exit for it."""

    def run(name: str, error: BaseException) -> Exit:
        def body(*_: object, **__: object) -> Any:
            raise error

        names = (
            "deploy",
            "roll_back",
            "repair",
            "observe",
            "status",
            "watch",
            "check",
            "init",
            "report",
            "destroy",
            "decide",
            "restart",
            "run",
            "logs",
            "history",
        )
        for module in (changing, looking):
            loaded = SimpleNamespace(**dict.fromkeys(names, body))
            monkeypatch.setattr(module, "loaded", lambda _, loaded=loaded: loaded)
        monkeypatch.setattr(invoke_patch, "restore_on_signals", lambda: None)
        options = {argument.attr_name or argument.name for argument in task(name).get_arguments()}
        given = {each: WORDS.get(each) for each in options} | {"wait_lock": "0"}
        with pytest.raises(Exit) as raised:
            task(name)(Context(), **{key: given[key] for key in options})
        return raised.value

    def task(name: str) -> Any:
        return tasks.namespace[name]

    return run


def effect(name: str) -> str:
    """What is said about what a command changed."""
    if name == "lock.break":
        return "lock.status --env prod --settings 'a b.yaml'` shows whether the lock is gone."
    return "Nothing was changed."


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_api_that_fails_before_the_first_change_is_bad_input(name: str, ended: Any) -> None:
    """What a report calls a failed step (exit code 1) changed nothing here."""
    for error in (
        UnexpectedAnswer("elbv2: DescribeTargetHealth: a page in place of an answer"),
        ApiError("elbv2: InternalError", "InternalError", may_pass=True),
    ):
        exit_ = ended(name, error)
        assert exit_.code == ExitCode.BAD_INPUT
        assert str(error) in exit_.message
        assert effect(name) in exit_.message


@pytest.mark.parametrize("name", EXAMPLES)
def test_other_errors_keep_their_code_and_their_text(name: str, ended: Any) -> None:
    for error in (BadInput("a", "b"), Locked("held"), Unreachable("silent")):
        exit_ = ended(name, error)
        assert (exit_.code, exit_.message) == (error.exit_code, str(error))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_defect_and_an_interruption_say_what_was_changed(name: str, ended: Any) -> None:
    """`lock.break` may have broken the lock on some hosts by then."""
    for error, code in ((KeyError("x"), ExitCode.BAD_INPUT), (KeyboardInterrupt(), 130)):
        exit_ = ended(name, error)
        assert exit_.code == code
        assert effect(name) in exit_.message
        assert ("Nothing was changed" in exit_.message) == (name != "lock.break")


class BrokenWatch:
    """A screen that cannot begin, hear or end."""

    def __init__(self, *broken: str) -> None:
        self.broken = broken

    def __enter__(self) -> Self:
        return fail() if "enter" in self.broken else self

    def __call__(self, event: Event) -> None:
        fail(event)

    def __exit__(self, *_: object) -> None:
        if "exit" in self.broken:
            fail()


@pytest.mark.parametrize("broken", [(), ("enter",), ("exit",), ("enter", "exit")])
def test_a_screen_that_breaks_ends_no_run(broken: tuple[str, ...]) -> None:
    made = report(Outcome.DONE).plan
    empty = plan.Plan(**{**vars(made), "batches": (), "staging": (), "minimums": ()})
    seams = SimpleNamespace(
        progress=lambda: BrokenWatch(*broken),
        when_lost=lambda _: None,
        guide=lambda _: None,
        fleet=builders_fleet,
    )
    rolled = Rollout(cast("Session", seams), *(cast("Any", seams),) * 3)
    ended = rolled.run(empty)
    assert ended.exit_code is ExitCode.DONE
    assert len(ended.defects) >= 1
    assert all("showing the progress: a defect" in defect for defect in ended.defects)


def builders_fleet() -> Any:
    group = {"web": (builders.group(),)}
    return SimpleNamespace(
        stop=SimpleNamespace(is_set=lambda: False),
        clock=CLOCK,
        crew=Crew(),
        groups=group,
    )


def test_a_host_whose_part_a_defect_ended_is_what_is_seen_of_it() -> None:
    ended = report(Outcome.UNKNOWN, Outcome.DONE)
    assert ended.exit_code is ExitCode.OUT_OF_SERVICE, "nobody knows better"
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    well = status.overview(builders.environment(), builders.survey(hosts))
    assert conclusion.as_seen(ended, well).outcomes["host-1"] is Outcome.CUT_SHORT
    sick = builders.survey(hosts, {"host-1": builders.UNHEALTHY})
    seen = conclusion.as_seen(ended, status.overview(builders.environment(), sick))
    assert seen.outcomes["host-1"] is Outcome.OUT


@pytest.fixture
def broken_status(tmp_path: Path) -> Path:
    """A module that breaks `inv status` before it does anything."""
    (tmp_path / "sitecustomize.py").write_text(
        "import deploy.commands.looking.status as command\n"
        "def status(*_, **__):\n"
        "    raise ZeroDivisionError('nobody foresaw it')\n"
        "command.status = status\n"
    )
    return tmp_path


@pytest.mark.parametrize("debug", [False, True])
def test_a_defect_before_the_first_change_is_one_message(broken_status: Path, debug: bool) -> None:
    paths = {"PYTHONPATH": f"{broken_status}{os.pathsep}{ROOT}"}
    environ = {**os.environ, **paths} | ({"CHANGEOVER_DEBUG": "1"} if debug else {})
    ended = subprocess.run(
        [sys.executable, "-m", "invoke", "status", "--env", "lab"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("Traceback" in ended.stderr) is debug, ended.stderr
    if not debug:
        assert ended.returncode == int(ExitCode.BAD_INPUT)
        assert (
            "a defect in Changeover: ZeroDivisionError: nobody foresaw it\nNothing was changed."
            in (ended.stderr)
        )
        assert "CHANGEOVER_DEBUG=1" in ended.stderr
