"""A deploy that pauses after its first batch goes on, or ends, by what another workstation says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project, Ran


@contextmanager
def paused(project: Project, lab: Lab, *more: str) -> Iterator[list[Ran]]:
    """A deploy that pauses meanwhile; how it ended, after the block, and it lost no request."""
    project.install("1.0.0")
    project.build("2.0.0")
    ended: list[Ran] = []
    words = ("deploy", "--env", "lab", "--package", "2.0.0", "--yes", *more)
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        running = project.start(*words)
        running.until("inv promote --env lab")
        assert sorted(project.releases().values()) == ["1.0.0", "2.0.0"]
        yield ended
        ended.append(running.wait())
    assert load.result.failed == 0, load.result.failures


@pytest.mark.hosts(2)
def test_it_goes_on_when_it_is_promoted_from_elsewhere(
    project: Project, lab: Lab, tmp_path: Path
) -> None:
    early = project.inv("promote", "--env", "lab")
    assert early.code == 2
    assert "no deploy holds the lock" in early.output
    with paused(project, lab, "--canary", "10m") as ended:
        (tmp_path / "colleague").mkdir()
        colleague = Project.on(tmp_path / "colleague", lab)
        said = colleague.inv("promote", "--env", "lab")
        assert said.code == 0, said.output
    assert ended[0].code == 0, ended[0].output
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p12_it_ends_when_it_is_aborted_and_finished_hosts_go_back_by_policy(
    project: Project, lab: Lab
) -> None:
    project.environment["rollout"] = {"batch": 1, "pause_after": 1, "on_failure": "rollback"}
    project.configure()
    with paused(project, lab) as ended:
        assert project.inv("abort", "--env", "lab").code == 0
    assert ended[0].code == 1, ended[0].output
    assert "ended by `inv abort --env lab" in ended[0].output
    assert set(project.releases().values()) == {"1.0.0"}
