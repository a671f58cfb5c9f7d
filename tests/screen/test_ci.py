"""A run in a CI log: plain lines with their time, groups, errors, GitHub's page of the job."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import builders
import hostile
import pytest
import run_entries
from inspect_output import acting, runner_commands

from deploy import ci_system
from deploy.events.event import (
    BatchBegan,
    Entry,
    Event,
    HostEnded,
    HostFailed,
    HostSaid,
    LockTaken,
    RunBegan,
    RunEnded,
    StepEnded,
)
from deploy.events.user import HookBegan
from deploy.foreign_text import Lines
from deploy.plan import assembly
from deploy.run.report import Failure, Outcome, Report
from deploy.screen import console
from deploy.screen.ci import dialects, summary
from deploy.screen.ci.groups import Groups
from deploy.screen.ci.order import Order
from deploy.screen.log_lines import LogLines, clock
from deploy.screen.run.failures import NO_FURTHER
from deploy.screen.run.story import Story
from lab import terminal
from screen import paper_run
from screen.paper_run import PaperRun

AT = 1_795_435_445.0
GITHUB, GITLAB = {"GITHUB_ACTIONS": "true"}, {"GITLAB_CI": "true"}
AZURE = {"TF_BUILD": "True"}
CI_PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
FAILED = StepEnded("web-1", "web", "prove 2.0.0", "prove", 3.0, "initial", "web-1: gave 503")
CAUSE = HostFailed(
    "web-1",
    "prove 2.0.0",
    "web-1: gave 503",
    command="sudo -n sh -c 'x'",
    exit_code=1,
    journal=("web[1]: boom",),
    health="unhealthy (Target.Timeout)",
    undone=("register in web-lab",),
)


@dataclass
class Log:
    """A step's log, and the commands in it, in the order in which they were written."""

    environ: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def hear(self, *events: Event) -> list[str]:
        """The lines for these events, a second after another; without their times."""
        groups = Groups(dialects.of(self.environ), self.lines.append)
        said = lambda text: self.lines.append(text.partition(" ")[2])  # noqa: E731
        with LogLines(said, groups) as listen:
            for number, event in enumerate(events):
                listen(Entry(AT + number, event))
        return self.lines


def test_each_line_begins_with_an_iso_time_and_its_zone() -> None:
    lines: list[str] = []
    with LogLines(lines.append) as listen:
        listen(Entry(AT, HostEnded("web-1", "deployed")))
    time, _, text = lines[0].partition(" ")
    assert text == "web-1: deployed"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", time)
    assert datetime.fromisoformat(time).timestamp() == AT
    assert clock(AT) == time


def test_the_lines_in_the_docs_are_those_of_a_run() -> None:
    run = PaperRun(paper_run.names(12), failing=frozenset({"web-3"}))
    printed = Log().hear(*(entry.event for entry in run.entries()))
    shown = re.findall(r"^2026\S+ ((?:batch|web-3).*)$", CI_PAGE.read_text(), re.MULTILINE)
    places = [printed.index(each) for each in shown if " of 40 s" not in each]
    assert len(places) > 4
    assert places == sorted(places)


def test_a_failure_is_followed_at_once_by_its_cause_and_nothing_is_said_twice() -> None:
    lines = Log().hear(BatchBegan(1, 1, ("web-1",)), FAILED, CAUSE, HostEnded("web-1", "back"))
    assert lines == [
        "batch 1 of 1: web-1",
        "web-1: prove 2.0.0: FAILED: gave 503",
        "web-1:   exit code 1 of: sudo -n sh -c 'x'",
        "web-1:   | web[1]: boom",
        "web-1:   load balancer: unhealthy (Target.Timeout)",
        "web-1: back",
    ]


def test_a_run_says_each_error_once_with_its_evidence_below_it_and_what_is_done_now() -> None:
    run = PaperRun(paper_run.names(4), failing=frozenset({"web-3"}))
    lines = Log().hear(*(entry.event for entry in run.entries()))
    at = next(number for number, line in enumerate(lines) if "FAILED" in line)
    assert [line.split(": ", 1)[0] for line in lines[at : at + 5]] == ["web-3"] * 5
    assert "no connection string 'orders'" in lines[at + 2]
    assert lines[at + 4] == f"web-3:   now: it goes back to {paper_run.OLD}"
    assert NO_FURTHER not in lines, "it was the last batch"
    assert sum(paper_run.ERROR in line for line in lines) == 1
    assert not any("Target.NotRegistered" in line for line in lines), "it was taken out by us"
    assert not any(" then: " in line for line in lines), "each step has a line already"


