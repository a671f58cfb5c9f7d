"""A command runs once: written down before it starts, seen to its end, written down after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

import builders
import pytest
from builders import NEW

from deploy import retry
from deploy.clock import Clock
from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, ConnectionLost, DeployError, LockLost, Unreachable
from deploy.hosts.once import scripts
from deploy.hosts.once.record import OnceRecord, State
from deploy.once.step import RunOnce, SkipOnce
from deploy.steps.fleet import Fleet

if TYPE_CHECKING:
    from deploy.clock import Waited
    from deploy.hosts.scripts.script import Script

T = TypeVar("T")
RUN = "ab" * 16
UNIT = f"changeover-once.web.{RUN[:12]}.service"
WEB = builders.app("web", 5000, run_once="./migrate", run_once_timeout_seconds=60).at(5000)
STEP = RunOnce(builders.host(), WEB, NEW, "the unit")


class Jumping(Clock):
    """Waits take no time; the clock goes on by them."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, on: Waited, seconds: float) -> bool:
        if on.wait(0):
            return True
        self.now += seconds
        return False


@dataclass
class World:
    """A host, on which systemd runs the unit, and what all hosts have written down.

    Attributes:
        states: Of the unit, at each look; the last one stays.
        did: What was done, in order; `ran` is one run of the command.
        errors: What an act fails with after it was done, by the start of its line, once each.
        stop_at: At which look the operator wants an end.
    """

    states: list[str] = field(default_factory=lambda: ["activating", "active"])
    did: list[str] = field(default_factory=list)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    refuses: dict[str, Exception] = field(default_factory=dict)
    stop_at: int = 0
    result: str = "exit-code"
    is_there: bool = False
    said: list[str] = field(default_factory=list)
    fleet: Fleet = field(init=False)

    def __post_init__(self) -> None:
        self.fleet = Fleet(
            remotes={"host-1": cast("Any", self)},
            groups={},
            registrar=cast("Any", None),
            poller=cast("Any", None),
            run=RUN,
            author="ana@laptop",
            clock=Jumping(),
            tell=lambda _, text: self.said.append(text),
            ledger=cast("Any", self),
        )

    def _act(self, line: str) -> None:
        if error := self.refuses.get(line.split(" ", maxsplit=1)[0]):
            raise error
        self.did.append(line)
        for start, errors in self.errors.items():
            if line.startswith(start) and errors:
                raise errors.pop(0)

    def write(self, app: str, release: str, record: OnceRecord) -> None:
        assert (app, release) == ("web", NEW)
        assert record.host == ("" if record.state is State.SKIPPED else "host-1")
        self._act(f"{record.state}")

    def send(self, app: str, script: Script[T], source: Any) -> T:
        assert (app, source.read()) == ("web", b"the unit")
        if self.is_there:
            self._act("start: there already")
        else:
            self.is_there = True
            self._act("start: ran")
        return script.parse(CommandResult("", 0, "", ""))

    def change(self, app: str, script: Script[T]) -> T:
        assert app == "web"
        self._act(str(script.programs[-1].name))
        self.is_there &= script.programs[-1].name != "end_trial"
        return script.parse(CommandResult("", 0, "", ""))

    def ask(self, script: Script[T], timeout_seconds: float) -> T:
        del timeout_seconds
        if script.programs[-1].name == "journal_of":
            return script.parse(CommandResult("", 0, "migrating 0042\nno such column\n", ""))
        assert script.programs[-1].arguments[0] == UNIT
        if self.stop_at:
            self.stop_at -= 1
            if not self.stop_at:
                self.fleet.stop.set()
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        facts = [f"show.ActiveState={state}", "show.LoadState=loaded", f"show.Result={self.result}"]
        facts += ["show.ExecMainStatus=3", f"show.InvocationID={'cd' * 16}"]
        return script.parse(CommandResult("", 0, "", "", facts=tuple(facts)))

    def run(self, step: RunOnce | SkipOnce = STEP) -> list[str]:
        """Run a step as the engine does: again where it fails and may pass."""
        retry.patiently(lambda: step.run(self.fleet), self.said.append, clock=self.fleet.clock)
        return self.did


