"""Proving a release: it answers on its own host, the answer is its own, and it stays up."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import DeployError, NotProven
from deploy.foreign_text import visible
from deploy.hosts.scripts import service
from deploy.steps.base import NO_TIME, OnHost, Phase, Timed, pause_asking
from deploy.steps.fleet import Moment
from deploy.survey import blame, unit_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.scripts.script import Script
    from deploy.steps.fleet import Fleet
    from deploy.survey.check import Check
    from deploy.survey.question import Questions
    from deploy.survey.slot import UnitState

STAY_LOOK_SECONDS = 1.0
START_LOOK_SECONDS = 0.7
JOURNAL_LINES, READ_JOURNAL_SECONDS = 10, 3.0  # again and again, while a release starts
LOOK_SECONDS = 30.0
SHORTEST_SECONDS = 0.1  # less is no time for any answer
GRACE_SECONDS = 5.0  # for the proof's questions to the host, beside the settings' own limits


@dataclass(frozen=True)
class ProveRelease(OnHost):
    """A started release answers locally and stays up, or does not reach the load balancer."""

    phase = Phase.PROVE
    is_beside = True

    release: str
    questions: Check
    smoke: Questions | None = None

    def estimated_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long the settings have it wait."""
        del groups
        return self.app.settings.prove_seconds

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        own = self.app.settings
        tests = sum(each.timeout_seconds for each in self.smoke.each) if self.smoke else 0.0
        return own.start_timeout_seconds + own.prove_seconds + tests

    def run(self, fleet: Fleet) -> None:
        """Answered, by the slot's own process, of this very release, then unrestarted.

        Smoke tests come before the time in which it must stay up: what they break shows then.

        NotProven says which of these failed, with the unit's state.
        """
        fleet.mark(self.host, self.app, Moment.PROOF_BEGAN)
        self._wait_for_answer(fleet)
        self._see_own_release(fleet)
        self._pass_smoke_tests(fleet)
        self._see_it_stay(fleet)

    def look_again(self, fleet: Fleet) -> None:
        """Whether what was proven a while ago still runs unrestarted; NotProven where not."""
        _steady(fleet, self, _look(fleet, self, LOOK_SECONDS))

    def __str__(self) -> str:
        count = len(self.smoke.each) if self.smoke else 0
        where = "" if self.app.settings.smoke_through else " (on the hosts only)"
        tests = f"{count} smoke test{'s' * (count > 1)}{where}, " if count else ""
        asked = f"{self.questions.shown(self.app.port)}, {tests}"
        return f"prove {self.release}: {asked}then up {self.app.settings.prove_seconds:g} s"

    def _left(self, fleet: Fleet) -> float:
        """How many seconds a question to the host may take, so that the proof ends in time."""
        app, own = self.app, self.app.settings
        whole = own.start_timeout_seconds + self.questions.longest_seconds + own.prove_seconds
        end = fleet.marked(self.host, app, Moment.PROOF_BEGAN) + whole + GRACE_SECONDS
        return min(max(end - fleet.clock.monotonic(), SHORTEST_SECONDS), LOOK_SECONDS)

    def _wait_for_answer(self, fleet: Fleet) -> None:
        began = read = fleet.clock.monotonic()
        limit, shown = self.app.settings.start_timeout_seconds, set[str]()
        looked, text = began - START_LOOK_SECONDS, NO_TIME
        while (left := began + limit - fleet.clock.monotonic()) > 0:
            seen = self.questions.ask(fleet.remote(self.host), self.app.port, left)
            has_answered, now = seen.is_expected, fleet.clock.monotonic()
            if has_answered:
                fleet.mark(self.host, self.app, Moment.ANSWERED)
            if has_answered or now - looked >= START_LOOK_SECONDS:
                looked = now
                _steady(fleet, self, _look(fleet, self, self._left(fleet)))
            if has_answered:
                self._show_journal(fleet, shown)
                return
            if now - read >= READ_JOURNAL_SECONDS:
                read = now
                with suppress(DeployError):
                    self._show_journal(fleet, shown)
            text = seen.said
            fleet.tell(self.host.name, f"{seen.text} yet, {now - began:.0f} of {limit} s")
            pause_asking(fleet.clock, began)
        where = listens_alone(fleet, self, self.app.port, self._left(fleet))
        raise NotProven(f"{self.host}: {self.app.unit_name} gave {text} for {limit} s{where}")

    def _show_journal(self, fleet: Fleet, shown: set[str]) -> None:
        """The last lines, but for those that were shown before, for the person at the keyboard."""
        script = journal(fleet, self.host, self.app.unit_name, JOURNAL_LINES)
        for line in fleet.remote(self.host).ask(script, self._left(fleet)):
            if line not in shown:
                shown.add(line)
                fleet.tell(self.host.name, f"| {visible(line)}")

    def _see_own_release(self, fleet: Fleet) -> None:
        """The port is the unit's own, and its process has this release mounted."""
        app, unit = self.app, self.app.unit_name
        script = unit_state.running(app.name, unit, app.port)
        seen = fleet.remote(self.host).ask(script, self._left(fleet))
        if app.settings.is_worker and not seen.release:
            # It has not answered yet: with `type: simple` it may not have been executed.
            fleet.clock.sleep(STAY_LOOK_SECONDS)
            seen = fleet.remote(self.host).ask(script, self._left(fleet))
        # First, whether it is still up: one that has ended has no listener either.
        _steady(fleet, self, seen.unit_state)
        foreign = [listener for listener in seen.listeners or () if listener.unit_name != unit]
        if not app.settings.is_worker and (foreign or not seen.listeners):
            who = ", ".join(str(listener) for listener in foreign) or "no process that ss can see"
            error = NotProven(f"{self.host}: port {app.port} is answered by {who}, not by {unit}")
            error.blames_release = not foreign  # what else holds the port is the host's
            raise error
        if seen.release != self.release:
            runs = seen.release or "no release of ours"
            raise NotProven(f"{self.host}: {unit} runs {runs}, not {self.release}")

    def _pass_smoke_tests(self, fleet: Fleet) -> None:
        """NotProven for the first one that it fails."""
        asked = self.smoke.answers(fleet.remote(self.host), self.app.port) if self.smoke else ()
        for question, seen in asked:
            if not seen.is_expected:
                raise NotProven(
                    f"{self.host}: {self.app.unit_name} failed the smoke test "
                    f"`{question.shown(self.app.port)}`: {seen.said}"
                )
            fleet.tell(self.host.name, f"smoke test passed: {seen.said}")

    def _see_it_stay(self, fleet: Fleet) -> None:
        """No restart over `prove_seconds` from the first answer, then asked once more."""
        whole = self.app.settings.prove_seconds
        end = fleet.marked(self.host, self.app, Moment.ANSWERED) + whole
        while (left := end - fleet.clock.monotonic()) > 0:
            fleet.tell(self.host.name, f"proving, up {whole - left:.0f} of {whole:g} s")
            fleet.clock.sleep(min(left, STAY_LOOK_SECONDS))
            if left > STAY_LOOK_SECONDS:
                _steady(fleet, self, _look(fleet, self, self._left(fleet)))
        _steady(fleet, self, _look(fleet, self, self._left(fleet)))
        seen = self.questions.ask(fleet.remote(self.host), self.app.port)
        if not seen.is_expected:
            raise NotProven(
                f"{self.host}: {self.app.unit_name} answered first and then gave {seen.said} "
                f"after {whole:g} s"
            )