def test_what_other_hosts_do_meanwhile_comes_after_the_evidence() -> None:
    other = StepEnded("web-2", "web", "stop", "switch", 1.0)
    entries = [Entry(AT, FAILED), Entry(AT + 0.2, other), Entry(AT + 0.4, CAUSE)]
    assert [each.event for each in ordered(entries)] == [FAILED, CAUSE, other]


def test_evidence_that_takes_long_holds_up_no_other_line_for_more_than_a_second() -> None:
    other = StepEnded("web-2", "web", "stop", "switch", 1.0)
    order = Order()
    assert order(Entry(AT, FAILED)) == [Entry(AT, FAILED)]
    assert order(Entry(AT + 0.9, other)) == []
    late = Entry(AT + 1.1, other)
    assert order(late) == [Entry(AT + 0.9, other), late]


def test_hosts_that_fail_together_each_keep_their_evidence() -> None:
    second, why = replace(FAILED, host="web-2"), replace(CAUSE, host="web-2")
    events: tuple[Event, ...] = (FAILED, second, HostSaid("web-3", "1 of 9"), CAUSE, why)
    entries = [Entry(AT + 0.1 * number, event) for number, event in enumerate(events)]
    assert [each.event for each in ordered(entries)] == [
        *(FAILED, CAUSE, second, why, HostSaid("web-3", "1 of 9"))
    ]


def test_no_entry_is_lost_whatever_order_they_come_in() -> None:
    run = PaperRun(paper_run.names(12), batch=4, failing=frozenset({"web-2", "web-3"}))
    entries = run.entries()
    found = ordered(entries)
    assert len(found) == len(entries)
    for host in (*run.hosts, ""):
        own = [each for each in entries if getattr(each.event, "host", "") == host]
        assert [each for each in found if getattr(each.event, "host", "") == host] == own


def ordered(entries: list[Entry]) -> list[Entry]:
    """Entries as a log shows them."""
    order = Order()
    return [*(due for each in entries for due in order(each)), *order.rest()]


def test_a_failure_that_is_reported_twice_is_said_once_and_what_is_new_is_added() -> None:
    early = HostFailed("web-1", "prove", "no", journal=("boom",))
    undone = ("register in web-lab", "stop web: failed: no answer")
    late = HostFailed("web-1", "prove", "no", exit_code=3, journal=("boom",), undone=undone)
    assert Log().hear(early, late) == [
        "web-1: prove: FAILED: no",
        "web-1:   | boom",
        "web-1:   exit code 3",
        "web-1:   stop web: failed: no answer",
    ]


def test_an_error_of_several_lines_stays_readable() -> None:
    failed = StepEnded("web-1", "web", "stop", "switch", 1.0, "", "web-1: no\n  do this")
    assert Log().hear(failed) == ["web-1: stop: FAILED: no", "web-1:     do this"]


def test_each_batch_says_how_far_the_run_is_and_each_host_that_ended_how_many_have() -> None:
    run = PaperRun(paper_run.names(12))
    lines = Log().hear(*(entry.event for entry in run.entries()))
    (second,) = [line for line in lines if line.startswith("batch 2 of 6")]
    assert second.startswith(
        "batch 2 of 6: web-3, web-4; 2/12 hosts; in service 12 of 12 (minimum 10); about "
    )
    assert second.endswith(" min left")
    assert "web-3: deployed (3/12 hosts)" in lines


def test_that_no_further_batch_begins_is_said_once() -> None:
    run = PaperRun(paper_run.names(12), failing=frozenset({"web-3", "web-4"}))
    lines = Log().hear(*(entry.event for entry in run.entries()))
    assert lines.count(NO_FURTHER) == 1


