"""`inv history`: what the hosts remember of runs, and one of them shown again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from loopback import run

from deploy.commands import changes
from deploy.commands.records.history import history
from deploy.errors import BadInput, Unreachable
from deploy.hosts.logbook.run_record import RunRecord
from deploy.run.report import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Project

Shown = pytest.CaptureFixture[str]


def written(project: Project, host: str) -> list[Path]:
    return sorted((project.hosts[host].root / "var/lib/changeover/lab.runs").glob("*"))


def fail(project: Project, version: str = "1.0.0") -> str:
    """A deploy that fails on every host before the first drain; the run's id."""
    assert run(changes.deploy, project.asked(yes=True), version) is ExitCode.FAILED
    record = RunRecord.parse(written(project, "host-1")[-1].read_text().strip())
    assert record
    return record.run


def forget(project: Project) -> None:
    """Let this be another workstation, which has no events of these runs."""
    for path in (project.settings.parent / ".changeover/runs").glob("*/events.jsonl"):
        path.unlink()


def test_each_host_keeps_how_a_run_ended(project: Project) -> None:
    run = fail(project)
    for host in project.hosts:
        (path,) = written(project, host)
        assert path.name.endswith(f"Z-{run}.json")
        assert path.stat().st_mode & 0o077 == 0
        record = RunRecord.parse(path.read_text().strip())
        assert record
        assert (record.verb, record.exit_code) == ("deploy", 1)
        assert record.moved[0].app == "web"
        assert record.moved[0].after.startswith("1.0.0-")
        assert {name for each in record.ended for name in each.hosts} == {*project.hosts}


def test_a_dry_run_leaves_no_record(project: Project) -> None:
    assert run(changes.deploy, project.asked(dry_run=True), "1.0.0") is ExitCode.DONE
    assert written(project, "host-1") == []


def test_a_host_that_cannot_write_it_is_one_remark_and_changes_nothing_else(
    project: Project, capsys: Shown
) -> None:
    (project.hosts["host-2"].root / "var/lib/changeover/lab.runs").write_text("a file")
    assert run(changes.deploy, project.asked(yes=True), "1.0.0") is ExitCode.FAILED
    shown = capsys.readouterr().out
    assert shown.count("not all hosts have the record of this run: host-2") == 1
    assert len(written(project, "host-1")) == 1


def test_the_newest_run_is_the_first_whichever_hosts_took_part(
    project: Project, capsys: Shown
) -> None:
    project.build("1.1.0")
    first = fail(project)
    assert run(changes.deploy, project.asked(yes=True, hosts="host-3"), "1.1.0") is ExitCode.FAILED
    capsys.readouterr()
    assert history(project.asked(), None, None) is ExitCode.DONE
    header, newest, older = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["id", "ended", "by", "what"]
    assert "deploy web 1.1.0" in newest
    assert older.startswith(first[:8])
    assert all(len(line) <= 80 for line in (header, newest, older))
    assert history(project.asked(json=True), "1", None) is ExitCode.DONE
    seen = json.loads(capsys.readouterr().out)
    assert seen["environment"] == "lab"
    assert [run["apps"][0][2][:5] for run in seen["runs"]] == ["1.1.0"]


def test_a_run_whose_events_are_here_is_shown_again_as_it_was(
    project: Project, capsys: Shown
) -> None:
    run = fail(project)
    report = capsys.readouterr().out.partition("failed; the fleet is whole")
    assert history(project.asked(), None, run[:6]) is ExitCode.DONE
    again = capsys.readouterr().out
    assert "useradd: cannot lock /etc/passwd" in again
    assert report[1] in again
    assert history(project.asked(json=True), None, run) is ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    (kept,) = (project.settings.parent / ".changeover/runs").glob("*/events.jsonl")
    assert lines == kept.read_text().splitlines()


def test_elsewhere_it_is_what_the_hosts_know(project: Project, capsys: Shown) -> None:
    run = fail(project)
    forget(project)
    capsys.readouterr()
    assert history(project.asked(), None, run[:4]) is ExitCode.DONE
    shown = capsys.readouterr().out
    assert f"run       {run}" in shown
    assert "command   inv deploy --env lab --package 1.0.0" in shown
    assert "hosts     " in shown


def test_one_host_that_is_down_hides_no_run(project: Project, capsys: Shown) -> None:
    run = fail(project)
    project.hosts["host-2"].sshd.stop()
    assert history(project.asked(), None, None) is ExitCode.DONE
    shown = capsys.readouterr()
    assert run[:8] in shown.out
    assert "Not read: host-2" in shown.err


def test_where_no_host_is_there_nothing_is_known(project: Project) -> None:
    for host in project.hosts.values():
        host.sshd.stop()
    with pytest.raises(Unreachable):
        history(project.asked(), None, None)


def test_a_fleet_without_a_run_says_so(project: Project, capsys: Shown) -> None:
    assert history(project.asked(), None, None) is ExitCode.DONE
    assert "lab: its hosts remember no run." in capsys.readouterr().out


def test_lines_that_are_no_records_are_counted(project: Project, capsys: Shown) -> None:
    fail(project)
    written(project, "host-1")[0].write_text("x\n")
    assert history(project.asked(), None, None) is ExitCode.DONE
    assert "Lines on the hosts that are no records of runs: 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("last", "run", "expected"),
    [
        ("0", None, "--last 0: is no number of runs from 1 to 100"),
        ("x", None, "--last x: is no number"),
        (None, "xyz", "--run xyz: is no run's id"),
        (None, "../..", "is no run's id"),
        (None, "abc", "--run abc: no run on lab begins so, here or on its hosts"),
    ],
)
def test_p8_what_cannot_be_right_is_refused(
    project: Project, last: str | None, run: str | None, expected: str
) -> None:
    with pytest.raises(BadInput) as refused:
        history(project.asked(), last, run)
    assert expected in str(refused.value)


BROKEN = {
    "half a line in it": ('{"at": "2026-11-\n', "line 2: this is no event"),
    "another's field": (
        '{"at": "2026-11-29T11:00:00Z", "event": "lock_taken", "by": 1}\n',
        "line 2: lock_taken has no field by",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_events_file_is_named_with_its_line(project: Project, name: str) -> None:
    text, expected = BROKEN[name]
    run = fail(project)
    (kept,) = (project.settings.parent / ".changeover/runs").glob("*/events.jsonl")
    first, *rest = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join([first, text, *rest]))
    with pytest.raises(BadInput) as refused:
        history(project.asked(), None, run)
    assert f"{kept}, {expected}" in str(refused.value)
    kept.write_text("".join(rest))
    with pytest.raises(BadInput, match=r"line 1: is no `run_began`"):
        history(project.asked(), None, run)
