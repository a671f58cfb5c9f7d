"""The commands from what is typed to the exit code, on a fleet on this machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from loopback import run
from observe.test_findings import SEEN

from deploy.commands import changes, observation, pipeline
from deploy.commands.looking import status
from deploy.errors import BadInput, Locked, NotAllowed
from deploy.events import file, text
from deploy.events.event import HostFailed, RunBegan, RunEnded
from deploy.events.planned import PlanMade
from deploy.package import manifest
from deploy.package.manifest import File
from deploy.run.report import ExitCode
from deploy.screen import question
from deploy.screen.console import Screen
from deploy.session.arguments import CommandOptions, read_settings
from deploy.session.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from loopback import Project

    from deploy.commands.rollout import Rollout

Shown = pytest.CaptureFixture[str]


def untouched(project: Project, *, may_ask: bool = False) -> bool:
    """Whether nothing was changed on a host or in AWS, and no lock was left.

    may_ask: whether it may have asked, with a target that cannot exist, if it may register.
    """
    homes = [home for host in project.hosts.values() for home in (host.root / "srv").iterdir()]
    writes = project.writes()
    if may_ask:
        writes.pop("RegisterTargets", None)
    return not (homes or writes or project.locks())


def test_a_dry_run_prints_the_plan_and_takes_no_lock(project: Project, capsys: Shown) -> None:
    project.leave_lock()  # a deploy that lives or died is no reason not to look
    before = project.locks()
    assert run(changes.deploy, project.asked(dry_run=True), None) is ExitCode.DONE
    shown = capsys.readouterr()
    assert "looking at 3 hosts of lab" in shown.out
    assert "web: prepare, upload, verify the unit" in shown.out
    assert shown.out.rstrip().endswith("Dry run: nothing was changed.")
    assert f"Settings: {project.settings}" in shown.err
    assert project.locks() == before
    for name in project.locks():
        project.hosts[name].lock.unlink()
    assert untouched(project)


def test_every_step_is_listed_where_that_is_asked_for(project: Project, capsys: Shown) -> None:
    assert run(changes.deploy, project.asked(dry_run=True, full=True), "1.0.0") is ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    for name in project.hosts:
        assert any(line.startswith(f"  {name}: upload web 1.0.0-") for line in lines)
    assert untouched(project)


def left_there(project: Project) -> str:
    """A release in the slot of each host, with its manifest and its unit; the release's id."""
    release = "0.9.0-aaaaaaaaaaaa"
    files = [File(name, "0" * 64, 3, executable=False) for name in ("web", "gone.txt")]
    for host in project.hosts.values():
        home = host.root / "srv/web"
        for folder in ("records/manifests", f"releases/{release}", "slots"):
            (home / folder).mkdir(parents=True)
        (home / "slots/5000").symlink_to(f"../releases/{release}")
        (home / "releases" / release / "gone.txt").write_text("abc")
        (home / "records/manifests" / release).write_text(manifest.write(files, "0" * 64))
        unit = host.root / "etc/systemd/system/web@5000.service"
        unit.write_text("[Service]\nNice=5\nEnvironment=TOKEN=s3cret\n")
    return release


def test_p7_the_plan_shows_what_changes_and_no_value_of_a_variable(
    project: Project, capsys: Shown
) -> None:
    """By what lies on the hosts, read over SSH."""
    old = left_there(project)
    assert run(changes.deploy, project.asked(dry_run=True), "1.0.0") is ExitCode.DONE
    folded = capsys.readouterr().out
    assert f"web  {old} → 1.0.0-" in folded
    assert "1 file changed (18 bytes), 1 file removed (3 bytes)" in folded
    assert "lines differ (--full shows them)" in folded
    assert run(changes.deploy, project.asked(dry_run=True, full=True), "1.0.0") is ExitCode.DONE
    full = capsys.readouterr().out
    assert {"-Nice=5", "-Environment=TOKEN=…"} <= {*full.splitlines()}
    assert "s3cret" not in folded + full


class Terminal(Screen):
    """A screen that a person sees."""

    def __init__(self, *, is_json: bool = False, is_quiet: bool = False) -> None:
        super().__init__(is_json=is_json, is_quiet=is_quiet)
        self.is_terminal = True


@pytest.mark.parametrize(("full", "as_json"), [(True, False), (False, False), (True, True)])
def test_p7_a_persons_own_terminal_shows_values_where_that_is_asked_for(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Shown, *, full: bool, as_json: bool
) -> None:
    """The event has none of them, also there."""
    left_there(project)
    monkeypatch.setattr(pipeline, "Screen", Terminal)
    asked = project.asked(dry_run=True, full=full, json=as_json)
    assert run(changes.deploy, asked, "1.0.0") is ExitCode.DONE
    assert ("-Environment=TOKEN=s3cret" in capsys.readouterr().out) is (full and not as_json)


