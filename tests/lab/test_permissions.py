"""docs/permissions.md allows what the commands call, and nothing besides."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from lab.project import ROOT, set_delay
from lab.project import called as called_host

if TYPE_CHECKING:
    from lab.fleet import Lab
    from lab.project import Project


def allowed() -> dict[str, set[str]]:
    """The actions of each statement of the policy, without their service."""
    page = (ROOT / "docs" / "permissions.md").read_text()
    found = re.search(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found
    policy = json.loads(found[1])
    return {
        statement["Sid"]: {action.partition(":")[2] for action in statement["Action"]}
        for statement in policy["Statement"]
    }


def called(lab: Lab, before: dict[str, int]) -> set[str]:
    """What was called since then; the lab's own calls are made in the test's code alone."""
    return {name for name, count in lab.calls().items() if count > before.get(name, 0)}


@pytest.mark.long(90)
@pytest.mark.hosts(2)
def test_p9_the_policy_in_the_docs_is_what_the_commands_call(
    project: Project, lab: Lab, request: pytest.FixtureRequest
) -> None:
    """Those about Auto Scaling are made where the hosts belong to a group, from then on."""
    project.web["ports"] = [5000, 5001]
    project.environment["rollout"] = {"strategy": "surge"}
    project.configure()
    project.install("1.0.0")
    project.build("2.0.0")
    set_delay(lab, "web-lab", 3)
    looks, changes, members = (
        allowed()[name] for name in ("Look", "TakeOutAndPutIn", "LookAtAutoScaling")
    )
    before = lab.calls()
    for words in (("status",), ("deploy", "--package", "2.0.0", "--dry-run"), ("lock.status",)):
        assert project.inv(*words, "--env", "lab").code in {0, 1}
    assert called(lab, before) == looks
    assert project.deploy("2.0.0").code == 0
    assert project.inv("rollback", "--env", "lab", "--yes").code == 0
    assert project.inv("repair", "--env", "lab", "--yes").code == 0
    observe = ("observe", "--env", "lab", "--host", called_host(lab.hosts[0]), "--yes")
    assert project.inv(*observe).code == 0
    assert called(lab, before) == looks | changes
    request.getfixturevalue("scaling")
    before = lab.calls()
    project.build("3.0.0")
    assert project.deploy("3.0.0").code == 0
    assert called(lab, before) == looks | changes | members
