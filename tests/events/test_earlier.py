"""What steps took in earlier runs: of the same environment, and only where they waited the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.events import earlier, file, runs
from deploy.events.event import VERSION, Event, RunBegan, StepEnded
from deploy.events.planned import PlanMade, PlannedBatch, PlannedHost, PlannedStep
from deploy.events.stream import Stream

if TYPE_CHECKING:
    from pathlib import Path

BEGAN = RunBegan(VERSION, "0" * 32, "0.1.0", "deploy", "prod", "ana@one", "inv deploy")


def plan(wait: float = 10.0, environment: str = "prod") -> PlanMade:
    steps = (
        PlannedStep("web", "drain", "drain", wait, "wait_drained"),
        PlannedStep("web", "start", "switch", 0.0, "start_unit"),
    )
    batch = PlannedBatch((PlannedHost("web-1", steps), PlannedHost("web-2", steps)))
    return PlanMade("Deploy", "", {}, ("web-1", "web-2"), (), (batch,), environment=environment)


def ended(kind: str, seconds: float, **changed: Any) -> StepEnded:
    step = StepEnded("web-1", "web", "text", "drain", seconds, "", "", is_planned=True, kind=kind)
    return replace(step, **changed)


def keep(folder: Path, name: str, *events: Event) -> None:
    """A run's file, of which `name` begins the folder's name."""
    stream = Stream(now=lambda: 1_795_950_000.0 + 60 * int(name))
    with file.recorded(stream, folder, name * 32):
        for event in events:
            stream.emit(event)


def test_the_last_run_that_had_such_a_step_says_how_long_it_took(tmp_path: Path) -> None:
    keep(tmp_path, "1", BEGAN, plan(), ended("wait_drained", 30.0), ended("start_unit", 4.0))
    keep(tmp_path, "2", BEGAN, plan(), ended("wait_drained", 18.0), ended("wait_drained", 20.0))
    assert earlier.took(tmp_path, plan()) == {"web": {"wait_drained": 19.0, "start_unit": 4.0}}


@pytest.mark.parametrize(
    "events",
    [
        (replace(BEGAN, environment="staging"), plan(), ended("wait_drained", 18.0)),
        (BEGAN, plan(wait=300.0), ended("wait_drained", 305.0)),
        (BEGAN, plan(), ended("wait_drained", 1.0, error="it broke")),
        (BEGAN, plan(), ended("wait_drained", 1.0, is_stopped=True)),
        (BEGAN, plan(), ended("wait_drained", 1.0, is_planned=False)),
        (BEGAN, plan()),
    ],
    ids=["another environment", "another delay", "failed", "stopped", "a recovery's", "none"],
)
def test_what_says_nothing_about_this_plan_does_not_count(
    tmp_path: Path, events: tuple[Event, ...]
) -> None:
    keep(tmp_path, "1", *events)
    assert earlier.took(tmp_path, plan()) == {}


def test_files_that_cannot_be_read_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, "1", BEGAN, plan(), ended("wait_drained", 18.0))
    broken = tmp_path / "20991231T000000Z-00000000" / runs.NAME
    broken.parent.mkdir()
    broken.write_text('{"event": "step_ended", \n')
    assert earlier.took(tmp_path, plan()) == {"web": {"wait_drained": 18.0}}
    monkeypatch.setattr(earlier, "MOST_BYTES", 10)
    assert earlier.took(tmp_path, plan()) == {}
    assert earlier.took(tmp_path / "none", plan()) == {}
