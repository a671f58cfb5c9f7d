"""`inv check` on a fleet on this machine: SSH, scripts, API calls and files are real."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from deploy.aws import permissions
from deploy.commands.setup import check
from deploy.run.report import ExitCode

if TYPE_CHECKING:
    from loopback import Project

ACCEPTS, REFUSES = "#!/bin/sh\nexit 0\n", '#!/bin/sh\necho "$3:7: Unknown key"; exit 0\n'
NO_RENAME = "#!/bin/sh\necho \"mv: cannot move 'link.new'\" >&2; exit 1\n"
NO_SUDO = "#!/bin/sh\necho 'sudo: a password is required' >&2; exit 1\n"


@pytest.fixture
def fit(project: Project) -> Project:
    """A project whose hosts a deploy could be begun on."""
    for host in project.hosts.values():
        host.program("systemd-analyze", ACCEPTS)
    return project


def run(project: Project, capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[int, str]:
    """The exit code, and what was shown; what AWS has of targets never changes."""
    before = targets(project)
    code = check.check(project.asked(**options), None)
    assert targets(project) == before
    return int(code), capsys.readouterr().out


def targets(project: Project) -> list[Any]:
    elb = project.account.client("elbv2")
    groups = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"]
    found = elb.describe_target_health(TargetGroupArn=groups[0]["TargetGroupArn"])
    return sorted(str(each["Target"]) for each in found["TargetHealthDescriptions"])


def problems(output: str) -> list[str]:
    """The problems, each as one line."""
    joined = re.sub(r"\n {10}(?=\S)", " ", output)
    return [line.strip() for line in joined.splitlines() if line.startswith("  problem")]


def test_an_environment_that_a_deploy_could_begin_on_is_ready(
    fit: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = run(fit, capsys)
    assert problems(output) == []
    assert code == ExitCode.DONE
    for text in (
        "AWS\n",
        "account 123456789012, region eu-west-1",
        "the credentials do not end",
        "allowed to read: GetCallerIdentity, DescribeInstances",
        "allowed on web-lab: RegisterTargets, DeregisterTargets",
        "was not tried on AWS",
        "load balancer\n",
        "listens on HTTP 80",
        "web-lab of web: 3 healthy",
        "hosts\n",
        "3 hosts with a known host key, logged in as deploy",
        "systemd accepts web@5000.service on 3 hosts",
        "deploy\n",
        "web 1.0.0-",
        "lab is not locked by another deploy",
        "can be planned: 3 hosts in 3 batches",
    ):
        assert text in output, output
    assert output.splitlines()[-1].startswith("lab: a deploy would start")


def test_nothing_is_left_on_hosts(fit: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run(fit, capsys)
    for host in fit.hosts.values():
        assert list((host.root / "srv").iterdir()) == []
        assert list((host.root / "etc/systemd/system").iterdir()) == []
    assert fit.locks() == {}


CALLED = {
    action.partition(":")[2]: action
    for sid in (permissions.LOOK, permissions.CHANGE)
    for action in permissions.ACTIONS[sid]
    if not action.endswith("DescribeAccountLimits")
}


@pytest.mark.parametrize("action", CALLED)
def test_each_permission_that_is_missing_is_named(
    fit: Project, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    fit.account.knobs.update({"denied": [action]})
    code, output = run_denied(fit, capsys)
    assert code == ExitCode.BAD_INPUT
    named = [line for line in problems(output) if f"not allowed: {CALLED[action]}" in line]
    assert len(named) == 1, output
    assert "docs/permissions.md" in named[0]


def run_denied(project: Project, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The same; what AWS has cannot be asked, where that is what is not allowed."""
    code = check.check(project.asked(), None)
    return int(code), capsys.readouterr().out


