"""`on_failure: rollback`: which hosts go back, and what one report shows of both runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import builders
from builders import NEW

from deploy.aws.targets import GONE
from deploy.cli import rollout
from deploy.plan import assembly
from deploy.recovery import rollback
from deploy.run.report import ExitCode, Outcome
from deploy.survey.facts import Slot
from run.paper_fleet import Acts, Run, fail, made, old

if TYPE_CHECKING:
    pass


def test_a_release_that_serves_counts_as_deployed_though_its_record_fails(run: Run) -> None:
    """Also in a way out: a rollback of the finished hosts has to know of it."""
    slots: dict[str, Slot] = {"web": builders.slot(), "admin": builders.slot()}
    plan = made([builders.facts(1, slots)], builders.app(), builders.app("admin", 5100))
    acts: Acts = {"host-1: wait until healthy in web": fail, "host-1: record admin": fail}
    ran = run(plan, acts)
    assert ran.report.deployed == {("host-1", "admin")}
    assert list(rollout.good_before(ran.report)["admin"]) == ["host-1"]


def test_a_host_that_ran_nothing_before_is_not_said_to_be_back(run: Run) -> None:
    """`on_failure: rollback` has no way back for it: it runs the new release, and says so."""
    newcomer = builders.facts(1, {"web": Slot(kept=builders.slot().kept)})
    hosts = [newcomer, *old(3)[1:]]
    web = builders.app()
    environment = builders.environment(web)
    seen = builders.survey(hosts, {"host-1": GONE}, [web])
    plan = assembly.make(environment, (builders.offer(web, hosts),), seen, allow_downtime=True)
    first = run(plan, {f"host-3: prove {NEW}": fail}).report
    assert first.outcomes["host-1"] is Outcome.DONE
    now = [builders.facts(number, {"web": builders.slot(NEW)}) for number in (1, 2)]
    back = rollback.back(environment, builders.survey(now), rollout.good_before(first))
    told = rollout.merged(first, run(back).report)
    assert (told.outcomes["host-1"], told.outcomes["host-2"]) == (Outcome.DONE, Outcome.BACK)
    assert told.exit_code is ExitCode.MIXED


def test_a_host_that_somebody_took_back_by_hand_is_told_as_back(run: Run) -> None:
    first = run(made(old(3), batch=1), {f"host-3: prove {NEW}": fail}).report
    now = [
        builders.facts(1, {"web": builders.slot()}),
        builders.facts(2, {"web": builders.slot(NEW)}),
    ]
    environment, seen = builders.environment(builders.app()), builders.survey(now)
    back = rollback.back(environment, seen, rollout.good_before(first), allow_downtime=True)
    told = rollout.merged(first, run(back).report)
    assert (told.outcomes["host-1"], told.outcomes["host-2"]) == (Outcome.BACK, Outcome.BACK)
