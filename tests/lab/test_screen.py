"""P7 and P9 at a terminal, with `inv` as it is typed: the question, Ctrl-C, and what is left."""

from __future__ import annotations

import pytest

from lab.project import Project
from lab.terminal import Session

pytestmark = pytest.mark.hosts(2)

INV = "import sys; sys.argv[0] = 'inv'; from invoke.main import program; program.run()"


def at_terminal(project: Project, *words: str, pipes: tuple[str, ...] = ()) -> Session:
    return Session(INV, *words, "--settings", str(project.file), pipes=pipes)


def deploy(project: Project, version: str, *, pipes: tuple[str, ...] = ()) -> Session:
    words = ("deploy", "--env", "lab", "--app", "web", "--package", version)
    return at_terminal(project, *words, pipes=pipes)


def test_no_is_6_and_changes_nothing_also_where_the_output_is_piped(project: Project) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    for pipes in ((), ("stdout",)):
        with deploy(project, "2.0.0", pipes=pipes) as session:
            session.until("Deploy web 2.0.0-", 60)
            session.until("hosts? [y/N] ")
            session.type("n\n")
            assert session.wait(60) == 6, session.output
            said = session.output + session.piped.decode()
            assert "Nothing was changed." in said
            assert "On each host:" in said
            assert session.is_restored
    assert set(project.releases().values()) == {"1.0.0"}
    assert project.status()["lock"] == ""


def test_after_ctrl_c_the_message_is_on_the_screen_and_the_terminal_as_before(
    project: Project,
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    with deploy(project, "2.0.0") as session:
        session.until("hosts? [y/N] ", 60)
        session.type("y\n")
        session.until("draining", 60)
        session.type("\x03")
        assert session.wait(60) == 130, session.output
        assert session.is_restored
        text = "".join(row.ljust(80) for row in session.screen.rows)
        assert text.count("Stopping. No further hosts will start. Draining hosts return to") == 1
    assert set(project.releases().values()) == {"1.0.0"}
    assert project.status()["well"], str(project.status())
