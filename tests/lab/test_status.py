"""`inv status`: the fleet as it is, for people and for machines, and its exit codes."""

from __future__ import annotations

from lab.fleet import Lab
from lab.project import Project, called, until


def test_status_tells_what_runs_where_and_ends_with_0_only_when_all_is_well(
    project: Project, lab: Lab
) -> None:
    assert project.inv("status", "--env", "lab").code == 5, "nothing is deployed yet"
    project.install("1.0.0")
    told = project.status()
    assert told["well"]
    assert told["exit_code"] == 0
    assert len(told["hosts"]) == len(lab.hosts)
    for row in told["hosts"]:
        assert row["state"] == "healthy"
        assert row["unit"] == "active"
        assert row["release"].startswith("1.0.0-")
        assert row["current"]
        assert row["restarts"] == 0
        assert row["since"]

    lab.shell(lab.hosts[0], "systemctl stop web@5000.service")
    until("unhealthy", lambda: "unhealthy" in lab.health("web-lab").values())
    sick = project.inv("status", "--env", "lab")
    assert sick.code == 5
    assert "Target.FailedHealthChecks" in sick.output
    assert "all is well" not in sick.output


def test_status_tells_a_host_that_it_cannot_reach(project: Project, lab: Lab) -> None:
    project.install("1.0.0")
    lab.shell(lab.hosts[0], "systemctl stop ssh.service ssh.socket")
    try:
        told = project.inv("status", "--env", "lab")
        assert told.code == 5, told.output
        assert "no SSH connection on port 22" in told.output
        assert "all targets are in service, and 1 host cannot be read" in told.output
        rows = {row["host"]: row for row in project.status()["hosts"]}
        row = rows[called(lab.hosts[0])]
        assert (row["state"], row["readable"], row["unit"]) == ("healthy", False, "unknown")
    finally:
        lab.shell(lab.hosts[0], "systemctl start ssh.service")


def test_status_tells_a_unit_file_that_was_changed_by_hand(project: Project, lab: Lab) -> None:
    project.install("1.0.0")
    lab.shell(
        lab.hosts[0],
        "sed -i 's/CHANGEOVER_UNIT=[0-9a-f]*/CHANGEOVER_UNIT=000000000000/' "
        "/etc/systemd/system/web@5000.service && systemctl daemon-reload",
    )
    told = project.status()
    assert told["exit_code"] == 1
    assert [row["current"] for row in told["hosts"]].count(False) == 1
