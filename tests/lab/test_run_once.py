"""A migration runs once for a release, whatever the number of hosts and whatever is killed."""

from __future__ import annotations

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, until

COUNT = "/var/lib/web/migrations"
FINE = "echo migrating 0042; sleep 2"
UNITS = "systemctl list-units --all --plain --no-legend 'changeover-once.*'"
LEFT = "ls /run/systemd/system | grep changeover-once; true"


def build(project: Project, version: str, then: str = FINE) -> None:
    """A release whose migration notes that it ran, and then does something."""
    folder = project.build(version, form="folder")
    (folder / "migrate").write_text(
        f'#!/bin/sh\necho "$CHANGEOVER_RELEASE $(id -un) $PORT $PWD" >>{COUNT}\n{then}\n'
    )


def migrations(lab: Lab) -> list[str]:
    """What the migrations of all hosts have noted."""
    texts = (lab.shell(host, f"cat {COUNT} 2>/dev/null; true") for host in lab.hosts)
    return [line for text in texts for line in text.splitlines()]


@pytest.fixture
def migrating(project: Project) -> Project:
    """1.0.0 serves, without a migration; later releases have one."""
    project.install("1.0.0")
    project.web["run_once"] = "./migrate"
    project.configure()
    return project


def test_p1_one_host_of_four_runs_it_once_for_a_release(migrating: Project, lab: Lab) -> None:
    build(migrating, "2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = migrating.deploy("2.0.0")
        assert ran.code == 0, ran.output
        (line,) = migrations(lab)
        release, *rest = line.split()
        assert release.startswith("2.0.0-")
        assert rest == ["web", "5000", "/srv/web/current"]
        steps = ran.steps()
        place = next(n for n, step in enumerate(steps) if ": run `./migrate`" in step)
        assert not any(" deregister " in step for step in steps[:place])
        assert not any(" upload " in step for step in steps[place:])
        assert ": migrating 0042" in ran.output

        migrating.web["environment"] = {"GREETING": "again"}
        migrating.configure()
        again = migrating.deploy("2.0.0")
        assert again.code == 0, again.output
        assert "Note: web: `./migrate` is not run for 2.0.0-" in " ".join(again.output.split())
        assert migrations(lab) == [line]

        build(migrating, "3.0.0")
        assert migrating.deploy("3.0.0").code == 0
    assert len(migrations(lab)) == 2
    assert load.result.failed == 0, load.result.failures
    assert [lab.shell(host, LEFT) for host in lab.hosts] == [""] * len(lab.hosts)


@pytest.mark.hosts(2)
def test_p1_where_it_fails_no_host_is_touched_and_the_next_deploy_asks(
    migrating: Project, lab: Lab
) -> None:
    build(migrating, "2.0.0", "echo no such column: total; exit 3")
    seen = len(lab.events())
    failed = migrating.deploy("2.0.0")
    assert failed.code == 1, failed.output
    said = " ".join(failed.output.split())
    assert "`./migrate` ended with exit status 3" in said
    assert "no such column: total" in said
    assert len(lab.events()) == seen, "a target was touched"
    assert set(migrating.releases().values()) == {"1.0.0"}

    asked = migrating.deploy("2.0.0")
    assert asked.code == 2, asked.output
    said = " ".join(asked.output.split())
    assert "its host shows that it failed (exit status 3)" in said
    assert "--package 2.0.0 --run-once again" in said
    assert len(migrations(lab)) == 1
    assert migrating.deploy("2.0.0", "--run-once", "again").code == 1
    assert len(migrations(lab)) == 2
    skipped = migrating.deploy("2.0.0", "--run-once", "skip")
    assert skipped.code == 0, skipped.output
    assert len(migrations(lab)) == 2
    assert set(migrating.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
@pytest.mark.parametrize(("answer", "count"), [("again", 2), ("skip", 1)])
def test_p4_one_that_outlives_its_deploy_is_found_and_asked_about(
    migrating: Project, lab: Lab, answer: str, count: int
) -> None:
    migrating.shorten_lock()
    build(migrating, "2.0.0", f"{FINE}; sleep 12")
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    deploy = migrating.start(*words)
    deploy.until(": migrating 0042")
    deploy.process.kill()
    deploy.wait()

    early = migrating.deploy("2.0.0", "--run-once", answer, "--wait-lock", "30s")
    assert early.code == 2, early.output
    assert "`./migrate` of 2.0.0-" in early.output
    assert "still runs on" in early.output
    until("it has ended", lambda: any("exited" in lab.shell(host, UNITS) for host in lab.hosts))
    asked = migrating.deploy("2.0.0")
    assert asked.code == 2, asked.output
    assert "its host shows that it ended well" in " ".join(asked.output.split())
    repaired = migrating.inv("repair", "--env", "lab", "--yes")
    assert repaired.code == 0, repaired.output
    assert len(migrations(lab)) == 1, "a repair runs nothing"
    assert migrating.deploy("2.0.0").code == 2, "and answers nothing"
    done = migrating.deploy("2.0.0", "--run-once", answer)
    assert done.code == 0, done.output
    assert len(migrations(lab)) == count
    assert set(migrating.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p9_an_interrupt_meanwhile_comes_after_it(migrating: Project, lab: Lab) -> None:
    build(migrating, "2.0.0", f"{FINE}; sleep 5")
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes")
    deploy = migrating.start(*words)
    deploy.until(": migrating 0042")
    deploy.send(2)
    ended = deploy.wait()
    assert ended.code == 130, ended.output
    assert set(migrating.releases().values()) == {"1.0.0"}
    assert migrating.deploy("2.0.0").code == 0, "it is done, so nothing is asked"
    assert len(migrations(lab)) == 1