def test_a_hook_that_is_waited_for_and_a_lost_lock_are_said_outside_of_the_group() -> None:
    lines = Log(GITHUB).hear(
        BatchBegan(1, 2, ("web-1",)),
        HookBegan("post-host", "web-1", 60),
        HookBegan("pre-batch", "", 60),
        LockTaken(),
    )
    assert lines == [
        "::group::batch 1 of 2: web-1",
        "batch 1 of 2: web-1",
        "::endgroup::",
        "Waiting for hook pre-batch, 0 of 60 s at most.",
        "Another deploy took the environment over: nothing more is changed.",
    ]


def test_a_targets_state_is_said_when_it_changes() -> None:
    def step(name: str, health: str) -> StepEnded:
        return StepEnded("web-1", "web", name, "drain", 1.0, health)

    assert Log().hear(
        step("a", "healthy"),
        step("b", "healthy"),
        step("c", "draining (Target.DeregistrationInProgress)"),
        step("d", "draining (Target.DeregistrationInProgress)"),
        step("e", ""),
        step("f", "healthy"),
    ) == [
        "web-1: a: 1.0 s [healthy]",
        "web-1: b: 1.0 s",
        "web-1: c: 1.0 s [draining (Target.DeregistrationInProgress)]",
        "web-1: d: 1.0 s",
        "web-1: e: 1.0 s",
        "web-1: f: 1.0 s [healthy]",
    ]


def test_a_wait_gives_its_reason_once() -> None:
    initial = "target initial (Elb.RegistrationInProgress)"
    waits = [HostSaid("web-1", f"{initial}, {n} of 60 s", is_remark=True) for n in (0, 5)]
    other = HostSaid("web-1", "target healthy, 10 of 60 s", is_remark=True)
    assert Log().hear(*waits, other) == [
        "web-1: target initial (Elb.RegistrationInProgress), 0 of 60 s",
        "web-1: target initial, 5 of 60 s",
        "web-1: target healthy, 10 of 60 s",
    ]


RUN = (
    BatchBegan(1, 2, ("web-1",)),
    FAILED,
    CAUSE,
    HostEnded("web-1", "back"),
    BatchBegan(2, 2, ("web-2", "web-3", "web-4", "web-5")),
)


def test_github_gets_groups_and_an_annotation_and_no_group_hides_a_failure() -> None:
    lines = Log(GITHUB).hear(*RUN)
    assert [line for line in lines if line.startswith("::")] == [
        "::group::batch 1 of 2: web-1",
        "::endgroup::",
        "::error title=web-1 failed%3A prove 2.0.0::gave 503%0Aexit code 1 of: "
        "sudo -n sh -c 'x'%0A| web[1]: boom%0Aload balancer: unhealthy (Target.Timeout)",
        "::group::batch 1 of 2: web-1, continued",
        "::endgroup::",
        "::group::batch 2 of 2: 4 hosts (web-2, web-3, web-4 and 1 more)",
        "::endgroup::",
    ]
    opened = 0
    for line in lines:
        opened += line.startswith("::group::") - line.startswith("::endgroup::")
        assert opened in {0, 1}
        if "FAILED" in line or "boom" in line:
            assert opened == 0, line
    assert opened == 0


def test_gitlab_gets_sections_that_end_by_their_names() -> None:
    lines = Log(GITLAB).hear(*RUN)
    marks = [line for line in lines if line.startswith("\x1b")]
    start = f"section_start:{AT:.0f}:changeover_{AT:.0f}_1"
    assert marks[0] == f"\x1b[0K{start}\r\x1b[0Kbatch 1 of 2: web-1"
    assert marks[1] == f"\x1b[0Ksection_end:{AT + 1:.0f}:changeover_{AT:.0f}_1\r\x1b[0K"
    names = [re.findall(r"section_(start|end):\d+:([A-Za-z0-9_.-]+)\r\x1b\[0K", m) for m in marks]
    ends, titles = zip(*(each[0] for each in names), strict=True)
    assert ends == ("start", "end") * 3
    assert titles[::2] == titles[1::2]
    assert len(set(titles)) == 3


def test_azure_gets_groups_and_an_issue() -> None:
    marks = [line for line in Log(AZURE).hear(*RUN) if line.startswith("##")]
    assert marks[0] == "##[group]batch 1 of 2: web-1"
    assert marks[1] == "##[endgroup]"
    assert marks[2].startswith("##vso[task.logissue type=error]web-1 failed: prove 2.0.0: gave 503")
    assert "%0A| web[1]: boom" in marks[2]


