"""Before the first drain each host finds out whether the command can be executed there."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from lab.load import MODEST_RATE, Load
from lab.project import called, set_check

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project

HOME = "/home/deploy/bin"
UNDO = f"umount -l /srv/web/releases 2>/dev/null; rm -rf {HOME}; true"
COMMANDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "an interpreter that is nowhere": (
        "sh -c true",
        {"command": "no-such-runtime app.js"},
        "has no no-such-runtime, which the command of web needs",
    ),
    "an interpreter that ProtectHome hides": (
        f"mkdir -p {HOME} && cp /bin/sleep {HOME}/runtime && chmod -R a+rx /home/deploy",
        {"command": f"{HOME}/runtime 5"},
        "does not work here because of ProtectHome=",
    ),
    "a library that is missing": (
        f"mkdir -p {HOME} && LC_ALL=C sed s/libc.so.6/libq.so.6/g /bin/sleep > {HOME}/runtime && "
        f"chmod -R a+rx /home/deploy",
        {"command": f"{HOME}/runtime 5", "sandbox": {"ProtectHome": False}},
        "libq.so.6",
    ),
    "a mount with noexec": (
        "mount --bind /srv/web/releases /srv/web/releases && "
        "mount -o remount,bind,noexec /srv/web/releases",
        {},
        "is not executable",
    ),
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("name", COMMANDS)
def test_p8_a_command_that_cannot_run_is_refused_while_all_hosts_serve(
    project: Project, lab: Lab, name: str
) -> None:
    project.install("1.0.0")
    prepare, settings, said = COMMANDS[name]
    for host in lab.hosts:
        lab.shell(host, prepare)
    project.web.update(settings)
    project.configure()
    project.build("2.0.0")
    seen = len(lab.events())
    try:
        ran = project.deploy("2.0.0")
        assert ran.code == 2, ran.output
        assert said in " ".join(ran.output.split())
        assert len(lab.events()) == seen, "a target was touched"
        assert set(project.releases().values()) == {"1.0.0"}
        failed = lab.shell(lab.hosts[0], "ls /srv/web/records/bad 2>/dev/null; true")
        assert failed == "", "it is no fault of the release"
    finally:
        for host in lab.hosts:
            lab.shell(host, UNDO)


LEFT = (
    "ls /run/systemd/system | grep changeover; systemctl list-units --all | grep changeover; true"
)


@pytest.fixture
def starting(project: Project) -> Project:
    """1.0.0 serves, and releases are to be started before the first drain."""
    project.install("1.0.0")
    project.web["rehearse"] = "start"
    project.configure()
    return project


@pytest.mark.hosts(2)
def test_a_release_that_starts_on_a_free_port_is_deployed_and_nothing_of_it_is_left(
    starting: Project, lab: Lab
) -> None:
    starting.build("2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = starting.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    tried = [step for step in ran.steps() if "on a free port, and end it" in step]
    assert [step.partition(":")[0] for step in tried] == [called(lab.hosts[0])], "the first batch"
    assert set(starting.releases().values()) == {"2.0.0"}
    assert [lab.shell(host, LEFT) for host in lab.hosts] == ["", ""]


@pytest.mark.hosts(2)
@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"crash_at_once": True}, "told to crash at once"),
        ({"sick": True}, "answer 503, not 200 for 8 s"),
    ],
    ids=["ends", "is sick"],
)
def test_p8_a_release_that_does_not_start_is_refused_while_all_hosts_serve(
    starting: Project, lab: Lab, behaviour: dict[str, Any], said: str
) -> None:
    starting.build("2.0.0", **behaviour)
    seen = len(lab.events())
    ran = starting.deploy("2.0.0")
    assert ran.code == 2, ran.output
    assert said in " ".join(ran.output.split())
    assert len(lab.events()) == seen, "a target was touched"
    assert set(starting.releases().values()) == {"1.0.0"}
    assert lab.shell(lab.hosts[0], "ls /srv/web/records/bad 2>/dev/null; true") == ""
    assert lab.shell(lab.hosts[0], LEFT) == ""


@pytest.mark.hosts(2)
def test_a_port_of_its_own_that_is_taken_by_what_runs_is_said_and_no_fault(
    project: Project, lab: Lab
) -> None:
    set_check(lab, "web-lab", HealthCheckPort="9000")
    project.install("1.0.0", health_port=9000)
    project.web["rehearse"] = "start"
    project.configure()
    project.build("2.0.0", health_port=9000)
    try:
        ran = project.deploy("2.0.0")
        assert ran.code == 0, ran.output
        assert "not rehearsed, a port of its own is in use" in " ".join(ran.output.split())
        assert set(project.releases().values()) == {"2.0.0"}
    finally:
        set_check(lab, "web-lab", HealthCheckPort="traffic-port")


@pytest.mark.hosts(2)
def test_p4_a_rehearsal_that_was_killed_is_ended_by_repair(starting: Project, lab: Lab) -> None:
    starting.shorten_lock()
    starting.build("2.0.0", start_seconds=3)
    victim = starting.hooked(kill=f"{called(lab.hosts[0])}: start 2.0.0", after=1.5)
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    assert victim.inv(*words).code == -signal.SIGKILL
    assert "changeover-start.web.service" in lab.shell(lab.hosts[0], LEFT)
    ran = starting.inv("repair", "--env", "lab", "--yes", "--wait-lock", "60")
    assert ran.code == 0, ran.output
    assert "end the rehearsal of web" in ran.output
    assert lab.shell(lab.hosts[0], LEFT) == ""
    assert set(starting.releases().values()) == {"1.0.0"}
