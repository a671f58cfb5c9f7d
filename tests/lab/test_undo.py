"""An adoption is undone: the previous unit serves again, proven, and no request is lost."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from test_failures import broken_on

from lab.count import Count
from lab.load import MODEST_RATE, Load
from lab.project import called, until

if TYPE_CHECKING:
    from lab.fleet import Lab, LabHost
    from lab.project import Project

pytestmark = pytest.mark.hosts(2)

ROLLBACK = ("rollback", "--env", "lab", "--yes")


def state(lab: Lab, host: LabHost) -> list[str]:
    """Whether the previous unit runs and starts at boot, and whether a unit of ours does."""
    asked = (
        "systemctl is-active legacy.service; systemctl is-enabled legacy.service; "
        "systemctl list-units --plain --no-legend --state=active 'web@*.service' | cut -d' ' -f1; "
        "ls /etc/systemd/system/multi-user.target.wants | grep web@ || true"
    )
    return lab.shell(host, asked, check=False).split()


def assert_undone(lab: Lab) -> None:
    for host in lab.hosts:
        assert state(lab, host) == ["active", "enabled"]
        assert ".out" not in lab.shell(host, "ls -A /srv/web/records 2>/dev/null || true")
    until("all healthy", lambda: set(lab.health("web-lab").values()) <= {"healthy", "unused"})


@pytest.mark.hosts(3)
def test_p1_p2_a_half_finished_adoption_is_taken_back_under_load(legacy: Project, lab: Lab) -> None:
    legacy.build("1.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        with broken_on(lab, lab.hosts[1], "1.0.0"):
            ran = legacy.deploy("1.0.0")
        assert ran.code == 4, ran.output
        shown = legacy.inv("status", "--env", "lab")
        assert "inv rollback --env lab --to legacy.service" in " ".join(shown.output.split())
        mended = legacy.inv("repair", "--env", "lab", "--yes")
        assert mended.code in {0, 4}, mended.output
        back = legacy.inv(*ROLLBACK)
        assert back.code == 0, back.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts) - 1
    assert f"{called(lab.hosts[0])}: start legacy.service again" in back.output
    assert_undone(lab)


@pytest.mark.hosts(3)
def test_p1_an_adoption_with_on_failure_rollback_ends_on_the_previous_unit(
    legacy: Project, lab: Lab
) -> None:
    """Also on the host that an earlier run of the same adoption had finished."""
    legacy.environment["rollout"] = {"on_failure": "rollback", "batch": 1}
    legacy.configure()
    legacy.build("1.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        first = legacy.deploy("1.0.0", "--hosts", called(lab.hosts[0]))
        assert first.code == 0, first.output
        with broken_on(lab, lab.hosts[2], "1.0.0"):
            ran = legacy.deploy("1.0.0")
    assert ran.code == 1, ran.output
    assert "on_failure: rollback" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts) - 1
    assert_undone(lab)


@pytest.mark.parametrize("versions", [("1.0.0",), ("1.0.0", "2.0.0")])
def test_p1_p2_by_surge_an_adoption_is_undone_without_less_in_service(
    legacy: Project, lab: Lab, versions: tuple[str, ...]
) -> None:
    """The second release has the previous unit's own port, and moves to the other slot first."""
    legacy.web["ports"] = [5000, 5001]
    legacy.environment["rollout"] = {"strategy": "surge"}
    legacy.configure()
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        for version in versions:
            legacy.build(version)
            ran = legacy.deploy(version)
            assert ran.code == 0, ran.output
        back = legacy.inv(*ROLLBACK, "--to", "legacy.service")
        assert back.code == 0, back.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts)
    assert_undone(lab)


