"""What is wrong is told in one list: settings, credentials, target groups, hosts and packages."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from loopback import run

from deploy.checkup import aws
from deploy.checkup.refusals import Refusals
from deploy.commands import changes
from deploy.commands.looking import status
from deploy.errors import BadInput, CredentialsRefused, DeployError
from deploy.run.report import ExitCode
from deploy.screen.console import Screen
from deploy.session.arguments import read_settings
from lab.targets import Outcome

if TYPE_CHECKING:
    from loopback import Project

NO_SUDO = "#!/bin/sh\necho 'sudo: a password is required' >&2; exit 1\n"
LISTED = "hosts: {tags: {Environment: lab}}"


def refusal(project: Project, package: str | None = None) -> list[str]:
    """The lines of what `inv deploy --yes` is refused with; nothing is changed."""
    with pytest.raises(DeployError) as refused:
        run(changes.deploy, project.asked(yes=True), package)
    assert refused.value.exit_code == 2
    assert project.writes() == {}
    assert project.locks() == {}
    return list(refused.value.args)


def has(lines: list[str], *said: str) -> None:
    """Assert that each text is in one line, in this order."""
    at = 0
    for text in said:
        at = next((n for n, line in enumerate(lines) if n >= at and text in line), -1)
        assert at >= 0, (text, lines)


def test_a_new_user_with_a_new_fleet_is_told_everything_in_one_list(project: Project) -> None:
    project.rewrite("target_group: web-lab", "target_group: nowhere")
    (project.folder / "known_hosts").unlink()
    for package in (project.folder / "packages").iterdir():
        package.unlink()
    lines = refusal(project)
    has(
        lines,
        "known_hosts does not exist; make it, empty at first",
        "target group 'nowhere' does not exist in region eu-west-1",
        "packages/web.*.zip",
        "3 hosts (host-1, host-2, host-3): unknown host key",
        f"add this to {project.folder}/known_hosts:",
        "# host-3 i-",
    )
    # What the message has the reader copy is all that is needed.
    known = [line for line in lines if re.match(r"  (#|\[)", line)]
    (project.folder / "known_hosts").write_text("\n".join(known) + "\n")
    project.hosts["host-2"].program("sudo", NO_SUDO)
    lines = refusal(project)
    has(lines, "'nowhere' does not exist", "packages/web.*.zip", "host-2: sudo without a password")
    assert not any("unknown host key" in line for line in lines)


def test_the_same_problem_on_all_hosts_is_one_line(project: Project) -> None:
    for host in project.hosts.values():
        host.program("sudo", NO_SUDO)
    assert refusal(project) == [
        "3 hosts (host-1, host-2, host-3): sudo without a password does not work for user "
        "'deploy': sudo: a password is required",
        "  allow it in /etc/sudoers.d: deploy ALL=(ALL) NOPASSWD: ALL",
        "  if sudo wants a terminal, add: Defaults:deploy !requiretty",
    ]


def test_what_is_wrong_with_a_package_does_not_wait_for_hosts_to_be_repaired(
    project: Project,
) -> None:
    for name in ("host-1", "host-2"):
        project.hosts[name].sshd.stop()
    lines = refusal(project, "9.9.9")
    has(lines, "9.9.9", "2 hosts (host-1, host-2): no SSH connection on port")
    project.hosts["host-3"].program("sudo", NO_SUDO)
    assert any(line.startswith("host-3: sudo without") for line in refusal(project, "9.9.9"))


def test_what_a_host_lacks_is_named_beside_hosts_that_cannot_be_read(project: Project) -> None:
    for name in ("host-1", "host-2"):
        project.hosts[name].program("sudo", NO_SUDO)
    project.hosts["host-3"].program("systemctl", "#!/bin/sh\necho systemd 219\n")
    lines = refusal(project)
    has(lines, "host-3: systemd 219 is too old", "2 hosts (host-1, host-2): sudo without")


def test_one_host_that_cannot_be_read_is_named_with_a_package_that_is_not_there(
    project: Project,
) -> None:
    """The lock can be held without it, so that the packages are opened later."""
    project.hosts["host-2"].sshd.stop()
    has(refusal(project, "9.9.9"), "9.9.9", "host-2 (127.0.0.12): no SSH connection on port")


def test_what_aws_knows_against_a_plan_hides_no_host_that_cannot_be_read(project: Project) -> None:
    elb = project.account.client("elbv2")
    (group,) = elb.describe_target_groups(Names=["web-lab"])["TargetGroups"]
    targets = [{"Id": project.account.instances["changeover-test-host-1"], "Port": 9000}]
    elb.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=targets)
    project.account.check(Outcome(status=200))
    project.account.calls.clear()
    project.rewrite(LISTED, "hosts: [127.0.0.12, 127.0.0.13]")
    project.hosts["host-2"].program("sudo", NO_SUDO)
    said = "is no host of this environment", "127.0.0.12: sudo without a password"
    with pytest.raises(BadInput) as refused:
        run(changes.deploy, project.asked(dry_run=True), None)
    has(list(refused.value.args), *said)
    has(refusal(project), *said)
    with pytest.raises(BadInput) as refused:
        run(changes.repair, project.asked(yes=True))
    assert "is no host" not in str(refused.value), "a repair is not refused for it"


def test_a_host_that_nobody_knows_is_named_with_what_else_is_wrong(project: Project) -> None:
    project.hosts["host-2"].program("sudo", NO_SUDO)
    with pytest.raises(BadInput) as refused:
        run(changes.deploy, project.asked(yes=True, hosts="hots-1"), "9.9.9")
    has(list(refused.value.args), "no host 'hots-1'", "9.9.9", "host-2: sudo without a password")


def test_listed_hosts_are_asked_where_aws_does_not_take_the_credentials(project: Project) -> None:
    project.account.knobs.update({"api_error": "InvalidClientTokenId"})
    addresses = "127.0.0.11, 127.0.0.12, 127.0.0.13"
    project.rewrite(LISTED, f"hosts: [{addresses}]")
    project.hosts["host-1"].program("sudo", NO_SUDO)
    lines = refusal(project)
    has(lines, "refuses the credentials", "127.0.0.11: sudo without a password does not work")
    assert sum("refuses the credentials" in line for line in lines) == 1, "one cause, one line"
    project.hosts["host-1"].program("sudo", '#!/bin/sh\nshift 3; exec "$@"\n')


def test_a_single_problem_keeps_its_own_kind(project: Project) -> None:
    project.account.knobs.update({"api_error": "InvalidClientTokenId"})
    with pytest.raises(CredentialsRefused):
        run(changes.deploy, project.asked(yes=True), None)


def test_all_wrong_target_groups_are_named(project: Project) -> None:
    project.rewrite("target_group: web-lab", "target_groups: [nowhere, orphan-lab]")
    loaded = read_settings(project.asked(), Screen())
    refusals = Refusals()
    opened = aws.look(loaded, refusals)
    assert [host.name for host in opened.found.hosts] == sorted(project.hosts)
    with pytest.raises(BadInput) as refused:
        refusals.raise_all()
    has(list(refused.value.args), "'nowhere' does not exist", "'orphan-lab' belongs to no load")


def test_fabric_keys_that_cannot_be_honoured_hide_no_target_group(project: Project) -> None:
    project.rewrite("load_ssh_configs", "load_ssh_config")
    project.rewrite("target_group: web-lab", "target_group: nowhere")
    has(refusal(project), "is no key of Fabric's", "'nowhere' does not exist")
    assert [host.sshd.connections for host in project.hosts.values()] == [0, 0, 0]


def test_a_program_that_ssh_needs_hides_no_target_group(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, not for each host: no connection is tried."""
    monkeypatch.setenv("PATH", "/nowhere")
    project.rewrite("target_group: web-lab", "target_group: nowhere")
    project.rewrite("      ssh:\n", "      ssh:\n        via: ssm\n")
    lines = refusal(project)
    has(lines, "needs the program `aws`", "`session-manager-plugin`", "'nowhere' does not exist")
    assert not any("host-1" in line for line in lines)


def test_the_status_shows_the_fleet_beside_a_listed_host_that_is_no_instance(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """`inv deploy` is refused; the status keeps what it knows of the others."""
    project.rewrite(LISTED, "hosts: [127.0.0.11, 127.0.0.12, 127.0.0.99]")
    project.hosts["host-1"].program("sudo", NO_SUDO)
    has(refusal(project), "no EC2 instance in region eu-west-1 has its address", "127.0.0.99")
    capsys.readouterr()
    assert status.status(replace(project.asked(), json=True)) is ExitCode.OUT_OF_SERVICE
    one, two, other = json.loads(capsys.readouterr().out)["hosts"]
    assert (one["state"], one["readable"], one["unit"]) == ("healthy", False, "unknown")
    assert "sudo: a password is required" in one["note"]
    assert (two["state"], two["readable"]) == ("healthy", True)
    assert (other["host"], other["state"], other["target"]) == ("127.0.0.99", "unknown", "")
    assert "no EC2 instance in region eu-west-1 has its address" in other["note"]
    assert "; there: no SSH connection on port" in other["note"]
