"""A deploy in a step of GitHub Actions: its groups, its error with the cause, the job's page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab.project import Project

pytestmark = pytest.mark.hosts(2)


def test_a_failed_deploy_in_ci_shows_the_cause_at_once_and_names_the_person(
    project: Project,
) -> None:
    """Issue 17, item 5."""
    project.install("1.0.0")
    project.build("2.0.0", crash_at_once=True)
    page = project.folder / "summary.md"
    ran = project.start(
        *("deploy", "--env", "lab", "--app", "web", "--package", "2.0.0", "--yes"),
        GITHUB_ACTIONS="true",
        GITHUB_ACTOR="ana",
        GITHUB_STEP_SUMMARY=str(page),
        FORCE_COLOR="1",
        COLUMNS="40",
    ).wait()
    assert ran.code == 1, ran.output
    assert "\x1b" not in ran.output
    lines = ran.stdout.splitlines()
    failed = next(number for number, line in enumerate(lines) if ": FAILED: " in line)
    assert lines[failed - 1] == "::endgroup::"
    after = "\n".join(lines[failed:])
    assert re.search(r"^\S+T\S+\+\d\d:\d\d \S+:   \| \S+ .*systemd", after, re.MULTILINE), after
    (error,) = [line for line in lines if line.startswith("::error title=")]
    assert "%0A| " in error
    marks = [line[:7] for line in lines if line.startswith(("::group::", "::endgroup::"))]
    assert marks[::2] == ["::group"] * (len(marks) // 2)
    assert marks[1::2] == ["::endgr"] * (len(marks) // 2)
    shown = page.read_text()
    assert "| host | outcome |" in shown
    assert "back on what it ran" in shown
    assert "<pre>" in shown
    assert "ana &#40;GitHub Actions&#41;" in shown
