"""Steps that wait until a proxy, or the previous unit, answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import NotProven, RemoteError
from deploy.steps.base import NO_TIME, OnHost, Phase, pause_asking
from deploy.survey import unit_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import TargetGroup
    from deploy.steps.fleet import Fleet
    from deploy.survey.check import Check
    from deploy.survey.question import Questions

LOOK_SECONDS = 30.0


@dataclass(frozen=True)
class ProveRevived(OnHost):
    """The previous unit, started again, answers on the app's port and stays up."""

    phase = Phase.PROVE

    unit_name: str
    questions: Check

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return self.app.settings.start_timeout_seconds + self.app.settings.prove_seconds

    def run(self, fleet: Fleet) -> None:
        """Any answer that the load balancer would take, of a unit that is not restarted since."""
        asked = self.questions.of_previous(self.unit_name)
        _wait_for_answer(fleet, self, asked, f"{self.unit_name} was started again and")
        self._see_it_stay(fleet)

    def _see_it_stay(self, fleet: Fleet) -> None:
        """What was started must still run after a while."""
        script = unit_state.shown(self.unit_name)
        first = fleet.remote(self.host).ask(script, LOOK_SECONDS)
        fleet.clock.sleep(self.app.settings.prove_seconds)
        last = fleet.remote(self.host).ask(script, LOOK_SECONDS)
        if last.active != "active" or last.invocation != first.invocation:
            raise NotProven(f"{self.host}: {self.unit_name} was started again and does not stay up")

    def estimated_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long the settings have it wait."""
        del groups
        return self.app.settings.prove_seconds

    def __str__(self) -> str:
        return (
            f"prove {self.unit_name} again: {self.questions.shown(self.app.port)}, "
            f"then up {self.app.settings.prove_seconds:g} s"
        )


@dataclass(frozen=True)
class ProvePrevious(OnHost):
    """The previous unit, which was never stopped, still runs and answers on the app's port."""

    phase = Phase.PROVE

    unit_name: str
    questions: Check

    def run(self, fleet: Fleet) -> None:
        """Any answer that the load balancer would take, of a unit that is active afterwards."""
        asked = self.questions.of_previous(self.unit_name)
        _wait_for_answer(fleet, self, asked, self.unit_name)
        state = fleet.remote(self.host).ask(unit_state.shown(self.unit_name), LOOK_SECONDS)
        if state.active != "active":
            raise NotProven(f"{self.host}: {self.unit_name} is {state.active}")

    def __str__(self) -> str:
        return f"prove {self.unit_name}: {self.questions.shown(self.app.port)}"


@dataclass(frozen=True)
class ProveStillPrevious(ProvePrevious):
    """A host that runs the previous unit already proves it and is left alone."""

    def __str__(self) -> str:
        return f"already current: {super().__str__()}"


@dataclass(frozen=True)
class ProveProxy(OnHost):
    """The proxy answers what the load balancer asks, when all apps behind it are switched."""

    phase = Phase.PROVE
    is_entry = True
    asks_proxy = True

    questions: Questions

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return self.app.settings.start_timeout_seconds

    def run(self, fleet: Fleet) -> None:
        """Any answer that the load balancer would take.

        Raises RemoteError where none comes in time: which app is to blame is not known.
        """
        try:
            _wait_for_answer(fleet, self, self.questions, f"the proxy before {self.app.name}")
        except NotProven as error:
            raise RemoteError(str(error)) from error

    def __str__(self) -> str:
        return f"prove the proxy before {self.app.name}: {self.questions.shown(self.app.port)}"


def _wait_for_answer(fleet: Fleet, step: OnHost, check: Check, who: str) -> None:
    """Ask until the answer is one that is expected; NotProven, of whom, where none is in time."""
    began, text = fleet.clock.monotonic(), NO_TIME
    limit = began + step.app.settings.start_timeout_seconds
    while (left := limit - fleet.clock.monotonic()) > 0:
        seen = check.ask(fleet.remote(step.host), step.app.port, left)
        if seen.is_expected:
            return
        text = seen.said
        pause_asking(fleet.clock, began)
    raise NotProven(f"{step.host}: {who} gave {text}")
