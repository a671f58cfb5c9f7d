"""P5: one deploy at a time, on real hosts; the second is told who, since when, from where."""

from __future__ import annotations

import json
import signal

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, called, until

DEPLOY = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
IN_TWO_BATCHES = (*DEPLOY, "--batch", "2")


def test_two_deploys_at_once_have_one_winner_and_the_other_is_told_everything(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        both = [project.start(*IN_TWO_BATCHES, CI_JOB_URL="https://ci.example/7") for _ in range(2)]
        ended = sorted((each.wait() for each in both), key=lambda ran: ran.code)
    assert [ran.code for ran in ended] == [0, 3], ended[0].output + ended[1].output
    for words in ("deploy by ", "since 20", "https://ci.example/7", "--wait-lock", "lock.status"):
        assert words in ended[1].output
    assert load.result.failed == 0, load.result.failures
    assert project.status()["well"], str(project.status())


def test_a_second_may_wait_and_status_tells_who_is_at_work(project: Project) -> None:
    project.shorten_lock()
    project.install("1.0.0")
    project.build("2.0.0")
    first = project.start(*DEPLOY)
    first.until("batch 1 of")
    assert project.status()["lock"].startswith("deploy by ")
    shown = project.inv("lock.status", "--env", "lab")
    assert shown.code == 3, shown.output
    assert "on 4 of 4 hosts" in shown.output
    assert "alive" in shown.output
    told = json.loads(project.inv("lock.status", "--env", "lab", "--json").stdout)
    assert [holder["life"] for holder in told["holders"]] == ["alive"]
    refused = project.inv("lock.break", "--env", "lab", "--reason", "in a hurry")
    assert refused.code == 3, refused.output
    assert "--force" in refused.output
    second = project.inv(*DEPLOY, "--wait-lock", "3m")
    assert first.wait().code == 0
    assert second.code == 0, second.output
    assert "Every host is current" in second.output
    assert project.inv("lock.status", "--env", "lab").code == 0


@pytest.mark.long(75)
@pytest.mark.parametrize("how", ["taken over", "broken"])
def test_a_suspended_deploy_that_wakes_up_changes_nothing_any_more(
    project: Project, lab: Lab, how: str
) -> None:
    """SIGSTOP past its time to live: another takes over; after SIGCONT it stops with 3."""
    project.shorten_lock()
    project.install("1.0.0")
    project.build("2.0.0")
    project.build("3.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        first = project.start(*IN_TWO_BATCHES)
        first.until("batch 2 of")
        until("it drains", lambda: "draining" in lab.health("web-lab").values())
        first.send(signal.SIGSTOP)
        if how == "broken":
            ran = project.inv("lock.break", "--env", "lab", "--reason", "its laptop sleeps")
            assert ran.code == 0, ran.output
        ran = project.deploy("3.0.0", "--batch", "2")
        assert ran.code == 0, ran.output
        assert ("taking over" in ran.output) is (how == "taken over")
        seen = lab.events()[-1]["seq"]
        first.send(signal.SIGCONT)
        ended = first.wait()
    assert ended.code == 3, ended.output
    assert "left unchanged: another deploy holds the lock" in ended.output
    assert lab.events(seen) == []
    assert load.result.failed == 0, load.result.failures
    assert set(project.releases().values()) == {"3.0.0"}
    assert project.status()["well"], str(project.status())


def test_a_fleet_can_be_locked_with_a_host_down_but_not_with_most_of_them(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    down = lab.hosts[0]
    lab.shell(down, "systemctl stop ssh.service ssh.socket")
    try:
        ran = project.deploy(
            "2.0.0", "--skip-host", called(down), "--batch", "100%", "--allow-downtime"
        )
        assert ran.code == 0, ran.output
    finally:
        lab.shell(down, "systemctl start ssh.service")
