"""`inv status`: one environment, all of the settings, and again and again on a terminal."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploy.commands.looking import looks, status, watching
from deploy.errors import BadInput
from deploy.hosts.lock.watch import Life
from deploy.hosts.lock.witness import Witness
from deploy.run.report import ExitCode
from deploy.settings import load
from lab.terminal import Session

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Project

Shown = pytest.CaptureFixture[str]


def with_a_broken_one(project: Project) -> None:
    """Beside `lab`, an environment whose file is missing."""
    text = project.settings.read_text()
    project.settings.write_text(f"{text}    broken: {{from: missing.yaml}}\n")


def test_of_a_holder_elsewhere_a_status_says_what_it_knows_without_waiting_for_its_death(
    project: Project, capsys: Shown
) -> None:
    project.rewrite("lock_ttl_seconds: 2", "lock_ttl_seconds: 600")
    project.leave_lock()
    began = time.monotonic()
    assert status.status(project.asked(json=True)) is ExitCode.FAILED
    assert time.monotonic() - began < 60, "its time to live is 600 s"
    shown = json.loads(capsys.readouterr().out)
    (holder,) = shown["holders"]
    assert (holder["author"], holder["life"], holder["progress"]) == ("eve@ci", None, None)
    assert 0 <= holder["silent_seconds"] < 60
    assert re.search(r", last heartbeat \d+ s ago, not yet seen to go on", shown["lock"])
    assert shown["next"].startswith("see whether that deploy lives: inv lock.status --env lab")


@pytest.mark.parametrize(
    ("life", "then"),
    [
        (Life.DEAD, "recover what the dead deploy left: inv repair --env lab"),
        (Life.ALIVE, "follow that deploy until it ends: inv watch --env lab"),
    ],
)
def test_of_a_holder_on_this_machine_it_is_known_at_once(
    project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch, life: Life, then: str
) -> None:
    """By the flock that its process holds, or held: no heartbeat is waited for."""
    monkeypatch.setattr(tempfile, "tempdir", str(project.folder))
    monkeypatch.setattr(looks, "MOST_PAUSE_SECONDS", 3600.0)
    holder = project.leave_lock()
    witness = Witness()
    witness.begin(holder.token)
    if life is Life.DEAD:  # the process is gone, and the kernel has released its flock
        os.close(witness.__dict__["_descriptor"])
    status.status(project.asked(json=True))
    shown = json.loads(capsys.readouterr().out)
    assert [each["life"] for each in shown["holders"]] == [life.value]
    assert shown["next"].startswith(then)


def test_what_one_host_alone_shows_is_not_waited_for(project: Project, capsys: Shown) -> None:
    project.leave_lock("host-1")
    assert status.status(project.asked(json=True)) is ExitCode.FAILED
    (holder,) = json.loads(capsys.readouterr().out)["holders"]
    assert (holder["life"], holder["majority"]) == (None, False)


def test_without_an_environment_all_are_shown_and_the_worst_code_counts(
    project: Project, capsys: Shown
) -> None:
    with_a_broken_one(project)
    asked = replace(project.asked(), environment="")
    assert status.status(asked) is ExitCode.BAD_INPUT
    out, err = capsys.readouterr()
    assert "lab: all serve, but not what was deployed last" in out
    assert "broken could not be looked at:\n" in err
    assert "missing.yaml does not exist" in err
    assert err.count("Settings: ") == 1


def test_without_an_environment_scripts_get_one_document(project: Project, capsys: Shown) -> None:
    with_a_broken_one(project)
    asked = replace(project.asked(json=True), environment="")
    assert status.status(asked) is ExitCode.BAD_INPUT
    body = json.loads(capsys.readouterr().out)
    assert body["exit_code"] == 2
    lab, broken = body["environments"]
    assert (lab["environment"], lab["exit_code"], len(lab["hosts"])) == ("lab", 1, 3)
    assert (broken["environment"], broken["exit_code"]) == ("broken", 2)
    assert "missing.yaml does not exist" in broken["error"]


def test_the_one_that_is_named_is_an_object_of_its_own(project: Project, capsys: Shown) -> None:
    with_a_broken_one(project)
    status.status(project.asked(json=True))
    assert json.loads(capsys.readouterr().out)["environment"] == "lab"


@pytest.mark.parametrize(("text", "names"), [("{a: {}, b: {}}", ("a", "b")), ("{}", ())])
def test_environments_are_named_in_their_order(
    text: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "fabric.yaml"
    file.write_text(f"deploy:\n  apps: {{}}\n  environments: {text}\n")
    if names:
        assert load.environments(file) == names
    else:
        with pytest.raises(BadInput, match="environments: is missing"):
            load.environments(file)


def test_watching_needs_a_terminal_and_no_json(project: Project) -> None:
    with pytest.raises(BadInput, match="--watch needs a terminal"):
        watching.status(project.asked(watch=True))
    with pytest.raises(BadInput, match="--json is for scripts"):
        watching.status(project.asked(watch=True, json=True))


# `inv status --watch` on a fleet of literals: host-2 is unhealthy until it was seen three times.
WATCH = """
import sys
import builders
from deploy.aws.targets import GONE
from deploy.cli import invoke_patch
from deploy.session import arguments, session
from deploy.commands.looking import looks, watching
from deploy.errors import DeployError
from deploy.screen import streams
from deploy.settings.scope import Scope

