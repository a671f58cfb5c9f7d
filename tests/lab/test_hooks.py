"""Hooks of the user's run as a deploy goes on, and may hold up what has not begun."""

from __future__ import annotations

import pytest

from lab.aws import short_name
from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import Project

NOTE = 'echo "$CHANGEOVER_HOOK $CHANGEOVER_BATCH$CHANGEOVER_HOST" >>hooks.log'


def put(project: Project, **hooks: str) -> None:
    """Write hooks, by name with `_` for `-`; each also notes that it ran."""
    folder = project.folder / "hooks"
    folder.mkdir(exist_ok=True)
    for name, text in hooks.items():
        file = folder / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\n{NOTE}\n{text}\n")
        file.chmod(0o755)


def ran(project: Project) -> list[str]:
    file = project.folder / "hooks.log"
    return file.read_text().split("\n")[:-1] if file.exists() else []


@pytest.mark.hosts(2)
def test_hooks_run_in_order_and_a_gate_ends_the_rollout_with_whole_hosts(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    quiet = dict.fromkeys(("pre_deploy", "pre_batch", "post_host", "post_deploy", "on_failure"), "")

    put(project, **quiet | {"pre_deploy": "echo frozen until Monday; exit 1"})
    frozen = project.deploy("2.0.0")
    assert frozen.code == 2, frozen.output
    assert "hook pre-deploy failed: exit status 1\n  | frozen until Monday" in frozen.output
    assert set(project.releases().values()) == {"1.0.0"}
    assert ran(project) == ["pre-deploy "]

    put(project, **quiet | {"pre_batch": '[ "$CHANGEOVER_BATCH" = 1 ] || { echo alarm; exit 9; }'})
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        held = project.deploy("2.0.0")
        assert held.code == 4, held.output
        assert "hook pre-batch failed: exit status 9" in held.output
        assert sorted(project.releases().values()) == ["1.0.0", "2.0.0"]
        done = ran(project)
        assert [each.split()[0] for each in done[1:]] == [
            "pre-deploy",
            "pre-batch",
            "post-host",
            "pre-batch",
            "on-failure",
        ]
        put(project, pre_batch="")
        assert project.deploy("2.0.0").code == 0
    assert load.result.failed == 0, load.result.failures
    assert ran(project)[-1] == "post-deploy "
    names = {short_name(host.name) for host in lab.hosts}
    assert names <= {each.split()[-1] for each in ran(project)}
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p12_on_failure_rollback_answers_a_gate_too_and_is_held_up_by_none(
    project: Project, lab: Lab
) -> None:
    project.environment["rollout"] = {"on_failure": "rollback", "batch": 1}
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    put(project, pre_batch='[ "$CHANGEOVER_BATCH" = 1 ]', post_host="exit 3")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        held = project.deploy("2.0.0")
    assert held.code == 1, held.output
    assert load.result.failed == 0, load.result.failures
    assert "hook post-host for" in held.output
    assert set(project.releases().values()) == {"1.0.0"}
    assert [each for each in ran(project) if each.startswith("pre-batch")] == [
        "pre-batch 1",
        "pre-batch 2",
    ]