def lost() -> ConnectionLost:
    return ConnectionLost("host-1: the connection broke")


def test_p4_it_is_written_down_before_it_starts_and_after_it_ended_well() -> None:
    world = World()
    assert world.run() == ["started", "start: ran", "done", "end_trial"]
    assert "| migrating 0042" in world.said


@pytest.mark.parametrize("errors", [["start"], ["started"], ["done"], ["start", "done"]])
def test_p4_whatever_breaks_on_the_way_it_runs_once(errors: list[str]) -> None:
    world = World(errors={each: [lost()] for each in errors})
    assert world.run().count("start: ran") == 1
    assert world.did[-2:] == ["done", "end_trial"]


def test_p4_a_connection_that_breaks_at_the_very_end_runs_nothing_again() -> None:
    world = World(errors={"end_trial": [lost()]})
    assert world.run() == ["started", "start: ran", "done", "end_trial"]


def test_p4_nothing_starts_that_is_not_written_down() -> None:
    world = World(refuses={"started": Unreachable("too few")})
    with pytest.raises(Unreachable):
        world.run()
    assert world.did == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("exit-code", "`./migrate` ended with exit status 3; no host was taken out of service"),
        ("timeout", "`./migrate` was ended after 60 s"),
        ("signal", "`./migrate` did not end well (systemd's result: signal)"),
    ],
)
def test_one_that_fails_is_not_done_and_says_what_it_printed(result: str, said: str) -> None:
    world = World(["activating", "failed"], result=result)
    with pytest.raises(DeployError) as caught:
        world.run()
    assert world.did == ["started", "start: ran"]
    for part in (said, f"journalctl -u {UNIT}", "  | no such column", "asks whether to run it"):
        assert part in str(caught.value)
    assert not caught.value.blames_release


@pytest.mark.parametrize("states", [["activating", "inactive"], ["inactive"]])
def test_a_host_that_no_longer_knows_it_leaves_it_open(states: list[str]) -> None:
    world = World(states)
    with pytest.raises(DeployError, match="how it ended is not known"):
        world.run()
    assert "done" not in world.did


def test_systemd_may_take_a_moment_to_begin() -> None:
    assert World(["inactive", "inactive", "activating", "active"]).run()[-2] == "done"


def test_one_that_systemd_does_not_end_is_not_waited_for_without_end() -> None:
    world = World(["activating"])
    with pytest.raises(DeployError, match="still runs after"):
        world.run()
    assert world.fleet.clock.monotonic() < 300


def test_p9_an_end_that_is_wanted_meanwhile_comes_after_it() -> None:
    """It cannot be taken back: half a migration is worse than a late end."""
    world = World(["activating"] * 5 + ["active"], stop_at=2)
    did = world.run()
    assert did[:2] + did[-2:] == ["started", "start: ran", "done", "end_trial"]
    assert set(did[2:-2]) == {"end_with_zero"}, "that the environment is still ours"
    assert "it cannot be taken back, so its end is waited for" in world.said


def test_p5_it_is_left_alone_once_another_deploy_took_over() -> None:
    world = World(["activating"], stop_at=1, refuses={"end_with_zero": LockLost("taken")})
    with pytest.raises(LockLost):
        world.run()


def test_one_that_runs_there_already_is_named() -> None:
    result = CommandResult("", scripts.STILL_RUNS, "changeover-once.web.x.service runs\n", "")
    world = World(refuses={"start:": CommandFailed("host-1", "starting", result)})
    with pytest.raises(DeployError, match="runs there already, of an earlier deploy"):
        world.run()


def test_p4_a_host_that_was_restarted_meanwhile_leaves_it_open() -> None:
    result = CommandResult("", scripts.RESTARTED, "", "")
    world = World(refuses={"start:": CommandFailed("host-1", "starting", result)})
    with pytest.raises(DeployError, match="how it ended is not known"):
        world.run()
    assert world.did == ["started"]


def test_one_that_needs_no_run_is_written_down_as_such() -> None:
    world = World()
    step = SkipOnce(builders.host(), WEB, NEW)
    assert world.run(step) == ["skipped"]
    assert str(step) == f"note that `./migrate` of web {NEW} needs no run"
