"""What a command works with: verified before anything is changed, closed as one."""

from __future__ import annotations

import getpass
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deploy.aws.api import sessions
from deploy.aws.targets import Health, State, Target
from deploy.checkup import packages
from deploy.clock import CLOCK
from deploy.errors import BadInput, Locked, LockLost, Unreachable
from deploy.hosts import records
from deploy.screen.console import Screen
from deploy.session import scaling
from deploy.session.arguments import read_settings
from deploy.session.session import Session
from lab.project import until

if TYPE_CHECKING:
    from loopback import Project

    from deploy.aws.api.lifetime import Lifetime

PATIENCE_SECONDS = 20.0


def session(project: Project, **options: Any) -> Session:
    """A session of `inv deploy`, not opened yet."""
    asked = project.asked()
    return Session(read_settings(asked, Screen()), scope=asked.scope("deploy"), **options)


def silent(_: str) -> None:
    """Hear nothing of what the lock waits for."""


def test_an_open_session_knows_account_groups_and_every_host(project: Project) -> None:
    with session(project, only=("host-1", "host-2"), skip=("host-2",)) as opened:
        assert opened.caller.startswith("arn:aws:")
        assert [group.port for group in opened.groups["web"]] == [5000]
        assert [host.name for host in opened.hosts] == ["host-1"]
        assert opened.hosts[0].instance_id == project.account.instances["changeover-test-host-1"]
        assert set(opened.remotes) == {"host-1"}
        assert set(opened.everyone) == set(project.hosts), "the lock needs each of them"


