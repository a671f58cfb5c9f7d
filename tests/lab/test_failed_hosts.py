"""A release that fails on one host alone: what a person, or an option, decides about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from test_failures import broken_on
from test_screen import at_terminal

from lab.count import Count
from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, called, until
from lab.terminal import Session

PROGRAM = "/srv/web/releases/{}-*/web"


@contextmanager
def asked_about(project: Project, lab: Lab, prompt: str) -> Iterator[Session]:
    """A deploy at a terminal whose release fails on the second of three hosts, and which asks."""
    project.install("1.0.0")
    project.build("2.0.0")
    host = lab.hosts[2]  # by their zones it is the second one's turn
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--batch", "1")
    with (
        Load(lab.url("web"), rate=MODEST_RATE) as load,
        Count(lab) as count,
        broken_on(lab, host, "2.0.0"),
        at_terminal(project, *words) as session,
    ):
        session.until("hosts? [y/N] ", 60)
        session.type("y\n")
        session.until(f"{called(host)}: {prompt}? ", 90)
        # No host is out, or drains, while the question is open.
        everyone = {each.name: "healthy" for each in lab.hosts}
        until("all are healthy", lambda: lab.health("web-lab") == everyone)
        yield session
        assert session.is_restored
    assert load.result.failed == 0, load.result.failures
    assert count.least >= len(lab.hosts) - 1


@pytest.mark.hosts(3)
def test_p1_tried_again_once_the_cause_is_repaired_it_ends_as_if_nothing_had_failed(
    project: Project, lab: Lab
) -> None:
    with asked_about(project, lab, "r, l, s, b") as session:
        lab.shell(lab.hosts[2], f"chmod 0750 {PROGRAM.format('2.0.0')}")
        session.type("r\n")
        assert session.wait(120) == 0, session.output
        assert "retry, decided by" in session.output
    assert set(project.releases().values()) == {"2.0.0"}
    assert project.status()["well"], str(project.status())


@pytest.mark.hosts(3)
def test_left_out_it_stays_on_its_release_and_the_others_go_on(project: Project, lab: Lab) -> None:
    with asked_about(project, lab, "r, l, s, b") as session:
        session.type("leave out\n")
        assert session.wait(120) == 4, session.output
    assert sorted(project.releases().values()) == ["1.0.0", "2.0.0", "2.0.0"]


@pytest.mark.hosts(3)
def test_stopped_finished_hosts_keep_the_new_release(project: Project, lab: Lab) -> None:
    with asked_about(project, lab, "r, l, s, b") as session:
        session.type("s\n")
        assert session.wait(120) == 4, session.output
    assert sorted(project.releases().values()) == ["1.0.0", "1.0.0", "2.0.0"]


@pytest.mark.hosts(3)
def test_rolled_back_finished_hosts_go_back_too(project: Project, lab: Lab) -> None:
    with asked_about(project, lab, "r, l, s, b") as session:
        session.type("b\n")
        assert session.wait(120) == 1, session.output
    assert set(project.releases().values()) == {"1.0.0"}


@pytest.mark.hosts(3)
def test_a_host_on_which_the_old_release_fails_too_is_put_back_once_that_is_repaired(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    host = lab.hosts[1]
    spoil = f"chmod 0 {PROGRAM.format('1.0.0')}"
    words = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--batch", "1")
    with (
        Load(lab.url("web"), rate=MODEST_RATE) as load,
        broken_on(lab, host, "2.0.0"),
        at_terminal(project, *words) as session,
    ):
        session.until("hosts? [y/N] ", 60)
        lab.shell(host, spoil)  # what runs has been started long ago
        session.type("y\n")
        session.until(f"{called(host)}: r, p, l, s, b? ", 120)
        lab.shell(host, f"chmod 0750 {PROGRAM.format('1.0.0')}")
        session.type("p\n")
        assert session.wait(120) == 4, session.output
    assert load.result.failed == 0, load.result.failures
    assert sorted(project.releases().values()) == ["1.0.0", "2.0.0", "2.0.0"]
    assert project.status()["lock"] == ""


@pytest.mark.hosts(3)
def test_in_ci_an_option_answers(project: Project, lab: Lab) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    with broken_on(lab, lab.hosts[2], "2.0.0"):
        ran = project.deploy("2.0.0", "--batch", "1", "--on-failure", "retry")
    assert ran.code == 4, ran.output
    assert ran.output.count(f"{called(lab.hosts[2])}: retry, decided by --on-failure retry") >= 1
    refused = project.deploy("2.0.0", "--on-failure", "ask")
    assert refused.code == 2
    assert "--on-failure ask: no person can be asked" in refused.output


@pytest.mark.hosts(3)
def test_p9_ctrl_c_at_the_question_is_the_normal_stop(project: Project, lab: Lab) -> None:
    with asked_about(project, lab, "r, l, s, b") as session:
        session.type("\x03")
        assert session.wait(60) == 130, session.output
    assert project.status()["lock"] == ""
    assert sorted(project.releases().values()) == ["1.0.0", "1.0.0", "2.0.0"]