def test_the_quota_is_asked_for_where_two_slots_need_it(
    fit: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.account.knobs.update({"denied": ["DescribeAccountLimits"]})
    assert run(fit, capsys)[0] == ExitCode.DONE
    fit.rewrite("ports: [5000]", "ports: [5000, 5001]")
    fit.rewrite("poll_seconds: 0.1", "poll_seconds: 0.1\n      rollout: {strategy: surge}")
    code, output = run(fit, capsys)
    assert code == ExitCode.BAD_INPUT
    assert "not allowed: elasticloadbalancing:DescribeAccountLimits" in output


def test_listeners_are_not_needed(fit: Project, capsys: pytest.CaptureFixture[str]) -> None:
    fit.account.knobs.update({"denied": ["DescribeListeners"]})
    code, output = run(fit, capsys)
    assert code == ExitCode.DONE
    assert "were not looked at: DescribeListeners is not allowed" in output


def test_all_that_is_wrong_comes_in_one_run_and_the_same_on_many_hosts_is_one_line(
    fit: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.account.knobs.update({"denied": ["RegisterTargets"]})
    for name in ("host-1", "host-2"):
        fit.hosts[name].program("mv", NO_RENAME)
        fit.hosts[name].program("systemd-analyze", REFUSES)
    fit.hosts["host-3"].program("sudo", NO_SUDO)
    (package,) = (fit.folder / "packages").iterdir()
    package.write_text("no archive")
    code, output = run(fit, capsys)
    assert code == ExitCode.BAD_INPUT
    found = problems(output)
    assert any("not allowed: elasticloadbalancing:RegisterTargets on web-lab" in x for x in found)
    assert any("2 hosts (host-1, host-2): `mv` there does not" in x for x in found), output
    assert any("host-3: sudo without a password" in x for x in found), output
    assert any("web.1.0.0.zip" in x for x in found), output
    assert "not ready for a deploy" in output.splitlines()[-1]


def test_a_unit_that_systemd_refuses_is_found_before_anything_is_sent(
    fit: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for host in fit.hosts.values():
        host.program("systemd-analyze", REFUSES)
    code, output = run(fit, capsys)
    assert code == ExitCode.BAD_INPUT
    (only,) = problems(output)
    assert "3 hosts (host-1, host-2, host-3): systemd does not accept web@5000.service" in only
    assert "7: Unknown key; correct the template" in only


def test_control_a_plan_that_a_deploy_would_refuse_is_a_problem(
    fit: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.rewrite("poll_seconds: 0.1", "poll_seconds: 0.1\n      rollout: {batch: 100%}")
    code, output = run(fit, capsys)
    assert code == ExitCode.BAD_INPUT
    assert any("would leave no target of web-lab in service" in line for line in problems(output))


@pytest.mark.parametrize(
    ("before", "after", "said", "beside"),
    [
        ("target_group: web-lab", "target_group: nowhere", "'nowhere' does not exist", "systemd"),
        ("Environment: lab", "Environment: stage", "no running EC2 instance", "web-lab of web"),
        ("key_files: [key]", "key_files: [other]", "other does not exist", "web-lab of web"),
    ],
)
def test_what_is_wrong_at_the_door_hides_nothing_behind_it(
    fit: Project,
    capsys: pytest.CaptureFixture[str],
    before: str,
    after: str,
    said: str,
    beside: str,
) -> None:
    fit.rewrite(before, after)
    code, output = run(fit, capsys)
    assert code == ExitCode.BAD_INPUT
    assert any(said in line for line in problems(output)), output
    assert beside in output
    assert "web 1.0.0-" in output, "the package was looked at too"


def test_a_host_key_that_is_unknown_comes_with_the_line_to_add(
    fit: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (fit.folder / "known_hosts").write_text("")
    code, output = run(fit, capsys)
    assert code == ExitCode.BAD_INPUT
    for host in fit.hosts.values():
        assert f" {host.sshd.known_hosts().strip()}\n" in output


def test_a_lock_that_a_dead_deploy_left_is_a_warning(
    fit: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.leave_lock()
    code, output = run(fit, capsys)
    assert code == ExitCode.DONE
    assert "no deploy that lives holds the lock" in output


def test_json_is_all_that_a_script_gets(fit: Project, capsys: pytest.CaptureFixture[str]) -> None:
    code, output = run(fit, capsys, json=True)
    body = json.loads(output)
    assert (code, body["ready"], body["environment"]) == (0, True, "lab")
    assert {each["part"] for each in body["findings"]} == {
        "AWS",
        "load balancer",
        "hosts",
        "deploy",
    }
