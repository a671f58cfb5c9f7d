"""One command at work: what the rollout knows as its session, lease, signals and screen."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Self, cast

from deploy.events.event import BatchBegan
from deploy.events.question import QuestionAnswered
from deploy.recovery.answers.choices import Answer
from deploy.screen.plan import text as plan_text
from deploy.steps.fleet import Fleet
from deploy.steps.records import RecordDeployed
from simulated import surveys
from simulated.api import Api
from simulated.builds import Kind
from simulated.clock import CLOCK
from simulated.crew import Crew
from simulated.fate import Fate
from simulated.floors import Floors
from simulated.host import Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.aws.targets import TargetGroup
    from deploy.events.event import Entry
    from deploy.events.planned import PlanMade
    from deploy.run.executor import Execution
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.facts import Survey
    from simulated.faults import Command
    from simulated.world import World


_TOKENS = itertools.count(1)


class Stop:
    """Stands in for the fleet's event `stop`: waiting for it is an instant, and takes no time."""

    def __init__(self, fate: Fate) -> None:
        self._fate, self._is_set = fate, False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        self._fate.instant(reads=True)
        if not self._is_set:
            CLOCK.sleep(seconds)
        return self._is_set


class Run:
    """One command at work: it is Session, Lease, Screen and Signals in one.

    is_calm: whether all was healthy, of good releases and within reach, when it began.
    has_looked: whether AWS answered for a look after it; unseen: the hosts that then did not;
    looked_at: when that look began, by the world's clock; infinite before.
    """

    def __init__(self, world: World, command: Command, environment: Environment) -> None:
        self.world, self.command, self.environment = world, command, environment
        self.allow_downtime = world.given.hosts == 1
        self.has_looked, self.looked_at = False, math.inf
        self.token = f"{next(_TOKENS):032x}"[::-1]
        self.unseen: frozenset[str] = frozenset()
        self.fate = Fate(world, command)
        self._zones: dict[tuple[str, str], str] = {}
        running = [place.process for place in world.places.values() if place.process]
        is_dark = any(CLOCK.now < until for until in world.dark.values())
        is_healthy = all(map(world.is_healthy, world.homes.values()))
        is_good = all(world.kind(process.build) is Kind.GOOD for process in running)
        self.is_calm = is_healthy and is_good and not is_dark
        if command.liar:
            world.lied.add(command.liar.name)
        rollout = environment.rollout
        surges = rollout.strategy == "surge" and command.verb != "repair"  # that mends in place
        self._floors = Floors(world, rollout, surges=surges, allow_downtime=self.allow_downtime)
        self._api = Api(self.fate, self._floors, is_quiet=rollout.drain == "quiet")

    def survey(self, *, settled: bool = True) -> Survey:
        del settled
        seen = surveys.survey(self.world, self.command.liar)
        self._zones |= seen.zones
        return seen

    def fleet(self) -> Fleet:
        remotes = self.everyone
        api, stop = cast("Any", self._api), cast("Any", Stop(self.fate))
        return Fleet(
            remotes,
            self.world.groups,
            api,
            api,
            zones=self._zones,
            author="test",
            run=self.token,
            stop=stop,
            clock=CLOCK,
            crew=Crew(self.fate),
        )

    @property
    def everyone(self) -> dict[str, Any]:
        """A connection to each host."""
        return {host.name: cast("Any", Remote(self.fate, host)) for host in self.world.hosts}

    @property
    def holder(self) -> Run:
        """Who holds the lock: this command."""
        return self

    def guide(self, execution: Execution) -> None:
        self.fate.execution = execution
        self._floors.follow(execution.plan)
        runner = execution._runner
        act = runner._do

        def do(step: Step, **more: Any) -> None:
            self.fate.begin(step)
            if isinstance(step, RecordDeployed):
                self._floors.adopt(self.world.homes[step.host.name, step.app.name])
            try:
                act(step, **more)
            finally:
                self.fate.end(step)

        setattr(runner, "_do", do)  # noqa: B010 - mypy lets nobody assign a method
        if self.fate.first_signal:
            execution.stop(self.fate.first_signal)

    def when_lost(self, act: Callable[[], None]) -> None:
        if self.fate.taken:
            act()

    def progress(self) -> Run:
        return self

    @property
    def groups(self) -> Mapping[str, tuple[TargetGroup, ...]]:
        return self.world.groups

    def show_plan(self, plan: PlanMade) -> None:
        assert plan_text.of(plan, 80)

    def say(self, text: str) -> None:
        del text

    complain = say

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, entry: Entry) -> None:
        if isinstance(entry.event, BatchBegan):
            self._floors.begin(entry.event.number)
        if isinstance(entry.event, QuestionAnswered) and entry.event.answer == Answer.RETRY:
            self._floors.begin_again(entry.event.host)
