"""The end of a command: the fleet read once more, and what to type next. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.run.report import ExitCode, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.run.report import Report
    from deploy.screen.fleet.row import Row
    from deploy.screen.status import Overview
    from deploy.settings.scope import Scope

    Runs = dict[str, dict[str, tuple[str, ...]]]


def as_seen(report: Report, fleet: Overview | None) -> Report:
    """The report, corrected by a look at the fleet afterwards; None if the fleet could not be read.

    A host that is out of service is reported as such, whatever took it out and whenever: also one
    that was not reached, or that repair could not return to service. One that was given up counts
    as in service if it has become healthy since, as a target may that is waited for too briefly,
    but not if this run took it out: a reading may be older than that. AWS alone counts for a host
    that cannot be read and that nothing was done to. What cannot be seen is as it
    was when this was planned: mixed, or out where nothing was done since. A target that is no host
    and was not there before may run another release.
    """
    every = fleet.rows if fleet else ()
    rows = tuple(row for row in every if row.is_readable)
    seen = {row.host for row in rows}
    healthy = {row.host for row in every} - {row.host for row in every if not row.is_in_service}
    mixed = report.mixed
    if fleet:
        mixed = fleet.is_mixed or (report.mixed and not fleet.is_whole_look)
        new = tuple(each for each in fleet.foreign if each not in report.plan.foreign)
        report = replace(report, appeared=new)
    if report.lost:
        return replace(report, mixed=mixed)
    unseen = {
        host
        for host, outcome in report.outcomes.items()
        if outcome in {Outcome.WAITING, Outcome.LEFT_OUT}
        and host in report.plan.out - seen - healthy
    }
    serve = seen - {row.host for row in rows if row.is_out}
    cut = {
        host: Outcome.CUT_SHORT
        for host, outcome in report.outcomes.items()
        if outcome is Outcome.UNKNOWN and host in serve
    }
    since = {
        host: Outcome.SERVES
        for host in serve - _stay_out(report, rows)
        if report.outcomes.get(host) is Outcome.OUT
    }
    gone = {host for host, end in report.outcomes.items() if end is Outcome.GONE}
    out = dict.fromkeys(({row.host for row in rows if row.is_out} | unseen) - gone, Outcome.OUT)
    return replace(report, mixed=mixed, outcomes=report.outcomes | cut | since | out)


def _stay_out(report: Report, rows: Iterable[Row]) -> set[str]:
    """The hosts, by name, whose target may look healthy for a moment longer and is out.

    This run took it out, or nothing of the app runs.
    """
    return {
        row.host
        for row in rows
        if (row.host, row.app, row.port) in report.taken_out or not (row.release or row.beside)
    }


def shown(fleet: Overview | None) -> tuple[Runs, tuple[str, ...]]:
    """Return the report of the fleet as a final survey shows it.

    Returns:
        The hosts that run each release, by app, a previous unit by its name; and what else was
        seen, in lines.
    """
    found: Runs = {}
    for row in fleet.rows if fleet else ():
        if release := row.release or row.beside:
            hosts = found.setdefault(row.app, {})
            hosts[release] = (*hosts.get(release, ()), row.host)
    return found, (*fleet.unread, *fleet.notes) if fleet else ()


def next_steps(scope: Scope, report: Report) -> str:
    """Return the commands to type after a failure, all with the command's scope."""
    code, again = report.exit_code, scope.again()
    if code is ExitCode.LOCKED:
        return scope.command("lock.status")
    if code is ExitCode.OUT_OF_SERVICE:
        return _out_of_service(scope, report)
    if not report.failures:
        return _without_failures(scope, report)
    typed = {host.name: host.typed for host in (*report.plan.hosts, *report.plan.left_out)}
    left = [
        typed.get(host, host) for host, end in report.outcomes.items() if end is Outcome.LEFT_OUT
    ]
    if left and len(left) == len({failure.host for failure in report.failures}):
        return f"repair what was left out, then: {scope.only(left).again()}"
    ends = set(report.outcomes.values())
    is_deployed = scope.verb == "deploy" and bool(ends & {Outcome.DONE, Outcome.PARTLY})
    back = f"; or take all hosts back: {scope.command('rollback')}"
    is_back = is_deployed and code is ExitCode.MIXED
    only_late = all(failure.is_stop for failure in report.failures)
    first = "renew the AWS credentials" if only_late else "fix what failed"
    return f"{first} and continue: {again}" + (back if is_back else "")


def _without_failures(scope: Scope, report: Report) -> str:
    """What to type where nothing failed, and still not all is done or of one release."""
    status, again = scope.command("status"), scope.again()
    if report.appeared:
        return f"{status} names the targets that are no hosts"
    if report.plan.leaves_mixed and report.exit_code is ExitCode.MIXED:
        return f"{status} shows which hosts run what; the plan's warnings say what to type"
    return f"the same command, to go on: {again}; or look first: {again} --dry-run"


def in_lines(scope: Scope, report: Report) -> str:
    """The report without its looks, for where these cannot be had."""
    lines = [f"{each.host}: {each.step} failed: {each.error}" for each in report.failures]
    lines += [f"{host}: {outcome}" for host, outcome in report.outcomes.items()]
    lines += [*report.remarks, *report.defects, f"exit code {int(report.exit_code)}"]
    return "\n".join([*lines, f"next: {scope.command('status')}"])


def _never_served(report: Report) -> set[str]:
    """The hosts, by name, on which a first install failed: no app that failed was there before."""
    return {
        host_plan.host.name
        for batch in report.plan.batches
        for host_plan in batch
        if host_plan.new >= {step.app.name for step in host_plan.steps}
    }


def _out_of_service(scope: Scope, report: Report) -> str:
    """What to type where hosts are out of service: a repair, where that can return them."""
    look, fix = scope.command("status"), scope.command("repair")
    again = scope.command("deploy")
    out = {host for host, end in report.outcomes.items() if end is Outcome.OUT}
    if out and out <= _never_served(report):
        return (
            "nothing was deployed there before, so there is nothing to go back to: fix what "
            f"failed and deploy again: {again}"
        )
    if scope.verb == "repair" and not report.failures:
        return (
            f"{look} shows what is out of service; where there is nothing to go back to, deploy "
            f"a package that starts: {again}"
        )
    return f"{look} shows what is out of service; {fix} repairs it"
