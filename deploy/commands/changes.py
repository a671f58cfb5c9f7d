"""The commands that change the fleet: how each makes its plan, and what executes it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.checkup import packages
from deploy.commands import observation, take_back
from deploy.commands.change import Change
from deploy.commands.rollout import Rollout
from deploy.errors import BadInput
from deploy.front import client
from deploy.observe import rounds
from deploy.once import plan as once
from deploy.once import refusal
from deploy.plan import exclusion, fitness, preflight
from deploy.recovery import repair as repairs
from deploy.recovery import rollback
from deploy.recovery.restarts import restart as restarts
from deploy.session.arguments import as_typed, split
from deploy.smoke import placing, precheck

if TYPE_CHECKING:
    from deploy.plan.exclusion import Problems
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.session.arguments import CommandOptions
    from deploy.session.session import Session
    from deploy.survey.facts import Survey


def deploy(asked: CommandOptions, package: str | None, run_once: str | None = None) -> Change:
    """Take a package through the fleet.

    run_once: what is to become of a command that was started and did not end well.
    """
    refusal.answered(run_once)

    def plan(opened: Session, *, is_default: bool = package is None) -> Plan:
        seen, found = opened.look(package, settled=not asked.dry_run)
        made = opened.plan(
            seen,
            found,
            is_default=is_default,
            allow_downtime=asked.allow_downtime,
            join=asked.join,
        )
        made = once.completed(placing.placed(made), opened.everyone, opened.scope, run_once)
        return precheck.checked(made, client.get)

    scope = asked.scope("deploy", *as_typed("--package", package), *asked.flags)
    again = partial(plan, is_default=False)
    return Change(asked, scope, plan, take_back.run_or_take_back, packages.beside(package), again)


def roll_back(asked: CommandOptions, to: str | None) -> Change:
    """Take the fleet back to a release that was good, which lies on the hosts."""

    def plan(opened: Session) -> Plan:
        seen, problems = _seen(asked, opened)
        return rollback.make(
            opened.environment,
            seen,
            to,
            scope=opened.scope,
            problems=exclusion.joined(fitness.cramped(opened.environment, seen), problems),
            allow_downtime=asked.allow_downtime,
        )

    scope = asked.scope("rollback", *as_typed("--to", to), *asked.flags)
    return Change(asked, scope, plan, Rollout.run, again=plan)


def _seen(asked: CommandOptions, opened: Session) -> tuple[Survey, Problems]:
    """The fleet, whose hosts go out one after the other, and what speaks against that."""
    seen = opened.survey(settled=not asked.dry_run)
    preflight.refuse_surge(opened.environment, seen)
    return opened.vetted(seen, join=asked.join)


def restart(asked: CommandOptions) -> Change:
    """Start again, host by host, the release that each host runs."""

    def plan(opened: Session) -> Plan:
        seen, problems = _seen(asked, opened)
        return restarts.make(
            opened.environment,
            seen,
            scope=opened.scope,
            problems=problems,
            allow_downtime=asked.allow_downtime,
        )

    return Change(asked, asked.scope("restart", *asked.flags), plan, Rollout.run, again=plan)


def repair(asked: CommandOptions) -> Change:
    """Put right what a deploy left that was cut off."""

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        return repairs.make(opened.environment, seen, opened.scope)

    return Change(asked, asked.scope("repair"), plan, Rollout.run)


def observe(asked: CommandOptions, host: str, trace: str | None) -> Change:
    """Take one host out and back in, and say what that took."""
    scope = asked.scope("observe", "--host", host, *as_typed("--trace", trace))
    trace_file = Path(trace or f"observed-{asked.environment}.json")
    observation.refuse_file(trace_file)

    def plan(opened: Session) -> Plan:
        seen = opened.survey(settled=not asked.dry_run)
        seen, problems = opened.vetted(seen, join=False)
        if problems:
            raise BadInput(*(f"{at}: {why}" for at, all_ in problems.items() for why in all_))
        return rounds.make(opened.environment, seen, allow_downtime=asked.allow_downtime)

    def execute(rollout: Rollout, made: Plan) -> Report:
        fleet = rollout.opened.fleet()
        report = rollout.run(made, fleet)
        if fleet.observations:
            observation.show(rollout, fleet.observations, trace_file)
        return report

    split(host, "--host")
    return Change(replace(asked, hosts=host), scope, plan, execute)
