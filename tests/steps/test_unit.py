"""What a stop that systemd ended by force leaves: a notice, and no failure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.steps.fleet import Fleet
from deploy.steps.unit import RetireUnit, ReviveUnit, StopUnit

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script
    from deploy.steps.base import Step

HOST, APP, JOBS = builders.host(), builders.app().at(5000), builders.worker().slots[0]


@dataclass
class PaperHost:
    """A host on which a stop takes 45 s and ends like this; its own clock."""

    result: str
    at: float = 100.0
    told: list[str] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.at

    def change(self, app: str, script: Script[Any], seconds: float) -> Any:
        del app, seconds
        self.at += 45
        facts = "stopped.was=active", f"stopped.result={self.result}"
        return script.parse(CommandResult("", 0, "", "", facts=facts))


def stopped(step: Step, result: str) -> list[str]:
    """The remarks, which no log and no report leaves out."""
    host = PaperHost(result)
    remotes = cast("Any", {HOST.name: host})
    nothing = cast("Any", None)
    fleet = Fleet(remotes, {}, nothing, nothing, clock=cast("Any", host))
    fleet.remark = lambda name, text: host.told.append(f"{name}: {text}")
    step.run(fleet)
    return host.told


STEPS: dict[str, tuple[Step, str]] = {
    "a service": (StopUnit(HOST, APP), "web@5000.service"),
    "a worker": (StopUnit(HOST, JOBS), "jobs@0.service"),
    "the other slot": (RetireUnit(HOST, APP, "web@5001.service"), "web@5001.service"),
    "in place of which the previous one returns": (
        ReviveUnit(HOST, APP, "old.service"),
        "web@5000.service",
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_p10_what_was_killed_at_a_stop_is_said_at_once_and_in_the_report(name: str) -> None:
    step, unit = STEPS[name]
    (remark,) = stopped(step, "timeout")
    assert remark.startswith(f"host-1: {unit} was killed after 45 s (result: timeout): what it had")


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("result", ["success", "exit-code", ""])
def test_nothing_is_said_of_a_unit_that_ended_by_itself(name: str, result: str) -> None:
    assert stopped(STEPS[name][0], result) == []
