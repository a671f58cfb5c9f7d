"""Whether a command's report is honest, and whether it left its hosts whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.recovery import rollback
from deploy.run.report import WELL, ExitCode, Outcome
from deploy.steps.unit import SwitchRelease
from simulated import surveys
from simulated.builds import Kind
from simulated.clock import CLOCK
from simulated.faults import Fault

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.survey.facts import HostFacts, Survey
    from simulated.places import Home, Place, Process
    from simulated.run import Run
    from simulated.world import World


MAJORITY_OF = 3  # with fewer hosts, one that lies is half of them


@dataclass(frozen=True)
class Before:
    """What was so when the command began; whole: by host name, whether it was."""

    processes: dict[Place, Process | None]
    served: dict[Home, bool]
    whole: dict[str, bool]

    @classmethod
    def of(cls, world: World, seen: Survey) -> Before:
        places = world.places.values()
        return cls(
            {place: place.process for place in places},
            {home: world.is_served(home) for home in world.homes.values()},
            {facts.host.name: _is_whole(world, facts) for facts in seen.hosts},
        )


def _is_whole(world: World, facts: HostFacts) -> bool:
    """Whether nothing is left over on the host, and no sickness of an earlier command lasts."""
    running = [place for place in world.on(facts.host.name) if place.process]
    return all(world.answers(place) for place in running) and all(
        slot.is_as_deployed or (slot.replaces.is_running and not slot.out)
        for slot in facts.slots.values()
    )


def see_honesty(run: Run, report: Report, before: Before) -> None:
    """The report tells what is so."""
    fate, code = run.fate, report.exit_code
    if fate.taken or report.lost:
        if code is not ExitCode.LOCKED and fate.execution and fate.execution.is_lost:
            run.world.wrong("honesty", f"taken over, and the exit code is {code!r}")
        return
    failed_back = {
        failure.host.name
        for failure in report.failures
        if any(": failed: " in step for step in failure.undone)
    }
    for host, outcome in report.outcomes.items():
        is_back = host in failed_back
        if said := _untrue(run, host, outcome, before, failed_back=is_back):
            run.world.wrong("honesty", f"{host}: {outcome}, and {said}")
    _see_exit_code(run, code)
    _see_one_failure(run, report)
    if code is ExitCode.DONE and run.command.verb == "deploy":
        _see_deployed(run)


def _see_one_failure(run: Run, report: Report) -> None:
    """P12: where nothing else goes wrong, only the host that lies fails."""
    liar, fate, world = run.command.liar, run.fate, run.world
    is_bad = run.command.verb == "deploy" and world.kind(run.command.build) is not Kind.GOOD
    if not liar or fate.struck or is_bad or not run.is_calm:
        return
    if any(failure.step.startswith("begin batch") for failure in report.failures):
        return  # on paper, no other host goes on while one waits for its turn in a window
    if run.command.verb == "rollback" and _offer_different_releases(world, liar.name):
        return  # whichever release is chosen, one of them may have it no more, or marked as failed
    for failure in report.failures:
        if failure.host.name != liar.name:
            world.wrong("P12", f"one host lies, and another one fails: {failure}")
    if report.plan.tolerated:
        for host, outcome in report.outcomes.items():
            if host != liar.name and outcome not in WELL:
                world.wrong("P12", f"one host lies, and the part of another ends so: {outcome}")


def _offer_different_releases(world: World, liar: str) -> bool:
    """Whether one host can go back to releases of an app that another cannot, beside the liar.

    It keeps others, or has marked others as failed.
    """
    offered = {app.name: set[frozenset[str]]() for app in world.apps}
    for home in world.homes.values():
        if home.host.name != liar:
            offered[home.app.name].add(frozenset({*home.releases} - home.bad))
    return any(len(each) > 1 for each in offered.values())


def _untrue(run: Run, host: str, outcome: Outcome, before: Before, *, failed_back: bool) -> str:
    """What is so of the host in spite of its outcome; failed_back: on its way back."""
    world = run.world
    homes, places = world.of_host(host), world.on(host)
    is_in = all(world.is_served(home) for home in homes)
    match outcome:
        case _ if outcome in {*WELL, Outcome.SERVES} and not is_in:
            return "not in service"
        case Outcome.BACK | Outcome.PARTLY if not is_in and all(
            before.served[home] for home in homes
        ):
            return "not in service"
        case Outcome.OUT if is_in and not failed_back:
            # A look by which others are slow to answer may be over long after it read its health.
            was_sick = any(place.sick > run.looked_at for place in places)
            is_sick = was_sick or not all(world.is_healthy(home) for home in homes)
            return "" if is_sick else "it is in service"
        case Outcome.WAITING | Outcome.LEFT_OUT if any(
            _is_touched(place, before) for place in places
        ):
            return "it was touched"
    return ""


def _is_touched(place: Place, before: Before) -> bool:
    """Whether it runs something else; a slot left beside one that serves on may be ended first."""
    is_ended = place.process is None and any(
        other.process and other.process is before.processes[other] for other in place.others
    )
    return place.process is not before.processes[place] and not is_ended


def _see_exit_code(run: Run, code: ExitCode) -> None:
    """Whoever reads only the code knows whether all is in service, of one release."""
    world = run.world
    if code in {ExitCode.DONE, ExitCode.FAILED, ExitCode.MIXED}:
        for home in world.homes.values():
            if not (world.is_served(home) or home.host.name in run.unseen | world.lied):
                world.wrong("honesty", f"exit code {code!r}, and {home} is out of service")
    # What is so of hosts that nothing was done to, or beside the slots in use, is told by a look.
    one = code is ExitCode.FAILED or (code is ExitCode.DONE and run.command.verb != "repair")
    running = [
        {p.process.build for p in world.of(app.name) if p.process and p.host.name not in world.lied}
        for app in world.apps
    ]
    mixed = any(len({build and build.release for build in builds}) > 1 for builds in running)
    can_tell = len(run.unseen) < len(world.hosts) and (run.has_looked or not world.given.surge)
    if one and mixed and can_tell:
        world.wrong("honesty", f"exit code {code!r}, and more than one release runs")


def _see_deployed(run: Run) -> None:
    world = run.world
    for facts in surveys.look(world).hosts:
        for app in world.apps:
            place = world.homes[facts.host.name, app.name].at(facts.at(app).port)
            if not place.process or place.process.build != run.command.build:
                world.wrong("honesty", f"exit code 0, and {place} does not run the release")
            if not facts.slots[app.name].is_as_deployed:
                world.wrong("honesty", f"exit code 0, and {place} is not whole")
            for other in place.others:
                if not other.is_at_rest:
                    world.wrong("honesty", f"exit code 0, and {other} is not at rest")


def see_whole(run: Run, report: Report, before: Before) -> None:
    """P3, P9: one thing that goes wrong on a host, or a signal, never costs it its service."""
    world, fate = run.world, run.fate
    if fate.taken or any(s.fault in {Fault.DARK, Fault.DOWN, Fault.SICK} for s in fate.struck):
        return
    is_bad = run.command.verb == "deploy" and world.kind(run.command.build) is not Kind.GOOD
    for host in report.outcomes:
        homes = world.of_host(host)
        wrong = sum(
            f"host-{strike.host}" == host
            and strike.fault in {Fault.COMMAND, Fault.HOST, Fault.DEFECT}
            and strike.step != "MarkBad"  # a mark that cannot be made is no reason to stay out
            for strike in fate.struck
        )
        was_good = before.whole[host] and all(_was_good(world, home, before) for home in homes)
        if was_good and wrong + is_bad <= 1:
            for home in homes:
                if not world.is_served(home):
                    world.wrong("P3", f"{home}: one fault or a signal left it out of service")


def _was_good(world: World, home: Home, before: Before) -> bool:
    ran = [was for place in home.places if (was := before.processes[place])]
    return before.served[home] and all(world.kind(was.build) is Kind.GOOD for was in ran)


def see_refusal(run: Run, why: str) -> None:
    """P12: a host that lies costs one failure, so within the policy it stops no deploy."""
    liar, world, verb = run.command.liar, run.world, run.command.verb
    others = len(world.hosts) - 1
    can_see = CLOCK.now >= world.down and not surveys.unreachable(world)
    if not liar or verb == "repair" or not others or not can_see:
        return
    tolerated = run.environment.rollout.max_failures.hosts(len(world.hosts))
    if verb == "rollback" and _offer_different_releases(world, liar.name):
        return  # another host may have the release no more, or marked as failed, and counts too
    if tolerated and "cannot take part" in why:
        world.wrong("P12", f"one host lies, {tolerated} may fail, and all are refused")
    if tolerated and verb == "rollback" and "would leave" not in why and _alone(run):
        world.wrong("P12", f"one host lies, and the others may not go back: {why}")


def see_choice(run: Run, made: Plan) -> None:
    """P12: what the others go back to is what they would go back to without the one that lies."""
    liar, world = run.command.liar, run.world
    if not liar or run.command.verb != "rollback":
        return
    alone = _alone(run)
    if alone and _switches(alone, liar.name) != _switches(made, liar.name):
        world.wrong("P12", f"with the host that lies {made}\nwithout it {alone}")


def _alone(run: Run) -> Plan | None:
    """The rollback of the others without the host that lies; None where they do not agree."""
    liar, honest = run.command.liar, surveys.survey(run.world)
    rest = tuple(facts for facts in honest.hosts if not (liar and liar.is_on(facts.host)))
    if len(rest) < MAJORITY_OF - 1 or len({_told_of(facts) for facts in rest}) > 1:
        return None  # they differ among themselves, so one vote may well count
    seen = replace(honest, hosts=rest, asked=(), unreachable={})
    try:
        return rollback.make(run.environment, seen, allow_downtime=True)
    except BadInput:
        return None


def _told_of(facts: HostFacts) -> str:
    """What the choice of a release depends on."""
    return str([(slot.history, slot.bad, slot.link) for slot in facts.slots.values()])


def _switches(made: Plan, liar: str) -> dict[tuple[str, str], str]:
    """The releases that the others are switched to, by host and app."""
    return {
        (step.host.name, step.app.name): step.release
        for step in made.steps
        if isinstance(step, SwitchRelease) and step.host.name != liar
    }