@pytest.mark.parametrize(
    "step", ["deregister", "start legacy.service again", "prove legacy", "register", "record web"]
)
def test_p4_an_undo_that_was_killed_is_repaired_and_finished(
    legacy: Project, lab: Lab, step: str
) -> None:
    legacy.shorten_lock()
    legacy.build("1.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = legacy.deploy("1.0.0")
        assert ran.code == 0, ran.output
        victim = legacy.hooked(kill=f"{called(lab.hosts[0])}: {step}", after=0.02)
        victim.inv(*ROLLBACK)
        mended = legacy.inv("repair", "--env", "lab", "--yes")
        assert mended.code in {0, 4}, mended.output
        back = legacy.inv(*ROLLBACK, "--to", "legacy.service")
        assert back.code == 0, back.output
    assert load.result.failed == 0, load.result.failures
    assert_undone(lab)


@pytest.mark.hosts(1)
def test_a_first_install_that_fails_leaves_nothing_running_and_says_what_helps(
    project: Project, lab: Lab
) -> None:
    project.build("1.0.0", crash_at_once=True)
    ran = project.deploy("1.0.0", "--allow-downtime")
    assert ran.code == 5, ran.output
    shown = lab.shell(
        lab.hosts[0],
        "systemctl is-active web@5000.service; systemctl is-enabled web@5000.service",
        check=False,
    )
    assert shown.split()[0] in {"inactive", "failed"}
    assert shown.split()[1] == "disabled"
    assert "deploy again: inv deploy --env lab" in " ".join(ran.output.split())


@pytest.mark.hosts(1)
def test_p4_what_a_killed_first_install_left_is_ended_and_the_next_deploy_is_the_first(
    project: Project, lab: Lab
) -> None:
    project.shorten_lock()
    project.build("1.0.0")
    (host,) = lab.hosts
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "1.0.0", "--yes")
    victim = project.hooked(kill=f"{called(host)}: prove", after=0.02)
    assert victim.inv(*words, "--allow-downtime").code == -signal.SIGKILL
    unit = "web@5000.service"
    assert lab.shell(host, f"systemctl is-active {unit}; true").strip() == "active"

    mended = project.inv("repair", "--env", "lab", "--yes")
    assert mended.code == 5, mended.output
    assert f"{called(host)}: stop and disable {unit}" in mended.output
    assert "was never deployed here" in " ".join(mended.output.split())
    state = lab.shell(host, f"systemctl is-active {unit}; systemctl is-enabled {unit}; true")
    assert state.split() == ["inactive", "disabled"]
    shown = project.inv("status", "--env", "lab")
    assert "next: the first deploy: inv deploy --env lab" in " ".join(shown.output.split())

    ran = project.deploy("1.0.0", "--allow-downtime")
    assert ran.code == 0, ran.output
    assert project.status()["well"], str(project.status())


def test_the_plan_of_an_adoption_names_what_the_old_unit_sets_and_ours_does_not(
    legacy: Project, lab: Lab
) -> None:
    drop_in = "[Service]\\nLimitNOFILE=65536\\nEnvironment=TOKEN=s3cret\\n"
    folder = "/etc/systemd/system/legacy.service.d"
    for host in lab.hosts:
        lab.shell(host, f"mkdir -p {folder}; printf '{drop_in}' > {folder}/own.conf")
        lab.shell(host, "systemctl daemon-reload")
    legacy.build("1.0.0")
    planned = legacy.deploy("1.0.0", "--dry-run")
    assert planned.code == 0, planned.output
    assert "legacy.service sets what the new unit does not" in planned.output
    for words in ("LimitNOFILE=65536", "variables TOKEN", f"drop-ins {folder}/own.conf"):
        assert words in planned.output
    assert "s3cret" not in planned.output
    legacy.web["limits"] = {"LimitNOFILE": 65536}
    legacy.configure()
    ran = legacy.deploy("1.0.0")
    assert ran.code == 0, ran.output
    shown = lab.shell(lab.hosts[0], "systemctl show web@5000.service -p LimitNOFILE --value")
    assert shown.strip() == "65536"
