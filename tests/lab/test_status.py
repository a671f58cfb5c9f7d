"""`inv status`: the fleet as it is, for people and for machines, and its exit codes."""

from __future__ import annotations

import pytest

from lab.fleet import Lab
from lab.project import Project, called, until


@pytest.mark.hosts(2)
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


@pytest.mark.hosts(3)
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


@pytest.mark.hosts(2)
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
    drift = [each for row in told["hosts"] for each in row["drift"]]
    assert "web@5000.service on disk is not the unit that was deployed" in drift, "issue 17, item 6"


@pytest.mark.hosts(2)
def test_status_says_n_of_m_what_is_expected_how_old_and_what_to_type(
    project: Project, lab: Lab
) -> None:
    """Issue 17, item 6."""
    project.install("1.0.0")
    count = len(lab.hosts)
    shown = project.inv("status", "--env", "lab").output
    assert f"web-lab: {count} of {count} healthy" in shown
    assert "web: 1.0.0-" in shown
    assert f" expected, on {count} of {count}" in shown
    assert "next: " not in shown
    told = project.status()
    (service,) = told["in_service"]
    assert (service["group"], service["healthy"], service["total"]) == ("web-lab", count, count)
    assert told["next"] == ""
    for row in told["hosts"]:
        assert row["expected"] == row["recorded"] == row["release"]
        assert row["drift"] == []
        assert 0 <= row["age_seconds"] < 7 * 86_400
        assert row["zone"]

    lab.shell(lab.hosts[0], "systemctl stop web@5000.service")
    until("unhealthy", lambda: "unhealthy" in lab.health("web-lab").values())
    sick = project.inv("status", "--env", "lab").output
    assert f"web-lab: {count - 1} of {count} healthy" in sick
    assert "next: return them to service: inv repair --env lab" in sick


@pytest.mark.hosts(3)
def test_status_names_what_was_changed_by_hand_and_the_lock_of_a_living_deploy(
    project: Project, lab: Lab
) -> None:
    """Issue 17, item 6."""
    project.install("1.0.0")
    lab.shell(
        lab.hosts[0],
        "mkdir /etc/systemd/system/web@5000.service.d && printf '[Service]\\nNice=1\\n' > "
        "/etc/systemd/system/web@5000.service.d/nice.conf && systemctl daemon-reload",
    )
    try:
        drift = {row["host"]: row["drift"] for row in project.status()["hosts"]}
        assert drift.pop(called(lab.hosts[0])) == ["drop-ins change its unit"]
        assert set(map(tuple, drift.values())) == {()}
    finally:
        lab.shell(
            lab.hosts[0], "rm -r /etc/systemd/system/web@5000.service.d; systemctl daemon-reload"
        )
    project.build("2.0.0")
    running = project.start(
        "deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes", "--batch", "1"
    )
    running.until("batch 1 of")
    (holder,) = project.status()["holders"]
    assert (holder["what"], holder["life"], holder["majority"]) == ("deploy", "alive", True)
    assert running.wait().code == 0
    assert project.status()["holders"] == []


@pytest.mark.hosts(2)
def test_status_without_an_environment_shows_all_of_them(project: Project) -> None:
    """Issue 17, item 6."""
    project.install("1.0.0")
    shown = project.inv("status")
    assert shown.code == 0, shown.output
    assert "lab: all is well" in shown.output
