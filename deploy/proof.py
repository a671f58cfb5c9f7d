"""Proving a release: it answers on its own host, the answer is its own, and it stays up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import matcher, questions
from deploy.errors import DeployError
from deploy.foreign_text import visible
from deploy.printed import parse_listeners, parse_show
from deploy.steps import OnHost

if TYPE_CHECKING:
    from deploy.facts import UnitState
    from deploy.fleet import Fleet

ASK_SECONDS = 0.05
ASK_SHARE = 0.05  # of the time that a start took so far: who is slow is not slowed by questions
STAY_LOOK_SECONDS = 1.0
START_LOOK_SECONDS = 0.7
JOURNAL_LINES = 5


class NotProven(DeployError):
    """A started release did not answer, or did not stay."""

    blames_release = True


@dataclass(frozen=True)
class ProveRelease(OnHost):
    """A started release answers locally and stays up, or does not reach the load balancer."""

    release: str
    path: str
    expect: str

    def run(self, fleet: Fleet) -> None:
        """Answered, by the slot's own process, of this very release, then unrestarted.

        NotProven says which of these failed, with the unit's state.
        """
        state = self._wait_for_answer(fleet)
        self._see_own_listener(fleet)
        self._see_own_release(fleet, state)
        self._see_it_stay(fleet)

    def look_again(self, fleet: Fleet) -> None:
        """Whether what was proven a while ago still runs unrestarted; NotProven where not."""
        self._steady(fleet, self._look(fleet))

    def __str__(self) -> str:
        return (
            f"prove {self.release}: GET :{self.app.port}{self.path} gives {self.expect}, "
            f"then up {self.app.prove_seconds:g} s"
        )

    def _look(self, fleet: Fleet) -> UnitState:
        result = fleet.remote(self.host).ask(questions.show_unit(self.app.unit), "unit's state")
        return parse_show(result.stdout)

    def _steady(self, fleet: Fleet, state: UnitState) -> None:
        """Raise when the unit failed, restarted, or is another invocation than we started."""
        unit, key = self.app.unit, (self.host.name, self.app.unit)
        started = fleet.started.setdefault(key, state)
        if state.active in {"failed", "inactive"}:
            raise NotProven(
                f"{self.host}: {unit} is {state.active} (result: {visible(state.result)})"
            )
        if state.restarts > started.restarts or state.invocation != started.invocation:
            raise NotProven(
                f"{self.host}: {unit} ended and was restarted by systemd: it does not stay up"
            )
        if state.sub == "auto-restart":
            raise NotProven(f"{self.host}: {unit} ended (result: {visible(state.result)})")

    def _wait_for_answer(self, fleet: Fleet) -> UnitState:
        began = time.monotonic()
        limit = self.app.start_timeout_seconds
        looked = began - START_LOOK_SECONDS
        while True:
            code, has_answered = _ask(self, fleet)
            now = time.monotonic()
            if has_answered:
                fleet.mark(self.host, self.app, "answered")
            if has_answered or now - looked >= START_LOOK_SECONDS:
                state, looked = self._look(fleet), now
                self._steady(fleet, state)
            if has_answered:
                self._show_journal(fleet)
                return state
            said = "no answer" if code is None else f"answer {code}, not {self.expect}"
            if now - began > limit:
                raise NotProven(
                    f"{self.host}: {self.app.unit} gave {said} on port {self.app.port}"
                    f"{self.path} for {limit} s"
                )
            fleet.tell(self.host.name, f"{said} yet, {now - began:.0f} of {limit} s")
            _pause(began)

    def _show_journal(self, fleet: Fleet) -> None:
        """The last lines, for the person at the keyboard, while the release proves itself."""
        script = questions.journal(self.app.unit, JOURNAL_LINES)
        for line in fleet.remote(self.host).ask(script, "journal").stdout.splitlines():
            fleet.tell(self.host.name, f"| {visible(line)}")

    def _see_own_listener(self, fleet: Fleet) -> None:
        script = questions.listeners(self.app.name, self.app.port)
        text = fleet.remote(self.host).ask(script, "listeners").stdout
        lines = [line.partition("=") for line in text.splitlines()]
        found = parse_listeners([said for key, _, said in lines if key.endswith(".listener")])
        foreign = [listener for listener in found if listener.unit != self.app.unit]
        if not found or foreign:
            who = ", ".join(str(listener) for listener in foreign) or "no process that ss can see"
            raise NotProven(
                f"{self.host}: port {self.app.port} is answered by {who}, not by {self.app.unit}"
            )

    def _see_own_release(self, fleet: Fleet, state: UnitState) -> None:
        script = questions.running_release(state.main_pid)
        said = fleet.remote(self.host).ask(script, "running release").stdout.splitlines()
        found = [line for line in said if line.startswith("running=")]
        running = found[0].removeprefix("running=") if found else ""
        if running != self.release:
            raise NotProven(
                f"{self.host}: {self.app.unit} runs {visible(running) or 'no release of ours'}, "
                f"not {self.release}"
            )

    def _see_it_stay(self, fleet: Fleet) -> None:
        """No restart over `prove_seconds` from the first answer, then asked once more."""
        end = fleet.marked(self.host, self.app, "answered") + self.app.prove_seconds
        while (left := end - time.monotonic()) > 0:
            gone = self.app.prove_seconds - left
            fleet.tell(self.host.name, f"proving, up {gone:.0f} of {self.app.prove_seconds:g} s")
            time.sleep(min(left, STAY_LOOK_SECONDS))
            if left > STAY_LOOK_SECONDS:
                self._steady(fleet, self._look(fleet))
        self._steady(fleet, self._look(fleet))
        code, has_answered = _ask(self, fleet)
        if not has_answered:
            raise NotProven(
                f"{self.host}: {self.app.unit} answered first and then gave "
                f"{code or 'no answer'} on {self.path} after {self.app.prove_seconds:g} s"
            )


@dataclass(frozen=True)
class ProveCurrent(ProveRelease):
    """A host that already runs the release proves it and is left alone."""

    def __str__(self) -> str:
        return f"already current: {super().__str__()}"


@dataclass(frozen=True)
class ProveRevived(OnHost):
    """The unit of before answers again on the app's port."""

    unit: str
    path: str
    expect: str

    def run(self, fleet: Fleet) -> None:
        """Any answer that the load balancer would take."""
        began = time.monotonic()
        while time.monotonic() - began < self.app.start_timeout_seconds:
            if _ask(self, fleet)[1]:
                return
            _pause(began)
        raise NotProven(f"{self.host}: {self.unit} was started again and does not answer")

    def __str__(self) -> str:
        return f"prove that {self.unit} answers again on :{self.app.port}{self.path}"


def _pause(began: float) -> None:
    """Between two questions to an app whose start began then."""
    time.sleep(max(ASK_SECONDS, ASK_SHARE * (time.monotonic() - began)))


def _ask(step: ProveRelease | ProveRevived, fleet: Fleet) -> tuple[int | None, bool]:
    """The code that the host's own port answers now, and whether it is an expected one.

    Asked under the Host header that the load balancer's health check uses (ALB guide).
    """
    app, host = step.app, step.host
    header = app.health.host or f"{host.private_address or host.address}:{app.port}"
    code = fleet.remote(host).probe(app.port, step.path, header, app.health.timeout_seconds)
    return code, code is not None and matcher.parse(step.expect).matches(code)
