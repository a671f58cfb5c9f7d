"""P4: whatever was left, a repair and the next deploy make all of it whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.targets import State
from deploy.recovery import repair
from deploy.run.report import ExitCode
from simulated import surveys
from simulated.builds import LAST, Kind
from simulated.clock import CLOCK
from simulated.faults import Command
from simulated.performance import perform

if TYPE_CHECKING:
    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts
    from simulated.places import Home, Place
    from simulated.world import World

LONG_AFTER_SECONDS = 1000.0


def end(world: World, *, mend_first: bool) -> None:
    """Long after the last command, when all can be reached again: repair if asked, then deploy."""
    CLOCK.now += LONG_AFTER_SECONDS
    if mend_first:
        _mend(world)
        CLOCK.now += LONG_AFTER_SECONDS  # what dies late in service is dead when that is surveyed
    _deploy(world)


def _mend(world: World) -> None:
    ended = perform(world, Command("repair"))
    if ended.refused and any(map(_serves_unrecorded, world.homes.values())):
        return  # it would make way for what was deployed last, and nothing else serves meanwhile
    if ended.refused:
        world.wrong("P4", f"repair is refused: {ended.refused}")
        return
    for facts in surveys.look(world).hosts:
        for app in world.apps:
            _see_mended(world, facts, app)
            # Where it failed it says so, and what runs there is left for the next deploy.
            if not ended.report or facts.host not in {each.host for each in ended.report.failures}:
                used = world.homes[facts.host.name, app.name].at(facts.at(app).port)
                _see_rest(world, used, "a repair")
    again = repair.make(world.environment, surveys.survey(world))
    if again.steps and ended.report and not ended.report.failures:
        world.wrong("P4", f"a second repair finds more to do:\n{again}")


def _serves_unrecorded(home: Home) -> bool:
    """Whether the unit of before runs on, though a release was deployed since."""
    process = home.places[0].process
    return bool(home.history) and process is not None and process.is_legacy


def _see_mended(world: World, facts: HostFacts, app: App) -> None:
    """What can run, and is not known to be bad, is in service again."""
    slot, home = facts.slots[app.name], world.homes[facts.host.name, app.name]
    last, used = slot.deployed, home.at(facts.at(app).port)
    if home.partial:
        world.wrong("P4", f"{home}: a partial upload lies there after a repair")
    bad = {build.digest for build, kind in world.kinds.items() if kind is not Kind.GOOD}
    is_good = last and slot.can_run(last) and last.unit_digest not in bad
    if last is None and not used.registered and (used.process or used.enabled):
        world.wrong("P4", f"{used}: it was never in service, and is left after a repair")
    if is_good or (last is None and home.legacy):
        if world.state(used) is not State.HEALTHY:
            world.wrong("P4", f"{used}: not healthy after a repair")
        if used.out or (last and not slot.is_as_deployed):
            world.wrong("P4", f"{used}: not whole after a repair")


def _deploy(world: World) -> None:
    """A good release, one host at a time, under the policy of who says nothing about it."""
    ended = perform(world, Command("deploy", LAST), world.environment_with({"batch": 1}))
    if ended.refused and any(map(_serves_unrecorded, world.homes.values())):
        return  # it would make way for what was deployed last, and nothing else serves meanwhile
    if ended.refused:
        world.wrong("P4", f"the next deploy is refused: {ended.refused}")
    elif ended.report and ended.report.exit_code is not ExitCode.DONE:
        world.wrong("P4", f"the next deploy ends with {ended}: {ended.report}")
    for facts in surveys.look(world).hosts:
        for app in world.apps:
            home = world.homes[facts.host.name, app.name]
            used = home.at(facts.at(app).port)
            is_whole = facts.slots[app.name].is_as_deployed and not home.partial
            if not is_whole or world.state(used) is not State.HEALTHY:
                world.wrong("P4", f"{used}: not whole after the next deploy")
            _see_rest(world, used, "the next deploy")


def _see_rest(world: World, used: Place, when: str) -> None:
    """One slot of an app is in use on a host; the other is at rest."""
    for place in used.others:
        if not place.is_at_rest:
            world.wrong("P4", f"{place}: not at rest after {when}")
