"""What is said, on a terminal, in a log and to nobody: a dead terminal never ends the work."""

from __future__ import annotations

import errno
import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import builders
import pytest
import run_entries
from builders import NEW
from rich.console import Console

from deploy import __version__
from deploy.events.event import BatchBegan, HostEnded, HostSaid
from deploy.plan import assembly
from deploy.run.report import (
    ExitCode,
    Failure,
    Outcome,
    Report,
)
from deploy.screen import console, log_lines, status, status_table, tables
from deploy.screen import live as watch
from screen import replays

if TYPE_CHECKING:
    from rich.console import RenderableType

    from deploy.events.event import Event
    from deploy.plan.plan import Plan

ROOT = Path(__file__).parent.parent.parent


def printed(thing: RenderableType, width: int = 100) -> str:
    file = io.StringIO()
    Console(file=file, width=width, soft_wrap=True).print(thing)
    return file.getvalue()


def made(hosts: int = 2) -> Plan:
    facts = [builders.facts(n, {"web": builders.slot()}) for n in range(1, hosts + 1)]
    offers = (builders.offer(builders.app(), facts),)
    return assembly.make(builders.environment(), offers, builders.survey(facts))


class Dead(io.StringIO):
    """A terminal that is gone."""

    def __init__(self, code: int, *, terminal: bool) -> None:
        super().__init__()
        self._code, self._terminal = code, terminal
        self.tried = threading.Event()

    def write(self, text: str) -> int:
        del text
        self.tried.set()
        raise OSError(self._code, "gone")

    def isatty(self) -> bool:
        return self._terminal


def heard(*events: Event) -> list[str]:
    lines: list[str] = []
    with log_lines.LogLines(lambda line: lines.append(line.partition(" ")[2])) as listen:
        for event in events:
            listen(run_entries.now(event))
    return lines


def test_a_log_gets_one_line_for_each_steps_end() -> None:
    step = made().batches[0][0].steps[0]
    assert heard(
        BatchBegan(1, 2, ("host-1",)),
        run_entries.began(step),
        run_entries.ended(step, 1.25, "draining"),
        run_entries.ended(step, 0.5, "", "host-1: no"),
        HostEnded("host-1", Outcome.DONE),
    ) == [
        "batch 1 of 2: host-1",
        "host-1: deregister from web-lab: 1.2 s [draining]",
        "host-1: deregister from web-lab: FAILED: no",
        "host-1: deployed",
    ]


def test_a_log_hears_of_a_long_wait_only_now_and_then_but_of_every_journal_line_and_remark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = made().batches[0][0].steps[0]
    waits = [HostSaid("host-1", f"draining, {second} s") for second in range(100)]
    lines = [HostSaid("host-1", "| started"), HostSaid("host-1", "| listening")]
    assert heard(run_entries.began(step), *waits, *lines) == [
        "host-1: | started",
        "host-1: | listening",
    ]
    remark = HostSaid("host-1", "2 connections are still busy", is_remark=True)
    assert heard(run_entries.began(step), waits[1], remark, waits[2]) == [f"host-1: {remark.text}"]
    monkeypatch.setattr(log_lines, "QUIET_SECONDS", 0.0)
    assert heard(run_entries.began(step), waits[7]) == ["host-1: draining, 7 s"]


@pytest.mark.parametrize("code", [errno.EIO, errno.EPIPE])
@pytest.mark.parametrize("terminal", [True, False])
def test_a_dead_terminal_never_raises(
    code: int, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out, err = Dead(code, terminal=terminal), Dead(code, terminal=terminal)
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    screen = console.Screen()
    assert screen.is_terminal is terminal
    found = made()
    step = found.batches[0][0].steps[0]
    with screen.busy("looking"):
        screen.say("a")
    for _ in range(2):
        screen.complain("b")
    with screen.progress() as listen:
        listen(run_entries.plan_made(found))
        for event in (
            BatchBegan(1, 2, ("host-1",)),
            run_entries.began(step),
            run_entries.ended(step, 1.0, ""),
        ):
            listen(run_entries.now(event))
        screen.say("c")
    screen.show("d")
    assert out.tried.is_set()
    assert err.tried.is_set()


def test_a_stream_that_knows_few_letters_gets_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, "ascii", write_through=True))
    console.Screen().say("Z\u00fcrich, 3 hosts")
    assert raw.getvalue() == b"Z?rich, 3 hosts\n"


def test_the_live_table_is_drawn_from_what_it_hears() -> None:
    found = made(30)
    file = io.StringIO()
    screen = Console(file=file, width=120, height=24, force_terminal=True)
    live = watch.LiveTable(screen)
    live(run_entries.plan_made(found))
    step = found.batches[0][0].steps[1]
    for event in (
        BatchBegan(1, 30, ("host-1",)),
        run_entries.began(step),
        HostSaid("host-1", "draining, 3 of 15 s"),
    ):
        live(run_entries.now(event))
    text = printed(live._render(), 120)
    assert "draining, 3 of 15 s" in text
    assert "0/30 hosts  batch 1/" in text
    assert "more waiting" in text
    live(run_entries.now(run_entries.ended(step, 1.0, "", "host-1: it broke")))
    assert "host-1 failed: drain" in file.getvalue(), "it is printed, and not drawn"
    assert "it broke" in file.getvalue()
    assert "FAILED" in printed(live._render(), 120)


