"""What is run once, from what is typed to the refusal, on a fleet on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from loopback import run

from deploy.commands import changes
from deploy.errors import BadInput
from deploy.hosts.once.record import OnceRecord, State
from deploy.run.report import ExitCode

if TYPE_CHECKING:
    from loopback import Project

RUN = "ab" * 16
Shown = pytest.CaptureFixture[str]


@pytest.fixture
def migrating(project: Project) -> Project:
    project.rewrite(
        "      ports: [5000]\n", "      ports: [5000]\n      run_once: ./web --migrate\n"
    )
    return project


def leave(project: Project, capsys: Shown, state: State, *names: str) -> None:
    """Leave records on hosts, as a deploy that was killed leaves them."""
    assert run(changes.deploy, project.asked(dry_run=True), "1.0.0") is ExitCode.DONE
    release = next(word for word in capsys.readouterr().out.split() if word.startswith("1.0.0-"))
    record = OnceRecord(state, RUN, "host-1", "2026-11-29T12:00:00+00:00", "eve@ci")
    for name in names:
        folder = project.hosts[name].lock.with_suffix(".once")
        folder.mkdir()
        (folder / f"web.{release}").write_text(record.as_line())


def looked(project: Project, capsys: Shown, answer: str | None = None) -> str:
    asked = project.asked(dry_run=True)
    assert run(changes.deploy, asked, "1.0.0", answer) is ExitCode.DONE
    return " ".join(capsys.readouterr().out.split())


def test_p6_a_dry_run_lists_it(migrating: Project, capsys: Shown) -> None:
    said = looked(migrating, capsys)
    assert "When that is done, on host-1: run `./web --migrate` of web 1.0.0-" in said


def test_p4_any_workstation_finds_one_that_was_started_and_asks(
    migrating: Project, capsys: Shown
) -> None:
    leave(migrating, capsys, State.STARTED, "host-1", "host-2")
    for asked in (migrating.asked(dry_run=True), migrating.asked(yes=True)):
        with pytest.raises(BadInput) as caught:
            run(changes.deploy, asked, "1.0.0")
        said = str(caught.value)
        assert "started by eve@ci at 2026-11-29T12:00:00+00:00" in said
        assert "its host no longer knows how it ended" in said
        settings = f"--settings {migrating.settings}"
        assert f"inv deploy --env lab --package 1.0.0 --run-once again {settings}" in said
    assert not migrating.locks()
    assert not migrating.writes()
    assert "needs no run" in looked(migrating, capsys, "skip")
    assert "run `./web --migrate`" in looked(migrating, capsys, "again")


def test_one_that_is_done_is_not_run_again(migrating: Project, capsys: Shown) -> None:
    leave(migrating, capsys, State.DONE, "host-1", "host-3")
    said = looked(migrating, capsys)
    assert "Note: web: `./web --migrate` is not run for 1.0.0-" in said
    assert "done by eve@ci" in said


def test_p12_one_host_that_shows_a_record_changes_nothing(
    migrating: Project, capsys: Shown
) -> None:
    leave(migrating, capsys, State.DONE, "host-2")
    assert "run `./web --migrate` of web 1.0.0-" in looked(migrating, capsys)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("yes", "--run-once yes: write again or skip"),
        ("skip", "--run-once skip: no app of this deploy has `run_once:`; leave it out"),
    ],
)
def test_p8_an_answer_that_is_none_is_refused(project: Project, answer: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        run(changes.deploy, project.asked(dry_run=True), "1.0.0", answer)