def test_outside_of_the_three_there_are_no_commands() -> None:
    for environ in ({}, {"CI": "true"}, {"JENKINS_URL": "x"}, {"BUILDKITE": "true"}):
        assert runner_commands("\n".join(Log(environ).hear(*RUN))) == []


def test_what_the_operator_stopped_is_no_error() -> None:
    stopped = HostFailed("web-1", "drain", "stopped", is_stop=True)
    assert not [line for line in Log(GITHUB).hear(stopped) if "::error" in line]


HOSTILE_TEXTS = [text for text in hostile.TEXTS if len(text) < 1000]
HEAD = re.compile(
    r"::\w+::|::\w+ title=|##\[\w+\]|##vso\[[^\]]*\]|\x1b\[0Ksection_\w+:\d+:[\w.-]+\r\x1b\[0K"
)


def written(environ: dict[str, str], said: str) -> tuple[list[str], list[str]]:
    """The lines of a run in which a host says this everywhere, and its commands."""
    lines: list[str] = []
    commands: list[str] = []
    guard = Lines(for_terminal=False)
    groups = Groups(dialects.of(environ), commands.append)
    with LogLines(lambda text: lines.append(guard.guarded(f"{text}\n")), groups) as listen:
        for event in (
            BatchBegan(1, 1, (said,)),
            StepEnded(said, "web", said, "prove", 1.0, said, said),
            HostFailed(said, said, said, said, 1, (said,), said, (said,)),
            HostEnded(said, said),
        ):
            listen(Entry(AT, event))
    return lines, commands


@pytest.mark.parametrize("environ", [GITHUB, GITLAB, AZURE], ids=["GitHub", "GitLab", "Azure"])
@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=ascii)
def test_p7_no_foreign_text_becomes_a_command(text: str, environ: dict[str, str]) -> None:
    """What a runner obeys of a hostile run is what it obeys of a harmless one."""

    def heads(said: str) -> list[str]:
        lines, commands = written(environ, said)
        assert runner_commands("".join(lines)) == []
        assert acting("".join(lines)) == []
        found = []
        for command in commands:
            assert "\n" not in command
            head = HEAD.match(command)
            assert head
            rest = command[head.end() :]
            assert runner_commands(rest) == []
            assert acting(rest) == []
            if head[0].endswith("title="):
                assert "," not in rest.partition("::")[0], "it ends the property"
            found.append(re.sub(r"\d{5,}", "", head[0]))
        return found

    assert heads(text) == heads("harmless")
    assert heads(text)


@pytest.mark.parametrize("environ", [GITHUB, GITLAB, AZURE], ids=["GitHub", "GitLab", "Azure"])
def test_p7_of_every_source_of_foreign_text_a_runner_obeys_only_ours(
    environ: dict[str, str],
) -> None:
    """The whole program of hostile texts, in a step of each system."""
    own = {key: value for key, value in os.environ.items() if key not in ci_system.VARIABLES}
    own |= environ | {"PYTHONPATH": f"{terminal.ROOT}:{terminal.ROOT / 'tests'}"}
    program = "import hostile; hostile.main(hostile.TEXTS[19:32])"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=terminal.ROOT,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
        timeout=120,
    )
    output = ended.stdout.decode(errors="surrogateescape")
    ours = ("::group::", "::endgroup::", "::error title=", "##[group]", "##[endgroup]")
    obeyed = runner_commands(re.sub(r"\x1b\[0Ksection_\w+:\d+:\w+\r\x1b\[0K", "", output))
    found = [line for line in obeyed if not line.startswith((*ours, "##vso[task.logissue type="))]
    assert found == []
    if environ != GITLAB:
        assert obeyed
    sections = re.findall(r"section_(?:start|end):\d+:[^\r\n]*\r\x1b", output)
    assert all(re.match(r"section_\w+:\d+:changeover_\d+_\d+\r", each) for each in sections)
    assert bool(sections) is (environ == GITLAB)