def test_a_quiet_command_shows_failures_and_the_verdict_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen, found = console.Screen(is_quiet=True), made()
    step = found.batches[0][0].steps[0]
    with screen.busy("looking"), screen.progress() as listen:
        screen.say("the plan")
        listen(run_entries.plan_made(found))
        listen(run_entries.now(run_entries.began(step)))
        listen(run_entries.now(run_entries.ended(step, 1.0, "", "host-1: it broke")))
    screen.conclude("how it ended")
    assert capsys.readouterr().out.splitlines() == [
        f"host-1 failed: {step}",
        "  it broke",
        "how it ended",
    ]


def test_a_remark_of_a_step_that_did_what_it_says_stays_on_the_screen() -> None:
    remark = "host-1: web@5000.service: 2 connections are still busy"
    ended = Report(made(), {"host-1": Outcome.DONE}, remarks=(remark,))
    text = printed(tables.render_report(run_entries.story(ended, "inv deploy -e x")))
    assert text.count(remark) == 1
    assert ended.exit_code is ExitCode.DONE


def test_a_failure_is_told_once_and_whole() -> None:
    found = made()
    failure = Failure(
        host=builders.host(1),
        step="start web@5000.service",
        error="host-1: starting web@5000.service ended with exit code 1: [no] such thing",
        command="sudo -n sh -c '" + "x" * 500 + "'",
        exit_code=1,
        journal=("web[1]: [bold]boom",),
        health="unhealthy (Target.Timeout)",
        undone=("register in web-lab",),
    )
    outcomes = {"host-1": Outcome.OUT, "host-2": Outcome.WAITING}
    report = Report(found, outcomes, (failure,))
    text = printed(tables.render_report(run_entries.story(report, "inv deploy -e x")))
    for part in (
        "host-1 failed: start web@5000.service",
        "ended with exit code 1: [no] such thing",
        "  | web[1]: [bold]boom",
        "  load balancer: unhealthy (Target.Timeout)",
        "  after 1 step of recovery: out of service",
        "host-1: out of service",
        "host-2: not reached",
        f"hosts are out of service (exit code 5, after 0 s; Changeover {__version__})",
        "next: inv deploy -e x",
    ):
        assert text.count(part) == 1
    assert "xxx" not in text, "the command is in the run's file"


def test_a_notice_is_in_the_report_of_a_deploy_that_went_well() -> None:
    done = Report(made(), {"host-1": Outcome.DONE}, remarks=("host-1: jobs was killed",))
    assert done.exit_code == 0
    assert "host-1: jobs was killed" in printed(tables.render_report(run_entries.story(done)))


def test_the_report_in_the_docs_is_as_it_is_printed() -> None:
    report = (replays.GOLDEN / "report-failure.txt").read_text()
    assert f"```\n{report}```\n" in (ROOT / "docs/failures.md").read_text()


def test_success_is_one_line() -> None:
    outcomes = {"host-1": Outcome.DONE, "host-2": Outcome.DONE}
    report = Report(made(), outcomes, seconds=61.04)
    text = printed(tables.render_report(run_entries.story(report, "inv deploy")))
    assert text.splitlines()[-1] == f"web {NEW} is everywhere, 1:01 min (Changeover {__version__})"
    assert "next:" not in text


def test_the_status_table_tells_state_reason_and_whether_current() -> None:
    hosts = [builders.facts(1, {"web": builders.slot()}), builders.facts(2)]
    seen = builders.survey(hosts, {"host-2": builders.UNHEALTHY})
    told = status.overview(builders.environment(), seen)
    lines = printed(status_table.render_overview(told), 80).splitlines()
    first, second = (line.split() for line in lines[1:3])
    assert second.pop(0) == "!", "a mark without colour"
    assert first[:5] == ["host-1", "web:5000", "1a", "healthy", builders.slot().link]
    assert first[-1] == "current"
    assert second == ["host-2", "web:5000", "1a", "unhealthy", "-", "absent"]
    assert lines[3] == "host-2 web: Target.ResponseCodeMismatch"
    assert lines[-2:] == [
        "lab: hosts are out of service",
        "next: the first deploy: inv deploy --env lab --dry-run",
    ]
    assert max(len(line) for line in lines) <= 80


def test_all_is_well_is_said_so() -> None:
    hosts = [builders.facts(1, {"web": builders.slot()})]
    told = status.overview(builders.environment(), builders.survey(hosts))
    assert printed(status_table.render_overview(told)).splitlines()[-1] == "lab: all is well"


def test_without_a_terminal_the_command_is_the_decision() -> None:
    assert console.Screen().confirm("Deploy?")
