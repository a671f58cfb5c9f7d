"""The commands from what is typed to the exit code, on a fleet on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from deploy.cli import commands
from deploy.cli.arguments import read_settings
from deploy.cli.session import Session
from deploy.errors import BadInput, Locked
from deploy.run.report import ExitCode
from deploy.screen import question
from deploy.screen.console import Screen

if TYPE_CHECKING:
    from cli.loopback import Project

Shown = pytest.CaptureFixture[str]


def untouched(project: Project) -> bool:
    """Whether nothing was changed on a host or in AWS, and no lock was left."""
    homes = [home for host in project.hosts.values() for home in (host.root / "srv").iterdir()]
    return not (homes or project.writes() or project.locks())


def test_a_dry_run_prints_the_plan_and_takes_no_lock(project: Project, capsys: Shown) -> None:
    project.leave_lock()  # a deploy that lives or died is no reason not to look
    before = project.locks()
    assert commands.deploy(project.asked(dry_run=True), None) is ExitCode.DONE
    shown = capsys.readouterr()
    assert "looking at 3 hosts of lab" in shown.out
    assert "upload web 1.0.0" in shown.out
    assert shown.out.rstrip().endswith("Dry run: nothing was changed.")
    assert f"Settings: {project.settings}" in shown.err
    assert project.locks() == before
    for name in project.locks():
        project.hosts[name].lock.unlink()
    assert untouched(project)


def test_who_is_asked_and_says_no_changes_nothing(
    project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(text: str, limit_seconds: float) -> bool:
        asked.append((text, len(project.locks()) == len(project.hosts)))
        return limit_seconds < 1

    monkeypatch.setattr(question, "is_due", lambda _: True)
    monkeypatch.setattr(question, "ask", answer)
    assert commands.deploy(project.asked(hosts="host-1"), "1.0.0") is ExitCode.DECLINED
    ((text, is_locked),) = asked
    assert text.startswith("Deploy web 1.0.0-")
    assert text.endswith(" to lab: 1 host?")
    assert is_locked, "while one thinks, nobody else deploys"
    assert capsys.readouterr().out.rstrip().endswith("Nothing was changed.")
    assert untouched(project)


def test_what_fails_on_the_hosts_is_reported_with_its_exit_code_and_the_lock_is_released(
    project: Project, capsys: Shown
) -> None:
    """`useradd` fails on every host: before the first target is taken out."""
    assert commands.deploy(project.asked(yes=True), "1.0.0") is ExitCode.FAILED
    shown = capsys.readouterr().out
    assert "useradd: cannot lock /etc/passwd" in shown
    assert f"inv deploy --env lab --package 1.0.0 --settings {project.settings}" in shown
    assert untouched(project)


def test_a_second_deploy_is_refused_while_the_first_lives(project: Project) -> None:
    project.outlast_pauses()
    asked = project.asked(yes=True)
    loaded = read_settings(asked, Screen())
    with (
        Session(loaded, scope=asked.scope("repair")) as first,
        first.lease("repair", 0, lambda _: None),
    ):
        with pytest.raises(Locked, match=r"lab is locked: repair by .*--wait-lock 15m"):
            commands.deploy(asked, None)
        assert project.writes() == {}


def test_a_rollback_of_what_was_never_deployed_is_refused_and_releases_the_lock(
    project: Project,
) -> None:
    with pytest.raises(BadInput, match="nothing was deployed"):
        commands.roll_back(project.asked(yes=True), None)
    assert untouched(project)


def test_a_repair_of_a_fleet_that_no_deploy_touched_asks_nothing_and_changes_nothing(
    project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question, "is_due", lambda _: True)
    monkeypatch.setattr(question, "ask", lambda *_: pytest.fail("it asked"))
    assert commands.repair(project.asked()) is ExitCode.DONE
    assert "lab is as it was last deployed" in capsys.readouterr().out
    assert untouched(project)


def test_status_is_what_is_seen_for_people_and_for_scripts(project: Project, capsys: Shown) -> None:
    project.leave_lock()
    assert commands.status(project.asked(), as_json=True) is ExitCode.FAILED
    seen = json.loads(capsys.readouterr().out)
    assert [(row["host"], row["state"], row["release"]) for row in seen["hosts"]] == [
        (name, "healthy", "") for name in project.hosts
    ]
    assert (seen["well"], seen["exit_code"]) == (False, 1)
    assert "deploy by eve@ci" in seen["lock"]
    project.hosts["host-2"].sshd.stop()
    assert commands.status(project.asked(), as_json=False) is ExitCode.OUT_OF_SERVICE
    assert "no SSH connection" in capsys.readouterr().out