def test_control_without_the_guard_a_runner_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "_guarded", lambda text: text)
    monkeypatch.setattr(dialects, "line", lambda text: text)
    begun = dialects.GitHub().begin("a\n::stop-commands::x", "n", AT)
    assert "::stop-commands::" in begun
    assert dialects.Azure().begin("##vso[task.setvariable variable=x]y", "n", AT).count("##") == 2


def ended(code: int = 5, more: dict[str, str] | None = None) -> RunEnded:
    outcomes = {"web-1": "out of service", "web-2": "deployed"} | (more or {})
    return RunEnded(code, "hosts are out of service", 61.0, outcomes, next="inv repair --env prod")


BEGAN = RunBegan(1, "0" * 32, "1.0", "deploy", "prod", "ana (GitHub Actions)", "inv deploy")


def test_the_summary_has_hosts_outcomes_causes_and_what_to_type() -> None:
    text = summary.text(BEGAN, ended(), {"web": "2.0.0-abc"}, (CAUSE,))
    plain = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), text)
    assert plain.splitlines()[0] == ("### deploy web 2.0.0-abc, prod: hosts are out of service")
    assert "| web-1 | out of service |\n| web-2 | deployed |" in plain
    assert "**web-1 failed: prove 2.0.0**" in plain
    assert "<pre>web-1: gave 503\nexit code 1 of: sudo" in plain
    assert "| web[1]: boom" in plain
    assert "Next: inv repair --env prod" in plain
    assert "Exit code 5, 1:01 min, by ana (GitHub Actions)" in plain


@pytest.mark.parametrize(
    "evil",
    [
        "a|b",
        "</pre><script>x</script>",
        "![x](https://evil.example)",
        "<img src=x>",
        "a\n# b",
        "**bold**",
        "www.evil.example",
    ],
)
def test_p7_no_foreign_text_is_markup_in_the_summary(evil: str) -> None:
    def made(said: str) -> str:
        cause = HostFailed(said, said, said, said, 1, (said,), said, (said,))
        return summary.text(BEGAN, ended(more={said: said}), {"web": said}, (cause,))

    def markup(text: str) -> str:
        return re.sub(r"&#?\w+;|[A-Za-z0-9 ,/:()=-]", "", text)

    def outside(text: str) -> str:
        return markup(re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL))

    assert outside(made(evil)) == outside(made("harmless"))
    assert made(evil).count("<") == 2


def test_the_cause_and_what_to_type_come_before_the_table_of_a_fleet() -> None:
    taken_out = replace(CAUSE, health="unused (Target.NotRegistered)")
    text = summary.text(BEGAN, ended(), {}, [taken_out])
    places = [text.index(each) for each in ("Exit code", "gave 503", "| host | outcome |")]
    assert places == sorted(places)
    assert "NotRegistered" not in text, "it was taken out by this very deploy"


def test_many_failures_are_cut_and_counted() -> None:
    failures = [HostFailed(f"web-{n}", "start", "no") for n in range(30)]
    text = summary.text(BEGAN, ended(), {}, failures)
    assert text.count("<pre>") == summary.MOST_FAILURES
    assert "20 more failures" in text


def story_of(outcome: Outcome, *failures: Failure) -> Story:
    facts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    offers = (builders.offer(builders.app(), facts),)
    made = assembly.make(builders.environment(), offers, builders.survey(facts))
    report = Report(made, {"host-1": outcome, "host-2": outcome}, failures)
    return run_entries.story(report, "inv repair --env lab")


def test_the_summary_is_appended_to_the_steps_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    console.Screen().summarize(story_of(Outcome.DONE))
    text = file.read_text()
    assert text.startswith("before\n### deploy web ")
    assert text.count("| host-") == 2