def test_a_closed_session_leaves_neither_connections_nor_files(project: Project) -> None:
    with session(project) as opened:
        assert opened.workspace.is_dir()
        assert not opened.survey().unreachable
        connections = [host.sshd.open_connections for host in project.hosts.values()]
        assert connections == [1, 1, 1]
    assert not opened.workspace.exists()
    hosts = project.hosts.values()
    until("closed", lambda: not any(h.sshd.open_connections for h in hosts), PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("target_group: web-lab", "target_group: nowhere", "'nowhere' does not exist in region"),
        ("target_group: web-lab", "target_group: orphan-lab", "belongs to no load balancer"),
        (
            "target_group: web-lab",
            "target_group: grpc-lab\n      health: {expect: '200'}",
            "`health: expect:` does not fit target group grpc-lab of version GRPC",
        ),
        ("Environment: lab", "Environment: stage", "no running EC2 instance in region eu-west-1"),
        ("key_files: [key]", "key_files: [other]", "other does not exist"),
        ("load_ssh_configs", "load_ssh_config", "is no key of Fabric's"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_changed(
    before: str, after: str, said: str, project: Project
) -> None:
    project.rewrite(before, after)
    with pytest.raises(BadInput, match=said), session(project):
        pytest.fail("it opened")
    assert project.writes() == {}
    assert project.locks() == {}
    hosts = project.hosts.values()
    until("closed", lambda: not any(h.sshd.open_connections for h in hosts), PATIENCE_SECONDS)


def test_p10_one_group_under_two_names_is_refused(project: Project) -> None:
    elb = project.account.client("elbv2")
    arn = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"][0]["TargetGroupArn"]
    project.rewrite("target_group: web-lab", f"target_groups: [web-lab, '{arn}']")
    said = rf"target group web-lab stands there twice: as 'web-lab' of app web and as '{arn}'"
    with pytest.raises(BadInput, match=said), session(project):
        pytest.fail("it opened")


def test_credentials_that_aws_refuses_are_reported_before_anything_else(project: Project) -> None:
    project.account.knobs.update({"api_error": "InvalidClientTokenId"})
    project.rewrite("target_group: web-lab", "target_group: nowhere")
    with pytest.raises(BadInput, match=r"sts.get_caller_identity"), session(project):
        pytest.fail("it opened")


def test_a_code_is_asked_for_in_the_main_thread_before_anything_else_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`getpass` reads the terminal, which a screen shares and other threads would fill."""
    seen: list[tuple[threading.Thread, bool]] = []
    before = sessions.log_in

    def note(*given: Any) -> Lifetime:
        seen.append((threading.current_thread(), project.account.calls.counts() == {}))
        return before(*given)

    monkeypatch.setattr(sessions, "log_in", note)
    project.account.calls.clear()
    with session(project):
        assert seen == [(threading.main_thread(), True)]


def test_the_seconds_are_counted_to_the_end_that_the_credentials_state(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session(project) as opened:
        assert opened.seconds_left is None
        assert opened.fleet().credentials_end is None
    ends = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "lab")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", ends.isoformat())
    with session(project) as opened:
        left = opened.seconds_left
        assert left is not None
        assert 3600 - PATIENCE_SECONDS < left < 3600
        by_clock = opened.fleet().credentials_end
        assert by_clock is not None
        assert 3600 - PATIENCE_SECONDS < by_clock - CLOCK.monotonic() < 3600


def test_the_lock_guards_every_change_until_it_is_released(project: Project) -> None:
    project.outlast_pauses()
    with session(project) as opened:
        with opened.lease("deploy", 0, silent) as lease:
            assert all(remote.guard is lease for remote in opened.remotes.values())
            assert set(project.locks()) == set(project.hosts)
            with session(project) as second, pytest.raises(Locked, match="deploy by"):
                second.lease("deploy", 0, silent).__enter__()
            lease.confirm()
        assert project.locks() == {}


def test_a_deploy_whose_lock_another_took_over_writes_no_more_to_aws(project: Project) -> None:
    lost = threading.Event()
    with session(project) as opened, opened.lease("deploy", 0, silent) as lease:
        lease.when_lost(lost.set)
        other = project.leave_lock()
        assert lost.wait(PATIENCE_SECONDS)
        (group,) = opened.groups["web"]
        targets = opened.balancer.health(group).keys()
        with pytest.raises(LockLost, match="another deploy took lab over"):
            opened.balancer.deregister(group, targets)
        assert opened.balancer.health(group).keys() == targets
        assert "DeregisterTargets" not in project.writes()
    assert set(project.locks().values()) == {f"{other.as_line()}\n"}, "what is another's stays"


def test_a_lock_that_too_few_hosts_can_hold_says_of_each_host_what_is_wrong(
    project: Project,
) -> None:
    for name in ("host-1", "host-2"):
        project.hosts[name].sshd.stop()
    with session(project) as opened, pytest.raises(BadInput) as refused:
        opened.lease("deploy", 0, silent).__enter__()
    (line,) = str(refused.value).splitlines()
    assert line.startswith("2 hosts (host-1, host-2): no SSH connection on port")
    assert project.locks() == {}, "what was taken on host-3 is given back"


def test_hosts_that_can_be_read_but_not_locked_are_the_locks_own_error(project: Project) -> None:
    for name in ("host-1", "host-2"):
        project.hosts[name].program("flock", "#!/bin/sh\nexit 9\n")
    with session(project) as opened, pytest.raises(Unreachable):
        opened.lease("deploy", 0, silent).__enter__()


def test_one_package_for_several_apps_is_refused(project: Project) -> None:
    with session(project) as opened:
        web = opened.environment.apps[0]
        admin = web.model_copy(
            update={"name": "admin", "ports": (5100,), "target_group": "admin-lab"}
        )
        opened.environment = opened.environment.model_copy(update={"apps": (web, admin)})
        with pytest.raises(BadInput, match=r"--package is for one app: .*\(web, admin\)"):
            packages.opened(opened.environment, "1.0.0", opened.workspace)


def test_hosts_and_package_are_looked_at_together_and_make_a_plan(project: Project) -> None:
    project.build("1.1.0")
    with session(project) as opened:
        seen, packages = opened.look(None, settled=False)
        plan = opened.plan(seen, packages, is_default=True, allow_downtime=False)
        (package,) = packages
        assert package.package.release.version == "1.1.0"
        assert package.words == ("web", "--port", "{port}")
        assert [host.name for host in plan.hosts] == sorted(project.hosts)
        assert plan.releases == {"web": package.package.release.id}
        for host in project.hosts.values():
            assert list((host.root / "srv").iterdir()) == [], "a plan changes nothing"


def test_p8_a_program_that_hosts_lack_is_found_before_anything_is_sent(project: Project) -> None:
    project.build("1.1.0")
    project.rewrite("command: ./web", "command: no-such-runtime ./web")
    with session(project) as opened:
        seen, packages = opened.look(None, settled=False)
        with pytest.raises(BadInput) as refused:
            opened.plan(seen, packages, is_default=True)
    said = (
        "3 hosts (host-1, host-2, host-3): has no no-such-runtime, which the command of web needs"
    )
    assert said in str(refused.value)


def test_a_fleets_poller_polls_once_for_all_runs_and_ends_with_the_session(
    project: Project,
) -> None:
    with session(project) as opened:
        fleet = opened.fleet()
        assert opened.fleet().poller is fleet.poller
        (host, *_) = opened.hosts
        app = opened.environment.apps[0]
        (group,) = fleet.groups[app.name]
        assert len(fleet.serving(group, PATIENCE_SECONDS)) == len(project.hosts)
        assert str(fleet.health(host, app.at(app.ports[0]))) == "healthy"
        assert (fleet.author, fleet.run) == (records.author(), opened.run)


def test_a_user_without_a_name_is_recorded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert records.author({}).startswith(f"uid {os.getuid()}@")


def test_a_host_whose_user_has_no_sudo_is_named_and_keeps_no_other_from_being_read(
    project: Project,
) -> None:
    text = "#!/bin/sh\necho 'sudo: a password is required' >&2; exit 1\n"
    project.hosts["host-2"].program("sudo", text)
    with session(project) as opened:
        seen = opened.survey()
    assert [facts.host.name for facts in seen.hosts] == ["host-1", "host-3"]
    assert "a password is required" in seen.unreachable["host-2"]


def test_hosts_that_rest_are_in_the_survey_with_their_lifecycle_state(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "resting", lambda _, hosts: ({hosts[0]: "Standby"}, ("a note",)))
    with session(project) as opened:
        seen = opened.survey()
    assert {host.name: state for host, state in seen.resting.items()} == {"host-1": "Standby"}
    assert "host-1" not in {host.name for host in (*seen.everyone, *seen.other_hosts)}
    assert seen.notes == ("a note",)


def test_p4_steps_know_the_zones_that_any_survey_of_the_command_showed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session(project) as opened:
        (group,) = opened.groups["web"]
        target = Target("10.1.0.1", 5000, "all")
        monkeypatch.setattr(opened.balancer, "health", lambda _: {target: Health(State.HEALTHY)})
        opened.survey()
        monkeypatch.setattr(opened.balancer, "health", lambda _: {})
        opened.survey()
        assert opened.fleet().zones == {(group.arn, "10.1.0.1"): "all"}