@dataclass(frozen=True)
class ProveCurrent(ProveRelease):
    """A host that already runs the release proves it and is left alone."""

    def __str__(self) -> str:
        return f"already current: {super().__str__()}"


@dataclass(frozen=True)
class WatchWorker(Timed):
    """See a worker stay up before the rollout goes on, as long as a target would have to."""

    phase = Phase.PROVE

    def run(self, fleet: Fleet) -> None:
        """NotProven as soon as it does not; an end that the operator wants ends it too."""
        began = fleet.clock.monotonic()
        while (gone := fleet.clock.monotonic() - began) < self.seconds:
            fleet.tell(self.host.name, f"soaking, {gone:.0f} of {self.seconds:g} s")
            _steady(fleet, self, _look(fleet, self, LOOK_SECONDS))
            if fleet.clock.wait(fleet.stop, min(STAY_LOOK_SECONDS, self.seconds - gone)):
                return

    def __str__(self) -> str:
        return f"see {self.app.name} stay up {self.seconds:g} s"


def journal(
    fleet: Fleet, host: Host, unit_name: str, lines: int, first: int = 0
) -> Script[tuple[str, ...]]:
    """Ask for the last lines of a unit's journal; of this run's start the first ones too."""
    started = fleet.started.get((host.name, unit_name))
    if started and started.invocation:
        return service.journal_of(started.invocation, lines, first)
    return service.journal(unit_name, lines)


def _look(fleet: Fleet, step: OnHost, timeout_seconds: float) -> UnitState:
    return fleet.remote(step.host).ask(unit_state.shown(step.app.unit_name), timeout_seconds)


def _steady(fleet: Fleet, step: OnHost, state: UnitState) -> None:
    """Raise when the unit failed, restarted, or is another invocation than we started."""
    started = fleet.started.setdefault((step.host.name, step.app.unit_name), state)
    blame.see_steady(step.host.name, step.app.unit_name, state, started)


def listens_alone(fleet: Fleet, step: OnHost, port: int, seconds: float) -> str:
    """What to add about a release that gave no good answer: that only its host reaches its port.

    Behind a proxy on the host that is right, and a worker has no port. seconds: the most that the
    host may take to say it.
    """
    if not port or step.app.settings.target_port is not None:
        return ""
    try:
        found = fleet.remote(step.host).ask(unit_state.loopback_alone(port), seconds)
    except DeployError:
        return ""
    if not found:
        return ""
    return (
        f": it listens on {' and '.join(found)} alone, where the load balancer cannot reach it; "
        f"let it listen on all addresses (0.0.0.0:{port}, in ASP.NET Core http://*:{port})"
    )