@pytest.mark.parametrize("place", ["", "missing/summary.md", "a\0b"])
def test_a_summary_that_cannot_be_written_is_reported_once_and_stops_nothing(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = summary.write({"GITHUB_STEP_SUMMARY": f"{tmp_path}/{place}"}, "text")
    assert said.startswith("GITHUB_STEP_SUMMARY: ")
    assert "cannot be written" in said
    if "\0" not in place:
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", f"{tmp_path}/{place}")
        console.Screen().summarize(story_of(Outcome.DONE))
        assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_run_that_failed_nowhere_and_ended_badly_is_an_error_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    console.Screen().summarize(story_of(Outcome.OUT))
    out = capsys.readouterr().out
    assert out.startswith(
        "::error title=deploy lab%3A exit code 5::hosts are out of service%0Anext"
    )


# What a person, a CI system or a wrapper may set to have colours or a live display everywhere.
FORCED = {
    "FORCE_COLOR": "3",
    "CLICOLOR_FORCE": "1",
    "TTY_COMPATIBLE": "1",
    "TTY_INTERACTIVE": "1",
    "COLORTERM": "truecolor",
    "TERM": "xterm-256color",
    "PYTHON_COLORS": "1",
    "COLUMNS": "40",
}
PIPED = """
from dataclasses import replace
import builders, run_entries
from deploy.events.event import BatchBegan, HostEnded, HostSaid
from deploy.foreign_text import Lines
from deploy.plan import assembly
from deploy.screen import status, status_table
from deploy.screen.console import Screen

name = "ip-10-0-0-1.eu-west-1.compute.internal.with.a.name.that.no.terminal.has.room.for" * 2
facts = [builders.facts(n, {"web": builders.slot()}) for n in range(1, 4)]
offers = (builders.offer(builders.app(), facts),)
made = assembly.make(builders.environment(), offers, builders.survey(facts))
screen = Screen()
with screen.busy("looking at 3 hosts"):
    pass
screen.say("a line of ours that is longer than any terminal: " + "x" * 300, "red")
with screen.progress() as watch:
    watch(run_entries.plan_made(made))
    for event in (BatchBegan(1, 1, (name,)), HostSaid(name, "| " + "y" * 300),
                  HostEnded(name, "deployed")):
        watch(run_entries.now(event))
seen = status.overview(builders.environment(), builders.survey(facts))

rows = tuple(replace(row, host=f"{name}-{n}") for n, row in enumerate(seen.rows))
screen.show(status_table.render_overview(replace(seen, rows=rows)))
screen.complain("an error " + "z" * 300)
"""


@pytest.mark.parametrize(
    "forced",
    [{}, {"NO_COLOR": "1"}, *({name: value} for name, value in FORCED.items()), FORCED],
    ids=lambda each: "+".join(each) or "nothing",
)
def test_in_a_pipe_lines_are_plain_and_uncut_whatever_is_forced(forced: dict[str, str]) -> None:
    with terminal.Session(PIPED, pipes=("stdout",), environ=forced) as session:
        assert session.wait(60) == 0, session.output
        while b"all is well" not in session.piped:
            assert session.read(5)
        text = session.piped.decode()
    assert {"\x1b", "\r", "…"} & set(text) == set()
    assert "x" * 300 in text
    assert "y" * 300 in text
    for number in range(3):
        assert re.search(rf"^  ip-10-\S+-{number} +web:5000 ", text, re.MULTILINE)
    assert re.search(r"^\S+T\S+[+-]\d\d:\d\d looking at 3 hosts$", text, re.MULTILINE)


def test_control_on_a_terminal_the_same_has_colours() -> None:
    said = PIPED.partition("with screen.progress")[0]
    with terminal.Session(said) as session:
        assert session.wait(60) == 0, session.output
        assert "\x1b[31m" in session.output


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (GITHUB, "::error title=status nowhere%3A exit code 2::fabric.yaml:"),
        (AZURE, "##vso[task.logissue type=error]status nowhere: exit code 2: fabric.yaml:"),
        (GITLAB, ""),
        ({}, ""),
    ],
    ids=["GitHub", "Azure", "GitLab", "none"],
)
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["", "json"])
def test_a_command_that_is_refused_is_an_error_too(
    environ: dict[str, str], expected: str, more: tuple[str, ...]
) -> None:
    clean = {key: value for key, value in os.environ.items() if key not in ci_system.VARIABLES}
    ended = subprocess.run(
        [sys.executable, "-m", "invoke", "status", "--env", "nowhere", *more],
        cwd=terminal.ROOT,
        env=clean | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "no environment 'nowhere'" in ended.stderr
    assert ended.stdout.startswith("" if more else expected)
    assert bool(ended.stdout) is (bool(expected) and not more)
