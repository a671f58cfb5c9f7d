"""The question about a failed host, on a real terminal: its evidence, its answers, its ends."""

from __future__ import annotations

import os
import signal
import time

import pytest

from deploy.events.event import Entry, Event, HostFailed, RunEnded
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.events.recovery import RecoveryBegan
from deploy.page import summary
from deploy.page.timeline import timeline
from deploy.recovery.answers.choices import Answer
from deploy.screen.log_lines import LogLines
from deploy.screen.question import BACKGROUND, CLOSED, choose
from deploy.screen.run import report
from deploy.screen.run.failures import CHOICES, Failures, question
from deploy.screen.run.line import plain
from deploy.screen.run.state import RunState
from deploy.screen.run.story import Story
from lab.terminal import Session
from screen.paper_run import AT, PaperRun, names

# A run on paper until a host of it failed and is back; then the question, and the run goes on.
ASK = """
import os, sys, threading, time
from deploy.events.event import Entry
from deploy.events.question import QuestionAnswered
from deploy.screen import streams
from deploy.screen.console import Screen
from screen.paper_run import AT, PaperRun, names
from screen.test_choice import asked

streams.guard_program()
run = PaperRun(names(12), failing=frozenset({"web-3"}))
screen, over = Screen(), threading.Event()
if len(sys.argv) > 2:
    exec(sys.argv[2])
with screen.progress() as watch:
    for entry in run.entries():
        if entry.at - AT > 140:
            break
        watch(entry)
    watch._now = lambda: AT + 140
    time.sleep(0.3)
    question = asked(float(sys.argv[1]))
    watch(Entry(AT + 140, question))
    choice = screen.choose(question, over.is_set)
    watch(Entry(AT + 141, QuestionAnswered("web-3", choice.word or "stop", "ana@laptop")))
    time.sleep(0.6)
screen.say(f"chosen: {choice.word or '-'} {choice.why}")
"""


def asked(seconds: float = 1800.0, *options: str) -> QuestionAsked:
    return QuestionAsked(
        "web-3",
        "prove 2.0.0-bbbbbbbbbbbb: GET :5000/health gives 200, then up 5 s",
        "web-3: web@5000.service ended and was restarted by systemd: it does not stay up",
        1,
        (
            "2026-11-29T23:04:04+0000 web-3 web[660]: Unhandled exception. "
            "System.InvalidOperationException: no connection string 'orders'",
        ),
        "unused (Target.NotRegistered)",
        "back on what it ran",
        "12 of 12 (minimum 11)",
        options or tuple(Answer),
        seconds,
        "stop",
    )


def test_the_question_fits_a_terminal_and_has_all_that_it_is_decided_by() -> None:
    lines = [plain(each) for each in question(asked())][1:]
    assert lines[0].startswith(
        "web-3 failed: prove 2.0.0-bbbbbbbbbbbb: GET :5000/health gives 200, "
    )
    assert lines[1] == "  web@5000.service ended and was restarted by systemd: it does not stay up"
    assert lines[2] == "  exit code 1"
    assert "no connection string 'orders'" in lines[3]
    assert lines[4] == "  it is back on what it ran; in service: 12 of 12 (minimum 11)"
    assert lines[6] == "  r  retry      its steps again, with the same release"
    assert lines[-1] == "No answer within 30 minutes means: stop."
    assert all(len(each) <= 80 for each in lines[4:])


@pytest.mark.parametrize("answer", Answer)
def test_each_answer_has_a_letter_of_its_own(answer: Answer) -> None:
    letter, meaning = CHOICES[answer]
    assert [*CHOICES.values()].count((letter, meaning)) == 1
    assert len({key for key, _ in CHOICES.values()}) == len(CHOICES)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("r", "retry"), ("Retry", "retry"), ("leave out", "leave-out"), ("l", "leave-out")],
)
def test_a_letter_or_the_word_is_typed_and_the_table_comes_back(typed: str, answer: str) -> None:
    with Session(ASK, "60") as session:
        session.until("web-3: r, p, l, s, b? ")
        shown = "\n".join(session.screen.shown)
        assert "web-4" not in shown, "the table makes place for the question"
        assert "in service: 12 of 12 (minimum 11)" in shown
        before = len(session.output)
        session.type(f"{typed}\n")
        assert session.wait() == 0
        assert "web-4" in session.output[before:], "the table is drawn again"
        assert session.is_restored
        text = "\n".join(session.screen.rows)
        assert f"web-3: {answer}, decided by ana@laptop" in text
        assert f"chosen: {answer}" in text
        assert "no connection string 'orders'" in text.replace("\n", ""), "the evidence stays"


def test_what_is_no_answer_is_asked_again_and_what_was_typed_before_does_not_count() -> None:
    with Session(ASK, "60", "time.sleep(0.5)") as session:
        session.type("r\n")
        session.until("web-3: r, p, l, s, b? ")
        for typed in ("\n", "x\n", "y\n"):
            session.output = ""
            session.type(typed)
            session.until("web-3: r, p, l, s, b? ")
        session.type("s\n")
        assert session.wait() == 0
        assert "chosen: stop" in session.output


