"""`inv watch` on real hosts: a deploy that another machine runs, to its end, whatever that is."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, Running

DEPLOY = ("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes", "--batch", "1")


def elsewhere(project: Project, folder: Path, *more: str) -> Running:
    """A watch on a machine that knows of the deploy by its hosts alone."""
    (folder / "elsewhere").mkdir()
    return project.start("watch", "--env", "lab", *more, TMPDIR=str(folder / "elsewhere"))


@pytest.mark.hosts(2)
def test_a_colleague_follows_a_deploy_to_its_end(
    project: Project, lab: Lab, tmp_path: Path
) -> None:
    """Issue 17, item 6: it sees batches, hosts and targets, and ends with the deploy's code."""
    project.shorten_lock()
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        deploying = project.start(*DEPLOY)
        deploying.until("batch 1 of")
        watching = elsewhere(project, tmp_path)
        watching.until("hosts, batch ")
        ended, seen = deploying.wait(), watching.wait()
    assert load.result.failed == 0, load.result.failures
    assert ended.code == 0, ended.output
    assert seen.code == 0, seen.output
    for words in ("deploy by ", "alive", "in service ", ": target ", "deploy has ended: done"):
        assert words in seen.output, seen.output
    late = json.loads(project.inv("watch", "--env", "lab", "--json").stdout)
    assert (late["how"], late["exit_code"], late["record"]["verb"]) == ("none", 0, "deploy")


@pytest.mark.hosts(2)
def test_a_deploy_that_was_killed_is_dead_and_repair_is_named(
    project: Project, lab: Lab, tmp_path: Path
) -> None:
    project.shorten_lock()
    project.install("1.0.0")
    project.build("2.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        deploying = project.start(*DEPLOY)
        deploying.until("batch 1 of")
        watching = elsewhere(project, tmp_path)
        watching.until("alive")
        deploying.send(signal.SIGKILL)
        deploying.wait()
        (holder,) = project.status()["holders"]
        assert holder["life"] == "dead", "on the machine that it ran on, at once"
        seen = watching.wait()
        assert seen.code == 5, seen.output
        assert "next: recover what it left: inv repair --env lab" in seen.output
        assert project.inv("repair", "--env", "lab", "--yes").code == 0
    assert load.result.failed == 0, load.result.failures
    assert {row["state"] for row in project.status()["hosts"]} == {"healthy"}
