"""Rolls back the finished hosts of a rollout that failed, if the policy says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.errors import DeployError, as_deploy_error
from deploy.preview import comparison
from deploy.recovery import previous_unit, rollback
from deploy.run import as_events
from deploy.run.report import WELL, Failure, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.commands.rollout import Rollout
    from deploy.hosts.records import Record
    from deploy.plan.plan import Plan
    from deploy.run.report import Report


def run_or_take_back(rollout: Rollout, plan: Plan) -> Report:
    """Execute a plan; where it failed and `on_failure` says so, finished hosts go back too.

    What was decided about a failed host counts before the policy.
    """
    report = rollout.run(plan)
    try:
        return _back(rollout, report)
    except Exception as error:  # noqa: BLE001 - what was done is reported, whatever goes wrong
        what = "taking the finished hosts back"
        return replace(report, defects=(*report.defects, str(as_deploy_error(error, what))))


def _back(rollout: Rollout, report: Report) -> Report:
    """The report, with the rollback of the finished hosts in it where the policy wants one."""
    wanted = good_before(report)
    environment = rollout.opened.environment
    policy = report.answer or environment.rollout.on_failure
    is_due = any(wanted.values()) or previous_unit.is_adoption(report.plan)
    if policy != "rollback" or not report.stopped_short or not is_due:
        return report
    try:
        seen = rollout.opened.survey(settled=True)
        wanted = previous_unit.with_earlier(environment, seen, report.plan, wanted)
        if not any(wanted.values()):
            return report
        source = "rollback" if report.answer else "on_failure: rollback"
        rollout.screen.say(f"{source}: the hosts that were finished go back too.")
        back = comparison.expected(rollback.take_back(environment, seen, wanted))
    except DeployError as error:
        rollout.screen.complain(f"They cannot go back: {error}")
        return report
    rollout.screen.show_plan(as_events.plan_made(back, rollout.opened.groups))
    return merged(report, rollout.run(back, is_back=True))


def good_before(report: Report) -> Mapping[str, Mapping[str, Record]]:
    """Return the releases that hosts ran before a deploy, by app name and host name."""
    found: dict[str, dict[str, Record]] = {app: {} for app in report.plan.releases}
    for batch in report.plan.batches:
        for host_plan in batch:
            for app, record in host_plan.good.items():
                if (host_plan.host.name, app) in report.deployed:
                    found[app][host_plan.host.name] = record
    return found


def merged(first: Report, back: Report) -> Report:
    """A rollout and the rollback of its finished hosts, as one report."""
    # Who failed on the way back was put back on what it came from: the new release. A host that
    # ran nothing before has no step in it; one that was taken back by hand only proves.
    moved = dict.fromkeys(WELL, Outcome.BACK) | {Outcome.BACK: Outcome.DONE}
    went = {step.host.name for step in back.plan.steps}
    not_begun = {Outcome.WAITING, Outcome.LEFT_OUT}
    went &= {name for name, outcome in back.outcomes.items() if outcome not in not_begun}
    # An earlier run had finished those that were current, or that failed in proving it.
    finished = {Outcome.DONE, Outcome.PARTLY, Outcome.CURRENT, Outcome.WAITING}
    outcomes = dict(first.outcomes)
    for host in went:
        if first.outcomes.get(host) in finished:
            outcomes[host] = moved.get(back.outcomes[host], back.outcomes[host])
    all_failures: list[Failure] = [*first.failures, *back.failures]
    return replace(
        first,
        outcomes=outcomes,
        failures=tuple(all_failures),
        executed=(*first.executed, *back.executed),
        deployed=first.deployed | back.deployed,
        seconds=first.seconds + back.seconds,
        signal=back.signal,
        lost=back.lost,
        defects=(*first.defects, *back.defects),
        remarks=(*first.remarks, *back.remarks),
        taken_out=frozenset(each for each in first.taken_out if each[0] not in went)
        | back.taken_out,
    )
