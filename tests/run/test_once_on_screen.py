"""The live screen and the report of a command that is run once, drawn from the run's events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from deploy.errors import DeployError
from deploy.events.event import Entry, StepBegan
from deploy.once.step import RunOnce
from deploy.run import as_events
from deploy.run.executor import Execution
from deploy.screen import tables
from deploy.screen.run import drawing
from deploy.screen.run.line import plain
from deploy.screen.run.state import RunState
from deploy.screen.run.story import Story
from deploy.settings.scope import Scope
from run.paper_fleet import RUN_ONCE, made, old, with_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Event
    from run.paper_fleet import Ran

UNIT = "changeover-once.web.abababababab.service"


@pytest.fixture
def ran(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Ran:
    """A run whose migration fails."""
    monkeypatch.setattr(RunOnce, "run", lambda step, fleet: fleet.do(step))

    def broken(_: Execution) -> None:
        raise DeployError(
            "host-1: `./migrate` ended with exit status 3; no host was taken out of service",
            *(f"  | 2026-11-29T12:00:0{n}+0000 host-1 web[11]: line {n}" for n in range(5)),
            f"  its output: journalctl -u {UNIT}",
            "  the next deploy of 2.0.0-bbbbbbbbbbbb asks whether to run it again",
        )

    return run(with_once(made(old(4))), {f"host-1: {RUN_ONCE}": broken})


def replayed(ran: Ran, hear: Callable[[Entry], Any]) -> None:
    """Every event of the run, a tenth of a second apart."""
    ended = as_events.run_ended(ran.report, "inv deploy --env lab")
    events: list[Event] = [as_events.run_began(Scope("lab"), "ab" * 16), *ran.events, ended]
    for number, event in enumerate(events):
        hear(Entry(number / 10, event))


def test_who_runs_it_is_at_work_and_all_hosts_serve(ran: Ran) -> None:
    state, shown = RunState(), list[str]()

    def hear(entry: Entry) -> None:
        state(entry)
        if isinstance(entry.event, StepBegan) and RUN_ONCE in entry.event.step:
            shown.extend(map(plain, drawing.lines(state, 80, 24, entry.at + 3)))

    replayed(ran, hear)
    assert "in service 4 of 4" in shown[0]
    rows = [line for line in shown if line.startswith("host-")]
    assert [RUN_ONCE in row for row in rows] == [True, False, False, False]
    assert all("serving" in row for row in rows)
    assert max(map(len, shown)) <= 80


def test_the_report_of_one_that_failed_is_short_and_whole_commands(ran: Ran) -> None:
    story = Story()
    replayed(ran, story)
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(cast("Any", tables.render_report(story, is_brief=False)))
    lines = captured.get().splitlines()
    assert len(lines) <= 14
    assert lines[1].strip().startswith("`./migrate` ended with exit status 3")
    assert f"its output: journalctl -u {UNIT}" in lines[7]
    assert max(map(len, lines)) <= 80
