"""A step that starts a release beside the one that serves, before anything is taken out."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import Unfit
from deploy.foreign_text import visible
from deploy.hosts.scripts import service, start_trial
from deploy.steps import verify
from deploy.steps.base import OnHost, Phase
from deploy.steps.fleet import Stopped
from deploy.survey import unit_state

if TYPE_CHECKING:
    from deploy.steps.fleet import Fleet
    from deploy.survey.check import Check

LOOK_SECONDS, PAUSE_SECONDS = 30.0, 0.2
JOURNAL_LINES, SHOWN_LINES = 400, 10
"""How many lines are searched, since a runtime's stack stands below what it says; and shown."""
LOCK_SECONDS = 60.0
"""How long the host may wait for the app's lock there."""
_IN_USE = re.compile(r"already in use|EADDRINUSE|only one usage of each socket", re.IGNORECASE)
"""What libuv, .NET, Java, Go and Python say of a port that another process holds."""


@dataclass(frozen=True)
class RehearseRelease(OnHost):
    """The staged release starts on a free port and answers there, while the old one serves.

    units: the unit for each of some ports, of which the first free one is taken; check: what the
    release is asked.
    """

    phase = Phase.STAGE

    release: str
    units: tuple[tuple[int, str], ...] = field(repr=False)
    check: Check = field(repr=False)

    def run(self, fleet: Fleet) -> None:
        """Start it, see it answer, and end it.

        Raises Unfit, with its journal, where it does not start; a port of its own that is taken by
        what runs is no fault, and said. Stopped when the operator wants an end.
        """
        remote, name = fleet.remote(self.host), self.app.name
        texts = [(port, text.encode()) for port, text in self.units]
        script = start_trial.start(name, [(port, len(text)) for port, text in texts])
        source = io.BytesIO(b"".join(text for _, text in texts))
        seconds = self.app.settings.start_timeout_seconds + LOOK_SECONDS
        try:
            port = remote.send(name, script, source, timeout_seconds=seconds + LOCK_SECONDS)
            problem = "no port is free for it" if port is None else self._problem(fleet, port)
            said = self._journal(fleet) if problem and port is not None else []
        finally:
            remote.change(name, start_trial.end(name), seconds)
        taken = next((line for line in said if _IN_USE.search(line)), "")
        if taken:
            fleet.tell(self.host.name, f"| not rehearsed, a port of its own is in use: {taken}")
        elif problem:
            raise Unfit(
                f"{self.host}: {self.release} does not start beside what serves: {problem}; repair "
                "the package or the host, or leave out `rehearse: start`",
                *(f"  | {line}" for line in said[-SHOWN_LINES:]),
            )

    def _problem(self, fleet: Fleet, port: int) -> str:
        """Why it does not pass what it is asked; empty where it does."""
        remote, unit = fleet.remote(self.host), start_trial.unit_name(self.app.name)
        began, limit = fleet.clock.monotonic(), self.app.settings.start_timeout_seconds
        text, least = "no answer", began
        if self.check.is_of_worker:  # which answers nothing, and so must stay up
            least += min(self.app.settings.prove_seconds, limit / 2)
        while (left := began + limit - fleet.clock.monotonic()) > 0:
            answer = self.check.ask(remote, port, left)
            if answer.is_expected and fleet.clock.monotonic() >= least:
                return ""
            state = remote.ask(unit_state.shown(unit), LOOK_SECONDS)
            if state.active in {"failed", "inactive"}:
                return f"it ended (result: {visible(state.result)})"
            text = answer.text
            fleet.tell(self.host.name, f"rehearsed: {text}")
            if fleet.clock.wait(fleet.stop, PAUSE_SECONDS):
                raise Stopped(f"{self.host}: stopped while it was rehearsed")
        return f"{text} for {limit} s{verify.listens_alone(fleet, self, port, LOOK_SECONDS)}"

    def _journal(self, fleet: Fleet) -> list[str]:
        """What this start alone said; nothing where systemd knows of none."""
        remote, unit = fleet.remote(self.host), start_trial.unit_name(self.app.name)
        state = remote.ask(unit_state.shown(unit), LOOK_SECONDS)
        if not state.invocation:
            return []
        script = service.journal_of(state.invocation, JOURNAL_LINES)
        return [visible(line) for line in remote.ask(script, LOOK_SECONDS)]

    def __str__(self) -> str:
        return f"start {self.release} on a free port, and end it: {self.check.shown(0)}"


@dataclass(frozen=True)
class EndRehearsal(OnHost):
    """End what a deploy that was cut off had started for a rehearsal."""

    phase = Phase.STAGE

    def run(self, fleet: Fleet) -> None:
        """Stop it and remove its unit."""
        fleet.remote(self.host).change(self.app.name, start_trial.end(self.app.name))

    def __str__(self) -> str:
        return f"end the rehearsal of {self.app.name}"
