"""The question before a change: asked of whoever is there, and of nobody else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace

import builders
import pytest
import run_entries

from deploy.ci_system import VARIABLES
from deploy.plan import assembly, plan
from deploy.screen import question
from lab.terminal import ROOT, Session

ASK = """
import sys, time
from deploy.commands.signals import Signals
from deploy.screen import question, streams
from deploy.screen.console import Screen
from deploy.errors import DeployError

streams.guard_program()
question.LIMIT_SECONDS = float(sys.argv[1])
screen = Screen()
try:
    with Signals(screen, "inv repair --env lab"):
        print("PLAN", flush=True)
        time.sleep(float(sys.argv[2]))
        agreed = screen.confirm("Deploy web 1.2.3-abc to prod: 12 hosts?")
    print("went ahead" if agreed else "declined")
except DeployError as error:
    print(error)
    sys.exit(error.exit_code)
"""


CROWDED = f"""
from deploy.hosts.route import open_files
open_files.allow_many()
connections = [open("/dev/null") for _ in range({question.SELECTABLE + 1})]
{ASK}
"""


def made(hosts: int, *apps: str) -> plan.Plan:
    facts = [builders.facts(n, {"web": builders.slot()}) for n in range(1, hosts + 1)]
    offers = (builders.offer(builders.app(), facts),)
    found = assembly.make(builders.environment(), offers, builders.survey(facts))
    return replace(found, releases=dict.fromkeys(apps, builders.NEW))


def asking(
    limit: str = "60", pause: str = "0", pipes: tuple[str, ...] = (), **environ: str
) -> Session:
    return Session(ASK, limit, pause, pipes=pipes, environ=environ)


def test_it_names_apps_versions_and_hosts() -> None:
    planned = run_entries.planned(made(12, "web"))
    assert question.wording(planned) == f"Deploy web {builders.NEW} to lab: 12 hosts?"
    back = replace(made(2, "web", "api"), verb="Roll back", hosts=(builders.host(),))
    new, planned = builders.NEW, run_entries.planned(back)
    assert question.wording(planned) == f"Roll back web {new}, api {new} on lab: 1 host?"


@pytest.mark.parametrize("pipes", [(), ("stdout",), ("stdin",)], ids=str)
@pytest.mark.parametrize(
    ("typed", "said"), [("y", "went ahead"), ("n", "declined"), ("", "declined")]
)
def test_it_is_asked_wherever_one_stream_is_a_terminal(
    pipes: tuple[str, ...], typed: str, said: str
) -> None:
    """Also in `inv deploy | tee log`, and with standard input from a file."""
    with asking(pipes=pipes) as session:
        session.until("Deploy web 1.2.3-abc to prod: 12 hosts? [y/N] ")
        session.type(f"{typed}\n")
        assert session.wait() == 0
        assert said in session.output + session.piped.decode()
        assert session.is_restored


def test_what_was_typed_before_does_not_count() -> None:
    with asking("60", "1") as session:
        session.until("PLAN")
        session.type("y\n")
        session.until("[y/N] ")
        session.read(0.5)
        assert "went ahead" not in session.output
        session.type("n\n")
        session.wait()
        assert "declined" in session.output


@pytest.mark.parametrize(("typed", "said"), [("y\n", "went ahead"), ("", "No answer in 1 s: no.")])
def test_it_is_asked_beside_a_thousand_connections_too(typed: str, said: str) -> None:
    """The terminal's file is then one that select() does not take."""
    with Session(CROWDED, "60" if typed else "1", "0", environ={}) as session:
        session.until("[y/N] ")
        session.type(typed)
        assert session.wait() == 0
        assert said in session.output


def test_no_answer_is_no() -> None:
    with asking("0.5") as session:
        assert session.wait() == 0
        assert "No answer in 0.5 s: no." in session.output
        assert "declined" in session.output


def test_the_limit_is_five_minutes() -> None:
    assert question.LIMIT_SECONDS == 300


def test_ctrl_c_at_the_question_changes_nothing_and_restores_the_terminal() -> None:
    with asking() as session:
        session.until("[y/N] ")
        session.type("\x03")
        assert session.wait() == 130
        assert session.is_restored
        assert "Ended; nothing was changed." in session.screen.shown
        assert "went ahead" not in session.output


@pytest.mark.parametrize("name", VARIABLES)
def test_a_ci_is_not_asked(name: str) -> None:
    assert not question.is_due({name: "true"})


def test_a_ci_with_a_terminal_goes_ahead() -> None:
    with asking(BUILDKITE="true") as session:
        assert session.wait() == 0
        assert "went ahead" in session.output
        assert "[y/N]" not in session.output


def test_a_script_without_any_terminal_goes_ahead() -> None:
    environ = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    ended = subprocess.run(
        [sys.executable, "-c", ASK, "60", "0"],
        cwd=ROOT,
        env=environ | {"PYTHONPATH": f"{ROOT}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert "went ahead" in ended.stdout


def test_a_terminal_that_cannot_be_asked_on_is_refused() -> None:
    """Standard input is a terminal, but no session has it, so that /dev/tty does not open."""
    environ = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    near, far = pty.openpty()
    ended = subprocess.run(
        [sys.executable, "-c", ASK, "60", "0"],
        cwd=ROOT,
        env=environ | {"PYTHONPATH": f"{ROOT}"},
        stdin=far,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    os.close(near)
    os.close(far)
    assert ended.returncode == 2
    assert "give --yes" in ended.stdout
    assert "went ahead" not in ended.stdout