def test_without_an_answer_in_time_there_is_none() -> None:
    with Session(ASK, "0.5") as session:
        assert session.wait() == 0
        assert "chosen: - no answer within 0.5 s" in session.output
        assert session.is_restored


def test_it_ends_when_the_run_does() -> None:
    """As after Ctrl-C, whose handler asks for an end, and where the lock is lost."""
    ends = "looks = iter(range(6)); over.is_set = lambda: next(looks, None) is None"
    with Session(ASK, "60", ends) as session:
        session.until("web-3: r, p, l, s, b? ")
        assert session.wait() == 0
        assert "chosen: - " in session.output
        assert session.is_restored


def test_ctrl_d_is_no_answer() -> None:
    with Session(ASK, "60") as session:
        session.until("web-3: r, p, l, s, b? ")
        session.type("\x04")
        assert session.wait() == 0
        assert f"chosen: - {CLOSED}" in session.output


def test_a_command_in_the_background_is_not_stopped_by_its_question() -> None:
    """Reading the terminal from there would stop the process, with the lock in its hands."""
    leave = "os.fork() and (time.sleep(9), os._exit(0)); os.setpgid(0, 0)"
    with Session(ASK, "60", leave) as session:
        session.until(f"chosen: - {BACKGROUND}", 10)


def test_a_terminal_that_is_gone_gives_no_answer() -> None:
    began = time.monotonic()
    assert choose("web-3", {"r": "retry"}, 60, lambda: False, "/dev/null/none").why == CLOSED
    assert choose("web-3", {"r": "retry"}, 60, lambda: False, os.devnull).why == CLOSED
    assert time.monotonic() - began < 5


def failed(undone: tuple[str, ...] = ()) -> HostFailed:
    return HostFailed("web-3", "prove", "web-3: no", undone=undone)


def test_a_host_that_fails_again_after_a_retry_is_shown_again() -> None:
    failures = Failures(tolerated=0, batches=3)
    began = RecoveryBegan("web-3", "prove", "web-3: no")
    events: list[Event] = [
        began,
        failed(),
        QuestionAnswered("web-3", "retry", "ana"),
        began,
        failed(),
    ]
    shown = [plain(line) for event in events for line in failures(Entry(0.0, event))]
    assert shown.count("web-3 failed: prove") == 2
    assert shown.count("No further batch begins; hosts that have begun finish.") == 2
    assert "web-3: retry, decided by ana" in shown


def test_a_log_has_both_failures_and_the_answer_between_them() -> None:
    said: list[str] = []
    log = LogLines(said.append)
    for event in (failed(), QuestionAnswered("web-3", "retry", "--on-failure retry"), failed()):
        log(Entry(0.0, event))
    texts = [line.partition(" ")[2] for line in said]
    assert texts == [
        "web-3: prove: FAILED: no",
        "web-3: retry, decided by --on-failure retry",
        "web-3: prove: FAILED: no",
    ]


def test_a_run_that_is_killed_at_its_question_ends_at_once() -> None:
    with Session(ASK, "60") as session:
        session.until("web-3: r, p, l, s, b? ")
        os.kill(session.pid, signal.SIGTERM)
        assert session.wait(5) == 128 + signal.SIGTERM


def test_hostile_text_of_a_host_stays_text() -> None:
    evil = "\x1b[2J::error::x\n"
    options = (evil, "retry")
    lines = question(
        QuestionAsked(evil, evil, evil, 1, (evil,), evil, evil, evil, options, 5.0, evil, evil)
    )
    assert not any("\x1b" in plain(each) or "\n" in plain(each) for each in lines)


def heard(answer: str) -> list[Entry]:
    """A run on paper until its host has failed and is back; then what was decided about it."""
    run = PaperRun(names(12), failing=frozenset({"web-3"}))
    entries = [entry for entry in run.entries() if not isinstance(entry.event, RunEnded)]
    return [*entries, Entry(entries[-1].at, QuestionAnswered("web-3", answer, "ana@laptop"))]


@pytest.mark.parametrize(
    ("answer", "failed", "is_over"),
    [
        ("retry", set[str](), False),
        ("leave-out", {"web-3"}, False),
        ("put-back", {"web-3"}, False),
        ("stop", {"web-3"}, True),
        ("rollback", {"web-3"}, True),
        ("", {"web-3"}, True),
    ],
)
def test_the_screen_hears_whether_more_begins(answer: str, failed: set[str], is_over: bool) -> None:
    state = RunState()
    for entry in heard(answer):
        state(entry)
    assert (state.failed, state.is_over_limit) == (failed, is_over)
    assert state.schedule.is_ending == is_over
    assert bool(state.hosts["web-3"].failure) == bool(failed)


@pytest.mark.parametrize(("answer", "failures"), [("retry", 0), ("leave-out", 1), ("stop", 1)])
def test_report_and_page_have_what_was_decided_and_no_failure_that_was_overcome(
    answer: str, failures: int
) -> None:
    story = Story()
    for entry in heard(answer):
        story(entry)
    assert len(story.failures) == failures
    story(Entry(AT + 900, RunEnded(0, "done", 9.0, {"web-3": "deployed"})))
    decided = f"web-3: {answer}, decided by ana@laptop"
    assert decided in [plain(line) for line in report.lines(story)]
    assert decided in summary.notes(story, timeline(heard(answer)))
