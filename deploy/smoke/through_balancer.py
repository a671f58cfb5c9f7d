"""The step that asks the smoke tests through the load balancer, once its host is in service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import NotProven
from deploy.front.client import NoAnswer
from deploy.smoke.verdict import Shown, Verdict, enough
from deploy.steps.base import OnHost, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import TargetGroup
    from deploy.hosts.probe.request import Head
    from deploy.smoke.verdict import SmokeRequest
    from deploy.steps.fleet import Fleet

TRIES, PAUSE_SECONDS = 3, 1.0
"""How often a request without an answer is asked, and the pause after the first of them."""
BETWEEN_SECONDS = 0.02
ASKING_SECONDS = 30.0
"""How long each test is asked again at most, however many requests would be enough."""
SAY_SECONDS = 1.0


@dataclass(frozen=True)
class PassSmokeTests(OnHost):
    """The release in service answers its smoke tests through the load balancer, as users ask.

    release: the new release; url: the listener that is asked; tests: what is asked there; at_once:
    how many hosts of the first batch take the release together.
    """

    phase = Phase.SMOKE
    is_entry = True

    release: str
    url: str
    tests: tuple[SmokeRequest, ...] = field(repr=False)
    at_once: int = field(default=1, repr=False)

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        pauses = sum(PAUSE_SECONDS * number for number in range(1, TRIES))
        waits = TRIES * sum(test.timeout_seconds for test in self.tests)
        return waits + (pauses + ASKING_SECONDS) * len(self.tests)

    def run(self, fleet: Fleet) -> None:
        """Ask each test until it is known; an end that the operator wants ends it too.

        Raises NotProven for the first that fails, that nothing answers, or that the new release was
        not seen to answer. It blames the release only where the app named itself.
        """
        most = enough(self.at_once, self._serving(fleet))
        for test in self.tests:
            self._pass(fleet, Verdict(test, self.release, most))

    def _serving(self, fleet: Fleet) -> int:
        """Return how many targets serve, by the newest reading, where they are the most."""
        read = (fleet.poller.latest(group) for group, _ in fleet.targets(self.host, self.app))
        counts = [
            sum(each.serves for each in reading.targets.values()) for reading in read if reading
        ]
        return max(counts, default=self.at_once)

    def _pass(self, fleet: Fleet, verdict: Verdict) -> None:
        said = fleet.clock.monotonic()
        end = said + ASKING_SECONDS
        while not verdict.is_done and fleet.clock.monotonic() < end:
            head = self._answer(fleet, verdict)
            if head is None:
                return
            if verdict.add(head) is Shown.FAILED:
                raise self._failed(verdict)
            if fleet.clock.monotonic() - said >= SAY_SECONDS:
                said = fleet.clock.monotonic()
                fleet.tell(
                    self.host.name, f"{verdict.test.url}: {verdict.asked} of {verdict.most} answers"
                )
            fleet.clock.sleep(BETWEEN_SECONDS)
        if not verdict.passed:
            raise self._unseen(verdict)
        fleet.tell(self.host.name, f"smoke test passed: {verdict.last} from {verdict.test.url}")

    def _answer(self, fleet: Fleet, verdict: Verdict) -> Head | None:
        """The next answer; None where the operator wants an end."""
        why = ""
        for number in range(TRIES):
            if fleet.clock.wait(fleet.stop, PAUSE_SECONDS * number):
                return None
            try:
                test = verdict.test
                return fleet.front(test.request, verdict.asked + number, test.timeout_seconds)
            except NoAnswer as error:
                why = str(error)
                fleet.tell(self.host.name, f"{verdict.test.url}: {why}")
        raise self._because(
            verdict,
            f"no answer, asked {TRIES} times: {why}. Whether {self.release} is to blame is not "
            f"known: see whether {self.url} can be reached from here",
        )

    def _failed(self, verdict: Verdict) -> NotProven:
        if verdict.blames_release:
            error = self._because(verdict, verdict.last)
            error.blames_release = True
            return error
        hint = "" if verdict.test.header else "; `release_header` under `smoke_through` can show it"
        return self._because(
            verdict,
            f"{verdict.last}, to request {verdict.asked}. Which release gave it is not known{hint}",
        )

    def _unseen(self, verdict: Verdict) -> NotProven:
        header = verdict.test.header
        text = f"none of {verdict.asked} answers was right"
        if header:
            version = self.release.rpartition("-")[0]
            text = f"none of {verdict.asked} answers has `{header}: {version}`"
        return self._because(verdict, f"{text}, the last was {verdict.last}")

    def _because(self, verdict: Verdict, text: str) -> NotProven:
        """The error of a test that was not passed, which blames no release yet."""
        error = NotProven(
            f"{self.host}: {self.app.name} failed the smoke test `{verdict.test}` through the load "
            f"balancer: {text}"
        )
        error.blames_release = False
        return error

    def __str__(self) -> str:
        count = len(self.tests)
        return f"pass {count} smoke test{'s' * (count != 1)} through {self.url}"
