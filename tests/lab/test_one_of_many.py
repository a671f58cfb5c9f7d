"""P12, on real hosts: one host's records, marks or silence decide nothing for the others."""

from __future__ import annotations

import json

import pytest
from test_failures import broken_on

from lab.fleet import Lab
from lab.project import Project, called

HISTORY, BAD = "/srv/web/records/history", "/srv/web/records/bad"


def full(lab: Lab, version: str) -> str:
    """The id of a release, as it lies on the first host."""
    return lab.shell(lab.hosts[0], f"cd /srv/web/releases && echo {version}-*").strip()


def deployed(project: Project, *versions: str) -> None:
    """A first install, and further releases on all hosts but one at a time."""
    first, *others = versions
    project.install(first)
    for version in others:
        project.build(version)
        ran = project.deploy(version, "--batch", "100%", "--allow-downtime")
        assert ran.code == 0, ran.output


def test_one_hosts_history_and_marks_do_not_choose_for_the_others(
    project: Project, lab: Lab
) -> None:
    """M6. Before, the first host in name order ordered the releases, and its marks forbade them.

    host-1 says that 1.0.0 was deployed after 2.0.0, and that 2.0.0 failed there.
    """
    project.environment["rollout"] = {"max_failures": 1, "batch": 2}
    project.configure()
    deployed(project, "1.0.0", "2.0.0", "3.0.0")
    liar, second = lab.hosts[0], full(lab, "2.0.0")
    lab.shell(
        liar,
        f"sed -n '2p;1p;3p' {HISTORY} > {HISTORY}.new && mv {HISTORY}.new {HISTORY}; "
        f"install -d -m 0700 {BAD}; echo lie > {BAD}/{second}",
    )
    ran = project.inv("rollback", "--env", "lab", "--yes")
    assert ran.code == 4, ran.output
    found = project.releases()
    assert found.pop(called(liar)) == "3.0.0"
    assert set(found.values()) == {"2.0.0"}
    assert f"{called(liar)} is left out" in ran.output


def test_a_host_that_cannot_be_read_is_left_out_within_the_policy(
    project: Project, lab: Lab
) -> None:
    """Before, it refused every deploy, rollback and repair of all the others."""
    deployed(project, "1.0.0")
    project.build("2.0.0")
    dead = lab.hosts[3]
    lab.shell(dead, "mv /etc/sudoers.d /etc/sudoers.d.away")
    try:
        strict = project.deploy("2.0.0")
        assert strict.code == 2, strict.output
        assert f"--skip-host {called(dead)}: inv deploy --env lab --app web" in strict.output
        project.environment["rollout"] = {"max_failures": 1, "batch": 1}
        project.configure()
        ran = project.deploy("2.0.0")
        assert ran.code == 4, ran.output
        assert f"{called(dead)}: left out" in ran.output
        fixed = project.inv("repair", "--env", "lab", "--yes")
        assert fixed.code == 4, fixed.output
    finally:
        lab.shell(dead, "mv /etc/sudoers.d.away /etc/sudoers.d")
    assert sorted(project.releases().values()) == ["1.0.0", "2.0.0", "2.0.0", "2.0.0"]


@pytest.mark.hosts(2)
def test_after_a_failed_deploy_of_one_app_its_advice_leaves_the_other_app_alone(
    project: Project, lab: Lab
) -> None:
    """Item 11. Before, `inv rollback` took the healthy app back on all hosts and marked it."""
    project.settings["deploy"]["apps"]["admin"] = project.web | {
        "package": "packages/admin.*",
        "command": "admin --port {port}",
        "ports": [5100],
        "target_group": "admin-lab",
    }
    project.configure()
    for web, admin in (("1.0.0", "1.5.0"), ("2.0.0", "2.5.0")):
        project.build(web)
        project.build(admin, name="admin")
        ran = project.inv("deploy", "--env", "lab", "--batch", "100%", "--allow-downtime", "--yes")
        assert ran.code == 0, ran.output
    project.build("3.0.0")
    with broken_on(lab, lab.hosts[1], "3.0.0"):
        ran = project.deploy("3.0.0")
    assert ran.code == 4, ran.output
    advice = "take all hosts back: inv rollback --env lab --app web --settings"
    assert advice in ran.output
    for words in ((), ("--app", "web")):
        dry = project.inv("rollback", "--env", "lab", *words, "--dry-run")
        assert dry.code == 0, dry.output
        assert "admin" not in dry.output
    back = project.inv("rollback", "--env", "lab", "--yes")
    assert back.code == 0, back.output
    rows = json.loads(project.inv("status", "--env", "lab", "--json").stdout)["hosts"]
    found = {(row["app"], row["release"].partition("-")[0]) for row in rows}
    assert found == {("web", "2.0.0"), ("admin", "2.5.0")}
    assert lab.shell(lab.hosts[0], "ls /srv/admin/records/bad 2>/dev/null || true").strip() == ""
