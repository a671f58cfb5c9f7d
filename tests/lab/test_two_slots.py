"""Surge and windows under load: capacity never drops, and nobody notices a failure."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from lab.count import Count
from lab.load import MODEST_RATE, Load
from lab.project import Project, set_check, set_delay

if TYPE_CHECKING:
    from lab.fleet import Lab

RATE = 150

FIRST = 5000


@pytest.fixture
def surging(project: Project) -> Project:
    """A project whose app has two slots, 1.0.0 serving in the first one on every host."""
    project.web["ports"] = [5000, 5001]
    project.environment["rollout"] = {"strategy": "surge"}
    project.configure()
    project.install("1.0.0")
    return project


def slots(lab: Lab) -> list[str]:
    """For each host, the units of the app that run and those that start at boot."""
    script = (
        "systemctl list-units --plain --no-legend --state=active 'web@*.service' | cut -d' ' -f1; "
        "ls /etc/systemd/system/multi-user.target.wants | grep web@"
    )
    return [" ".join(lab.shell(host, script).split()) for host in lab.hosts]


def at_rest(lab: Lab, port: int) -> None:
    assert set(slots(lab)) == {f"web@{port}.service web@{port}.service"}
    mark = "" if port == FIRST else f":{port}"
    healthy = {name for name, state in lab.health("web-lab").items() if state == "healthy"}
    assert healthy == {f"{host.name}{mark}" for host in lab.hosts}
    left = lab.shell(lab.hosts[0], "ls -A /srv/web/records")
    assert ".out" not in left


def test_p1_p2_a_surge_never_drops_capacity_and_does_what_it_printed(
    surging: Project, lab: Lab
) -> None:
    surging.build("2.0.0", start_seconds=1, size_mb=5)
    lab.knobs(propagation_lag_seconds=1)
    set_delay(lab, "web-lab", 5)
    planned = surging.deploy("2.0.0", "--dry-run", "--full")
    with (
        Load(lab.url("web"), rate=RATE, slow_share=0.02, slow_seconds=2.0) as load,
        Count(lab) as count,
    ):
        ran = surging.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert set(load.result.by_version) == {"1.0.0", "2.0.0"}
    assert count.least == len(lab.hosts), "fewer were healthy for a while"
    printed = sorted(line.strip() for line in planned.stdout.splitlines() if line[:2] == "  ")
    assert sorted(ran.steps()) == printed
    at_rest(lab, 5001)
    assert surging.status()["well"]

    with Load(lab.url("web"), rate=RATE) as load, Count(lab) as count:
        back = surging.inv("rollback", "--env", "lab", "--yes")
    assert back.code == 0, back.output
    assert "upload" not in back.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts)
    at_rest(lab, 5000)
    assert set(surging.releases().values()) == {"1.0.0"}


def invocations(lab: Lab) -> list[str]:
    script = "systemctl show web@5000.service -p InvocationID --value"
    return [lab.shell(host, script) for host in lab.hosts]


BAD: dict[str, dict[str, Any]] = {
    "crashes at once": {"crash_at_once": True},
    "is sick": {"sick": True},
    "never listens": {"never_listen": True},
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("behaviour", BAD.values(), ids=BAD)
def test_p3_a_bad_release_never_touches_the_old_slot(
    surging: Project, lab: Lab, behaviour: dict[str, Any]
) -> None:
    surging.build("2.0.0", **behaviour)
    before = invocations(lab)
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        ran = surging.deploy("2.0.0")
    assert ran.code == 1, ran.output
    assert "stop and disable web@5001.service" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts)
    assert invocations(lab) == before
    at_rest(lab, 5000)


KILLED = {
    "bookworm-1: daemon-reload": "deploy",
    "bookworm-1: register": "repair",
    "bookworm-1: record": "deploy",
    "bookworm-1: deregister :5000": "repair",
    "bookworm-1: drain :5000": "deploy",
    "bookworm-1: stop": "repair",
}


@pytest.mark.hosts(2)
@pytest.mark.parametrize("moment", KILLED)
def test_p4_a_surge_that_was_killed_is_mended_from_anywhere(
    surging: Project, lab: Lab, moment: str
) -> None:
    surging.shorten_lock()
    surging.build("2.0.0")
    victim = surging.hooked(kill=moment, after=0.02)
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        assert victim.inv(*words).code == -signal.SIGKILL
        if KILLED[moment] == "repair":
            ran = surging.inv("repair", "--env", "lab")
            assert ran.code == 0, ran.output
        ran = surging.deploy("2.0.0")
        assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts)
    assert set(surging.releases().values()) == {"2.0.0"}
    assert surging.status()["well"]


@pytest.mark.hosts(2)
@pytest.mark.parametrize(("step", "version"), [("prove", "1.0.0"), ("drain :5000", "2.0.0")])
def test_p9_an_interrupt_leaves_one_slot_on_each_host(
    surging: Project, lab: Lab, step: str, version: str
) -> None:
    surging.build("2.0.0")
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        running = surging.hooked().start(*words)
        running.until(f"@ bookworm-1: {step}")
        running.send(signal.SIGINT)
        ran = running.wait()
    assert ran.code == 130, ran.output
    assert load.result.failed == 0, load.result.failures
    assert surging.releases()["bookworm-1"] == version
    assert all(len(units.split()) == 2 for units in slots(lab))
    assert {row["state"] for row in surging.status()["hosts"]} == {"healthy"}


@pytest.mark.hosts(2)
def test_a_surge_is_refused_where_one_slot_would_vouch_for_the_other(
    surging: Project, lab: Lab
) -> None:
    surging.build("2.0.0")
    set_check(lab, "web-lab", HealthCheckPort="5000")
    refused = surging.deploy("2.0.0")
    assert refused.code == 2
    assert "one slot would vouch for the other" in refused.output
    set_check(lab, "web-lab", HealthCheckPort="traffic-port")


def test_rolling_works_in_the_slot_that_a_surge_left_in_use(surging: Project, lab: Lab) -> None:
    surging.build("2.0.0")
    assert surging.deploy("2.0.0").code == 0
    surging.environment["rollout"] = {"window": 2}
    surging.configure()
    surging.build("3.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        ran = surging.deploy("3.0.0")
    assert ran.code == 0, ran.output
    assert "2 at a time" in ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts) - 2
    at_rest(lab, 5001)
    assert set(surging.releases().values()) == {"3.0.0"}


@pytest.mark.hosts(2)
def test_p1_a_release_of_before_the_second_port_is_gone_back_to_in_the_new_slot(
    project: Project, lab: Lab
) -> None:
    """Its unit is made there for the slot that it never had."""
    project.install("1.0.0")
    project.build("2.0.0")
    assert project.deploy("2.0.0").code == 0
    project.web["ports"] = [5000, 5001]
    project.environment["rollout"] = {"strategy": "surge"}
    project.configure()
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        ran = project.inv("rollback", "--env", "lab", "--yes")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts)
    at_rest(lab, 5001)
    assert set(project.releases().values()) == {"1.0.0"}


def test_p1_a_rolling_deploy_right_after_a_surge_counts_each_host_once(
    surging: Project, lab: Lab
) -> None:
    """The old slots' targets drain for longer than it takes to type the next command."""
    set_delay(lab, "web-lab", 60)
    surging.environment["rollout"] = {"strategy": "surge", "drain": "quiet"}
    surging.configure()
    surging.build("2.0.0")
    assert surging.deploy("2.0.0").code == 0
    assert "draining" in lab.health("web-lab").values()
    surging.environment["rollout"] = {"batch": 2, "drain": "quiet"}
    surging.configure()
    surging.build("3.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load, Count(lab) as count:
        ran = surging.deploy("3.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert count.least == len(lab.hosts) - 2
    assert set(surging.releases().values()) == {"3.0.0"}


@pytest.mark.hosts(2)
def test_a_slot_that_was_disabled_without_a_reload_is_no_work(surging: Project, lab: Lab) -> None:
    """The property stays `enabled`, and systemd 253 and newer report every unit as changed."""
    surging.build("2.0.0")
    assert surging.deploy("2.0.0").code == 0
    for host in lab.hosts:
        lab.shell(host, "systemctl enable --no-reload web@5000.service")
        lab.shell(host, "systemctl daemon-reload; systemctl show web@5000.service >/dev/null")
        lab.shell(host, "systemctl disable --no-reload web@5000.service")
    ran = surging.deploy("2.0.0", "--dry-run")
    assert ran.code == 0, ran.output
    assert "Every host is current: nothing is changed." in ran.output