def test_who_is_asked_and_says_no_changes_nothing(
    project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(text: str, limit_seconds: float) -> bool:
        asked.append((text, len(project.locks()) == len(project.hosts)))
        return limit_seconds < 1

    monkeypatch.setattr(question, "is_due", lambda _: True)
    monkeypatch.setattr(question, "ask", answer)
    assert run(changes.deploy, project.asked(hosts="host-1"), "1.0.0") is ExitCode.DECLINED
    ((text, is_locked),) = asked
    assert text.startswith("Deploy web 1.0.0-")
    assert text.endswith(" to lab: 1 host?")
    assert is_locked, "while one thinks, nobody else deploys"
    assert capsys.readouterr().out.rstrip().endswith("Nothing was changed.")
    assert untouched(project)


def test_a_plan_that_the_credentials_do_not_last_for_is_refused_before_the_question(
    project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --yes the batches run that there is time for, and a dry run only looks."""
    ends = datetime.now(UTC) + timedelta(minutes=1)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "lab")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", ends.isoformat())
    monkeypatch.setattr(question, "is_due", lambda _: True)
    monkeypatch.setattr(question, "ask", lambda *_: pytest.fail("it asked"))
    with pytest.raises(
        BadInput, match=r"the AWS credentials end in 1 min, and the plan may need them"
    ):
        run(changes.deploy, project.asked(hosts="host-1"), "1.0.0")
    assert "web: prepare, upload, verify the unit" in capsys.readouterr().out, (
        "the plan comes first"
    )
    assert untouched(project)
    assert run(changes.deploy, project.asked(dry_run=True), "1.0.0") is ExitCode.DONE
    assert run(changes.deploy, project.asked(yes=True), "1.0.0") is ExitCode.FAILED
    assert "useradd: cannot lock /etc/passwd" in capsys.readouterr().out, "it began"


def test_a_token_whose_end_is_not_known_is_a_line_of_the_plan(
    project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "lab")
    assert run(changes.deploy, project.asked(dry_run=True), "1.0.0") is ExitCode.DONE
    assert "it is not known when the AWS session token ends" in capsys.readouterr().out


def test_what_fails_on_the_hosts_is_reported_with_its_exit_code_and_the_lock_is_released(
    project: Project, capsys: Shown
) -> None:
    """`useradd` fails on every host: before the first target is taken out."""
    assert run(changes.deploy, project.asked(yes=True), "1.0.0") is ExitCode.FAILED
    shown = capsys.readouterr().out
    assert "useradd: cannot lock /etc/passwd" in shown
    assert f"inv deploy --env lab --package 1.0.0 --settings {project.settings}" in shown
    assert untouched(project, may_ask=True)


def test_p10_where_hosts_could_not_be_put_in_again_the_first_one_stays_in(
    project: Project, capsys: Shown
) -> None:
    project.account.knobs.update({"denied": ["RegisterTargets"]})
    with pytest.raises(NotAllowed, match=r"register_targets.*not allowed"):
        run(changes.deploy, project.asked(yes=True), "1.0.0")
    assert "useradd" not in capsys.readouterr().out, "nothing began"
    assert untouched(project, may_ask=True)


def test_for_a_script_there_are_events_alone_the_same_as_in_the_runs_file(
    project: Project, capsys: Shown
) -> None:
    runs = project.settings.parent / ".changeover" / "runs"
    assert run(changes.deploy, project.asked(yes=True, json=True), "1.0.0") is ExitCode.FAILED
    lines = capsys.readouterr().out.splitlines()
    (kept,) = runs.glob("*/events.jsonl")
    assert kept.read_text().splitlines() == lines
    events = [entry.event for entry in file.load(kept)]
    assert [type(each) for each in events[:2]] == [RunBegan, PlanMade]
    assert isinstance(events[-1], RunEnded)
    assert events[-1].exit_code == ExitCode.FAILED
    failed = [each for each in events if isinstance(each, HostFailed)]
    assert {each.host for each in failed} == {*project.hosts}
    assert all("useradd: cannot lock /etc/passwd" in each.error for each in failed)


def test_a_dry_run_for_a_script_is_the_plan_alone(project: Project, capsys: Shown) -> None:
    assert run(changes.deploy, project.asked(dry_run=True, json=True), "1.0.0") is ExitCode.DONE
    (line,) = capsys.readouterr().out.splitlines()
    plan = text.parse(line, "standard output").event
    assert isinstance(plan, PlanMade)
    assert plan.hosts == (*project.hosts,)
    (change,) = plan.changes
    assert (change.app, change.hosts, change.before) == ("web", plan.hosts, "")
    assert change.after.startswith("1.0.0-")
    assert change.is_sent
    assert not (project.settings.parent / ".changeover").exists()


def test_a_second_deploy_is_refused_while_the_first_lives(project: Project) -> None:
    project.outlast_pauses()
    asked = project.asked(yes=True)
    loaded = read_settings(asked, Screen())
    with (
        Session(loaded, scope=asked.scope("repair")) as first,
        first.lease("repair", 0, lambda _: None),
    ):
        with pytest.raises(Locked, match=r"lab is locked: repair by .*--wait-lock 15m"):
            run(changes.deploy, asked, None)
        assert project.writes() == {}


def test_a_rollback_of_what_was_never_deployed_is_refused_and_releases_the_lock(
    project: Project,
) -> None:
    with pytest.raises(BadInput, match="nothing was deployed"):
        run(changes.roll_back, project.asked(yes=True), None)
    assert untouched(project)


def test_a_repair_of_a_fleet_that_no_deploy_touched_asks_nothing_and_changes_nothing(
    project: Project, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question, "is_due", lambda _: True)
    monkeypatch.setattr(question, "ask", lambda *_: pytest.fail("it asked"))
    assert run(changes.repair, project.asked()) is ExitCode.DONE
    assert "lab is as it was last deployed" in capsys.readouterr().out
    assert untouched(project)


def test_status_is_what_is_seen_for_people_and_for_scripts(project: Project, capsys: Shown) -> None:
    project.leave_lock()
    assert status.status(project.asked(json=True)) is ExitCode.FAILED
    seen = json.loads(capsys.readouterr().out)
    assert [(row["host"], row["state"], row["release"]) for row in seen["hosts"]] == [
        (name, "healthy", "") for name in project.hosts
    ]
    assert (seen["well"], seen["exit_code"]) == (False, 1)
    assert "deploy by eve@ci" in seen["lock"]
    project.hosts["host-2"].sshd.stop()
    assert status.status(project.asked()) is ExitCode.OUT_OF_SERVICE
    assert "no SSH connection" in capsys.readouterr().out


REFUSED = {
    "several hosts": ("host-1,host-2", None, "names several hosts"),
    "another file": ("host-1", "fabric.yaml", "is there, and is no trace"),
    "no folder": ("host-1", "nowhere/trace.json", "there is no folder"),
    "a host that serves nothing of ours": ("host-1", None, "only a host that serves what was"),
    "a host that is none": ("host-9", None, "no host 'host-9' in this environment"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_observed_is_refused(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    host, file, expected = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fabric.yaml").touch()
    with pytest.raises(BadInput, match=expected):
        run(changes.observe, project.asked(yes=True), host, file)
    assert untouched(project)


@pytest.mark.parametrize("breaks", [False, True])
def test_what_was_measured_is_shown_and_written_and_hides_no_report(
    tmp_path: Path, capsys: Shown, *, breaks: bool
) -> None:
    file = tmp_path / "trace.json"
    change = changes.observe(CommandOptions("lab"), "host-1", str(file))
    assert (change.asked.hosts, change.scope.again()) == (
        "host-1",
        f"inv observe --env lab --host host-1 --trace {file}",
    )
    opened = SimpleNamespace(
        fleet=lambda: SimpleNamespace(observations=[SEEN, SEEN]),
        environment=builders.environment(),
        groups={"web": (builders.group(),)} if not breaks else {},
        everyone=dict.fromkeys(("host-1", "host-2")),
    )
    report = object()
    rollout = SimpleNamespace(opened=opened, run=lambda *_: report, screen=Screen())
    assert change.execute(cast("Any", rollout), cast("Any", None)) is report
    shown = capsys.readouterr()
    if breaks:
        assert "showing what was measured" in shown.err
        return
    assert "A deploy to all 2 hosts waits about" in shown.out
    assert json.loads(file.read_text())["rounds"][0]["arrivals"] == SEEN.arrivals
    assert changes.observe(CommandOptions("lab"), "host-1", str(file)), "a trace is replaced"


def test_a_trace_that_cannot_be_written_is_said(tmp_path: Path, capsys: Shown) -> None:
    opened = SimpleNamespace(
        environment=builders.environment(),
        groups={"web": (builders.group(),)},
        everyone={"host-1": None},
    )
    rollout = SimpleNamespace(opened=opened, screen=Screen())
    observation.show(cast("Rollout", rollout), [SEEN], tmp_path)
    assert "could not be written: Is a directory" in " ".join(capsys.readouterr().out.split())


def test_p10_what_else_sends_requests_to_a_host_is_refused_for_an_observation_too(
    tmp_path: Path,
) -> None:
    change = changes.observe(CommandOptions("lab"), "host-1", str(tmp_path / "trace.json"))
    opened = SimpleNamespace(
        survey=lambda **_: None,
        vetted=lambda seen, **_: (seen, {"host-1": ("another group sends requests too",)}),
    )
    with pytest.raises(BadInput, match="host-1: another group sends requests too"):
        change.make(cast("Any", opened))


def test_an_observation_that_measured_nothing_writes_nothing(tmp_path: Path, capsys: Shown) -> None:
    file = tmp_path / "trace.json"
    change = changes.observe(CommandOptions("lab"), "host-1", str(file))
    opened = SimpleNamespace(fleet=lambda: SimpleNamespace(observations=[]))
    rollout = SimpleNamespace(opened=opened, run=lambda *_: "a report")
    ended: Any = change.execute(cast("Any", rollout), cast("Any", None))
    assert ended == "a report"
    assert capsys.readouterr().out == ""
    assert not file.exists()


def test_what_was_never_deployed_is_not_restarted(project: Project) -> None:
    with pytest.raises(BadInput, match="web was never deployed here; deploy it first"):
        run(changes.restart, project.asked(yes=True))
    assert untouched(project)