class Paper:
    def __init__(self, environment, *, scope, is_partial):
        self.environment, self.scope, self.count = environment, scope, 0
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def survey(self, **_):
        self.count += 1
        if self.count == FAILS:
            raise DeployError("AWS does not answer")
        health = {"host-2": builders.UNHEALTHY} if self.count < 3 else {}
        hosts = [builders.facts(n, {"web": builders.slot()}) for n in range(1, HOSTS + 1)]
        return builders.survey(hosts, health)

streams.guard_program()
invoke_patch.restore_on_signals()
FAILS, HOSTS = int(sys.argv[1]), int(sys.argv[2])
watching.SECONDS = 0.4
looks.read_settings = lambda *_: builders.environment()
session.Session = Paper
try:
    code = int(watching.status(arguments.CommandOptions("lab", watch=True)))
finally:
    invoke_patch.settle()
sys.exit(code)
"""


def test_it_is_drawn_again_until_ctrl_c_and_ends_with_the_code_of_the_last_look() -> None:
    with Session(WATCH, "0", "4") as session:
        session.until("hosts are out of service")
        session.until("all is well")
        session.until("Ctrl-C ends it")
        session.type("\x03")
        assert session.wait() == 0, session.output
        assert session.is_restored
        shown = [line for line in session.screen.rows if line.strip()]
        assert shown[-1].startswith("lab: all is well"), shown
        assert sum(line.startswith("lab: ") for line in shown) == 1, "the others were erased"
        assert not any("Traceback" in line for line in shown)


def test_a_look_that_fails_is_named_and_what_was_seen_stays() -> None:
    with Session(WATCH, "2", "4") as session:
        session.until("AWS does not answer")
        session.read(0.2)
        assert any(line.startswith("! host-2 ") for line in session.screen.shown)
        session.until("all is well")
        session.type("\x03")
        assert session.wait() == 0, session.output


def test_more_hosts_than_lines_are_counted_and_the_last_lines_stay() -> None:
    with Session(WATCH, "0", "60") as session:
        session.until("hosts are out of service")
        session.until("Ctrl-C ends it")
        session.read(0.1)
        lines = [line.rstrip() for line in session.screen.shown]
        assert any(line.startswith("! host-2 ") for line in lines), lines
        assert any("more rows" in line for line in lines)
        session.type("\x03")
        assert session.wait() in {0, 5}
        assert session.is_restored
