"""A deploy's survey and plan without the deploy, to find what keeps it from starting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.checkup import packages
from deploy.checkup.doctor import units
from deploy.checkup.refusals import Part, one_each
from deploy.durations import planned
from deploy.errors import DeployError
from deploy.front import client
from deploy.hosts.lock import watch as other_holders
from deploy.hosts.lock.witness import Witness
from deploy.once import plan as once
from deploy.plan import fitness
from deploy.screen import lock as lock_view
from deploy.session import vetting
from deploy.smoke import placing, precheck
from deploy.survey import serving
from deploy.survey.question import Questions

if TYPE_CHECKING:
    from deploy.checkup.doctor.finding import Findings
    from deploy.plan.candidate import OpenedPackage
    from deploy.plan.plan import Plan
    from deploy.session.session import Session
    from deploy.settings.app import App
    from deploy.survey.facts import Survey

MEGABYTE = 1_000_000


def run(session: Session, seen: Survey, package: str | None, findings: Findings) -> None:
    """Note what a deploy of this package would find on the hosts, and whether it could be planned.

    package: as `--package` gives it.
    """
    environment = session.environment
    findings.of_hosts(one_each(seen.unreachable))
    unfit = fitness.unfit(environment.apps, seen)
    findings.of_hosts(unfit)
    findings.of_hosts(fitness.cramped(environment, seen))
    for app in environment.apps:
        _of_ports(app, seen, len(seen.hosts) - len(unfit), findings)
    _of_question(session, seen, findings)
    opened: tuple[OpenedPackage, ...] = ()
    with findings.noted(Part.DEPLOY):
        opened = packages.opened(environment, package, session.workspace)
    for each in opened:
        note_package(each, findings)
        with findings.noted(Part.HOSTS):
            units.look(environment, each, seen, session.remotes, findings)
    with findings.noted(Part.DEPLOY):
        _of_lock(session, findings)
    try:
        if opened:
            plan = session.plan(seen, opened, is_default=package is None)
            plan = once.completed(placing.placed(plan), session.everyone, session.scope)
            _of_plan(session, precheck.checked(plan, client.get), findings)
        else:
            _, problems = session.vetted(seen, join=False)
            findings.of_hosts(problems)
    except DeployError as error:
        findings.refused(Part.DEPLOY, error, hosts=[host.name for host in session.hosts])


def note_package(opened: OpenedPackage, findings: Findings) -> None:
    """Note a package that can be deployed."""
    release = opened.package.release
    findings.ok(
        Part.DEPLOY,
        f"{opened.app.name} {release.id}: {opened.package.path.name}, "
        f"{release.size_bytes / MEGABYTE:.1f} MB, {release.files} file{'s' * (release.files != 1)}",
    )


def _of_ports(app: App, seen: Survey, fit: int, findings: Findings) -> None:
    """Note that the app's ports are its own; where they are not, that is a problem by itself."""
    if app.ports and fit and fit == len(seen.hosts):
        ports = " and ".join(map(str, app.ports))
        count = f"{fit} host{'s' * (fit != 1)}"
        findings.ok(Part.HOSTS, f"{app.name}: port {ports} is free, or its own, on {count}")


def _of_question(session: Session, seen: Survey, findings: Findings) -> None:
    """Ask what serves now what a new release will have to answer."""
    apps = session.environment.apps
    verdict = serving.verdict(seen, apps, session.remotes)
    findings.of_hosts(verdict.problems)
    for app in (each for each in apps if not each.is_worker):
        serve = [on for on in seen.everywhere(app) if serving.serves(on)]
        passed = [on for on in serve if on.host.name not in verdict.problems]
        if passed:
            questions = Questions.of(passed[0]).shown(passed[0].app.port)
            count = f"{len(passed)} host{'s' * (len(passed) != 1)}"
            findings.ok(Part.HOSTS, f"{app.name}: what serves passes {questions} on {count}")
        elif not serve:
            findings.ok(
                Part.HOSTS, f"{app.name}: nothing serves yet, so its question was not tried"
            )


def _of_lock(session: Session, findings: Findings) -> None:
    """Note who holds the environment's lock, and whether that deploy lives."""
    environment, remotes = session.environment, session.everyone
    name = environment.name
    watched = other_holders.look(name, remotes)
    lock_view.refuse_unknown(name, watched.view)
    if not (watched.view.holders or watched.view.unreadable):
        findings.ok(Part.DEPLOY, f"{name} is not locked by another deploy")
        return
    ttl, witness = environment.lock_ttl_seconds, Witness()
    watched = other_holders.watch(name, remotes, ttl, has_ended=witness.has_ended)
    alive = watched.alive()
    if alive:
        findings.problem(
            Part.DEPLOY,
            f"{name} is locked: {alive}",
            "wait for its end, for example with --wait-lock 15m",
        )
        return
    text = lock_view.text(session.scope, watched).split("\n")
    findings.warn(
        Part.DEPLOY,
        text[0],
        "no deploy that lives holds the lock; the next one takes it over",
        f"see what was left: {session.scope.command('status')}",
    )


def _of_plan(session: Session, plan: Plan, findings: Findings) -> None:
    """Note what a deploy's plan says, and hosts that it leaves out."""
    with findings.noted(Part.DEPLOY):
        vetting.refuse_late(plan, session.groups, session.seconds_left)
    for text in plan.warnings:
        findings.warn(Part.DEPLOY, text)
    findings.tolerate({host.name for host in plan.left_out})
    releases = ", ".join(f"{app} {release}" for app, release in plan.releases.items())
    if plan.changes_nothing:
        findings.ok(Part.DEPLOY, f"{releases} runs everywhere: a deploy would only prove it")
        return
    count, batches = len(plan.hosts), len(plan.batches)
    findings.ok(
        Part.DEPLOY,
        f"a deploy of {releases} can be planned: {count} host{'s' * (count != 1)} in {batches} "
        f"batch{'es' * (batches != 1)}, waits of about {planned(plan.seconds)}",
    )
