"""A release that ends and is back before the load balancer's next check does not stay."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import HEALTHY

from deploy.errors import NotProven, RemoteError
from deploy.steps.fleet import Moment
from deploy.steps.target import Soak, WaitHealthy
from deploy.steps.unit import ReviveUnit
from steps.test_target import HOST, INITIAL, WEB, fleet, lagging

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script
    from deploy.steps.fleet import Fleet
    from deploy.survey.slot import UnitState

PROVEN = builders.RUNNING
AGAIN = replace(PROVEN, restarts=1, invocation="invocation-2")
"""It runs, and is no longer what was proven."""
NEVER = 10_000.0


@dataclass
class Restarting:
    """A host on which the unit is another invocation from a time on; counts how often it is asked.

    fleet: whose clock counts.
    """

    fleet: Fleet
    at: float
    asked: int = 0

    def ask(self, script: Script[Any], seconds: float) -> UnitState:
        del script, seconds
        self.asked += 1
        return AGAIN if self.fleet.clock.monotonic() >= self.at else PROVEN

    def change(self, app: str, script: Script[Any], seconds: float = 0.0) -> Any:
        del app, script, seconds
        return ("active", "success")


def proven(restarts_at: float, healthy_from: float = 0.0) -> tuple[Fleet, Restarting]:
    """A fleet on which the release was proven and registered at the time 0."""
    made, _ = fleet(lagging(INITIAL, HEALTHY, healthy_from))
    host = Restarting(made, restarts_at)
    made = replace(made, remotes=cast("Any", {HOST.name: host}))
    host.fleet = made
    made.mark(HOST, WEB, Moment.REGISTERED)
    made.mark(HOST, WEB, Moment.HEALTHY)
    made.started[HOST.name, WEB.unit_name] = PROVEN
    return made, host


def test_p4_one_that_ended_before_it_was_healthy_is_not_recorded_as_deployed() -> None:
    made, _ = proven(restarts_at=3.0, healthy_from=6.0)
    with pytest.raises(NotProven, match="ended and was restarted by systemd") as caught:
        WaitHealthy(HOST, WEB).run(made)
    assert caught.value.blames_release


def test_p4_one_that_ends_while_it_soaks_is_seen_in_a_moment() -> None:
    made, _ = proven(restarts_at=8.0)
    with pytest.raises(NotProven, match="ended and was restarted by systemd"):
        Soak(HOST, WEB, 60.0).run(made)
    assert made.clock.monotonic() <= 8.0 + 4.0


def test_p4_a_soak_looks_once_more_at_its_end() -> None:
    made, _ = proven(restarts_at=0.5)
    with pytest.raises(NotProven):
        Soak(HOST, WEB, 0.1).run(made)


def test_control_one_that_stays_up_passes() -> None:
    made, host = proven(restarts_at=NEVER)
    WaitHealthy(HOST, WEB).run(made)
    Soak(HOST, WEB, 30.0).run(made)
    assert host.asked > 2


def test_p1_a_host_that_does_not_answer_for_a_while_is_not_taken_out_for_that() -> None:
    made, host = proven(restarts_at=NEVER)
    said: list[str] = []

    def silent(script: Script[Any], seconds: float) -> UnitState:
        del script
        host.asked += 1
        raise RemoteError(f"host-1: no end after {seconds:g} s")

    made.tell = lambda _, text: said.append(text)
    cast("Any", host).ask = silent
    Soak(HOST, WEB, 10.0).run(made)
    assert host.asked > 2
    assert any("not seen whether web@5000.service was started again" in each for each in said)


def test_where_this_run_started_nothing_no_host_is_asked() -> None:
    made, host = proven(restarts_at=0.0)
    made.started.clear()
    WaitHealthy(HOST, WEB).run(made)
    Soak(HOST, WEB, 5.0).run(made)
    assert host.asked == 0


def test_the_apps_own_unit_may_be_down_once_the_previous_one_was_started_again() -> None:
    made, host = proven(restarts_at=0.0)
    ReviveUnit(HOST, WEB, "old.service").run(made)
    WaitHealthy(HOST, WEB).run(made)
    assert host.asked == 0
