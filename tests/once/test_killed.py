"""P4: a deploy that is killed at any instant never has the next one run the command unasked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import builders
import pytest
from builders import NEW

from deploy.command_result import CommandResult
from deploy.hosts.lock.view import quorum
from deploy.hosts.once.evidence import Evidence, Standing
from deploy.once.step import RunOnce, SkipOnce
from deploy.steps.fleet import Fleet

if TYPE_CHECKING:
    from deploy.hosts.once.record import OnceRecord
    from deploy.hosts.scripts.script import Script

T = TypeVar("T")
APP = builders.app("web", 5000, run_once="./migrate").at(5000)
STEPS = (RunOnce(builders.host(), APP, NEW, "a unit"), SkipOnce(builders.host(), APP, NEW))


class Killed(BaseException):
    """The workstation lost its power."""


@dataclass
class World:
    """Three hosts with their records, and systemd on the first; killed at an instant.

    Attributes:
        instants: So many are left before the kill; None for no kill.
        seen: Of the command, by whom a start was asked for.
        down: A host that takes no record.
    """

    instants: int | None
    down: str = ""
    records: dict[str, OnceRecord] = field(default_factory=dict)
    units: set[str] = field(default_factory=set)
    runs: int = 0

    def instant(self) -> None:
        if self.instants is not None:
            self.instants -= 1
            if self.instants < 0:
                raise Killed

    def write(self, _app: str, _release: str, record: OnceRecord) -> None:
        """Host by host, and a kill before each; the last host may take none."""
        done = 0
        for name in ("host-1", "host-2", "host-3"):
            self.instant()
            if name != self.down:
                self.records[name] = record
                done += 1
        self.instant()
        assert done >= quorum(3)

    def send(self, _app: str, script: Script[T], _source: Any) -> T:
        self.instant()
        if self.records:
            assert self.evidence.standing is Standing.STARTED, "it is written down before"
        unit = script.programs[-1].arguments[0]
        if unit not in self.units:
            self.units.add(unit)
            self.runs += 1
        self.instant()
        return script.parse(CommandResult("", 0, "", ""))

    def change(self, _app: str, script: Script[T]) -> T:
        self.instant()
        self.units.discard(script.programs[-1].arguments[0])
        self.instant()
        return script.parse(CommandResult("", 0, "", ""))

    def ask(self, script: Script[T], _timeout_seconds: float) -> T:
        self.instant()
        is_there = script.programs[-1].arguments[0] in self.units
        facts = (f"show.ActiveState={'active' if is_there else 'inactive'}",)
        return script.parse(CommandResult("", 0, "", "", facts=facts))

    @property
    def evidence(self) -> Evidence:
        """What the next deploy sees."""
        return Evidence(3, dict(self.records))

    def run(self, step: RunOnce | SkipOnce) -> bool:
        """Run a step as one deploy; whether it came to its end."""
        fleet = Fleet(
            remotes={"host-1": cast("Any", self)},
            groups={},
            registrar=cast("Any", None),
            poller=cast("Any", None),
            run="ab" * 16,
            ledger=cast("Any", self),
        )
        try:
            step.run(fleet)
        except Killed:
            return False
        return True


def kills(step: RunOnce | SkipOnce, down: str) -> list[World]:
    """A world for each instant at which the deploy is killed, and at last one where it is not."""
    found: list[World] = []
    for instant in itertools.count():
        world = World(instant, down)
        found.append(world)
        if world.run(step):
            return found
    raise AssertionError


@pytest.mark.parametrize("down", ["", "host-3"])
def test_whatever_the_instant_what_ran_is_known_to_have_been_started(down: str) -> None:
    worlds = kills(STEPS[0], down)
    assert len(worlds) > 10
    standings = [world.evidence.standing for world in worlds]
    for world, standing in zip(worlds, standings, strict=True):
        assert world.runs <= 1
        assert world.runs == 0 or standing is not Standing.NOT_RUN
        assert world.runs == 1 or standing is not Standing.DONE
    assert {*standings} == {*Standing} - {Standing.UNKNOWN}, "each of them was met"
    assert standings[-1] is Standing.DONE


@pytest.mark.parametrize("down", ["", "host-3"])
def test_a_skip_that_was_killed_has_run_nothing(down: str) -> None:
    worlds = kills(STEPS[1], down)
    assert not any(world.runs for world in worlds)
    assert worlds[0].evidence.standing is Standing.NOT_RUN
    assert worlds[-1].evidence.standing is Standing.DONE
