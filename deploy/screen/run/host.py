"""The state of a host in a run: serving, draining, out, back. Pure."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.steps.base import Phase

if TYPE_CHECKING:
    from deploy.events.event import HostSaid, StepBegan, StepEnded

JOURNAL_LINES = 10
STARTS = frozenset({"start_unit", "revive_unit"})


class State(enum.StrEnum):
    """What a host is to those who send requests to it."""

    SERVING = "serving"
    DRAINING = "draining"
    OUT = "out"
    STARTING = "starting"
    PROVING = "proving"
    RETURNING = "returning"
    BACK = "back"
    FAILED = "FAILED"


@dataclass
class Service:
    """Whether one app of a host gets requests, as the steps on its slots change that.

    Attributes:
        is_worker: Whether it has no target: then it serves while it runs.
        serves_before: Whether the slot that was in use before the run still serves.
        returned: The slots, by port, that the run registered, and whether they are healthy yet.
    """

    is_worker: bool = False
    serves_before: bool = True
    returned: dict[int, bool] = field(default_factory=dict)

    @property
    def serves(self) -> bool:
        """Whether a slot of it gets requests."""
        return self.serves_before or self.is_back

    @property
    def is_back(self) -> bool:
        """Whether a slot that the run registered gets requests."""
        return any(self.returned.values())

    def begin(self, step: StepBegan) -> None:
        """A step on one of its slots starts."""
        leaves = "stop_unit" if self.is_worker else "deregister_target"
        enters = "start_unit" if self.is_worker else "register_target"
        if step.kind == leaves:
            if self.returned.pop(step.port, None) is None:
                self.serves_before = False
        elif step.kind == enters:
            self.returned[step.port] = False

    def end(self, step: StepEnded) -> None:
        """A step on one of its slots did what it says."""
        if step.kind == ("prove_release" if self.is_worker else "wait_healthy"):
            self.returned[step.port] = True


@dataclass
class HostInRun:
    """Hears what happens on one host.

    Attributes:
        name: As the events have it.
        services: Of its apps, by name.
        step: What it does now; None between its turns.
        since: When that began, unix seconds.
        said: What the host said of it last.
        failure: What its plan failed with; empty while all is well.
        is_recovering: Whether what it does follows from a failure.
        outcome: How its part ended; empty before.
        changed: When something happened there last, unix seconds; 0 for never.
        journal: The last lines of what it starts.
    """

    name: str
    services: dict[str, Service]
    step: StepBegan | None = None
    since: float = 0.0
    said: str = ""
    failure: str = ""
    is_recovering: bool = False
    outcome: str = ""
    changed: float = 0.0
    journal: deque[str] = field(default_factory=lambda: deque(maxlen=JOURNAL_LINES))

    @property
    def is_at_work(self) -> bool:
        """Whether a step runs there, or something is waited for between two of them."""
        return self.step is not None or bool(self.said and not self.outcome)

    @property
    def serves(self) -> bool:
        """Whether each of its apps gets requests."""
        return all(each.serves for each in self.services.values())

    @property
    def state(self) -> State:
        """What it is to those who send requests."""
        if self.failure:
            return State.FAILED
        if self.serves:
            is_back = any(each.is_back for each in self.services.values())
            return State.BACK if is_back else State.SERVING
        step = self.step
        if step is None:
            return State.OUT
        if step.kind in STARTS:
            return State.STARTING
        return _WHILE_OUT.get(step.phase, State.OUT)

    @property
    def is_starting(self) -> bool:
        """Whether what it starts has not served yet, so that its journal matters."""
        step = self.step
        return step is not None and (step.kind in STARTS or step.phase == Phase.PROVE.value)

    def begin(self, step: StepBegan, at: float) -> None:
        """A step starts."""
        self.step, self.since, self.changed, self.said = step, at, at, ""
        self.is_recovering = not step.is_planned
        if step.kind in STARTS:
            self.journal.clear()
        if service := self.services.get(step.app):
            service.begin(step)

    def end(self, step: StepEnded, at: float) -> None:
        """A step ended."""
        self.step, self.changed, self.said = None, at, ""
        service = self.services.get(step.app)
        if service and not (step.error or step.is_stopped):
            service.end(step)
        if step.error and step.is_planned:
            self.failure = step.error

    def hear(self, said: HostSaid, at: float) -> None:
        """What the host says; a line of a journal begins with `|`."""
        self.changed = at
        is_journal = said.text.startswith("|") and self.is_starting
        text = said.text.removeprefix("| ")
        if is_journal:
            self.journal.append(text)
        else:
            self.said = text

    def begin_anew(self) -> None:
        """What failed there counts no more: it is tried again."""
        self.failure, self.outcome = "", ""

    def finish(self, outcome: str, at: float) -> None:
        """Its part is over."""
        self.step, self.outcome, self.changed, self.is_recovering = None, outcome, at, False


_WHILE_OUT = {
    Phase.DRAIN.value: State.DRAINING,
    Phase.PROVE.value: State.PROVING,
    Phase.CHECK.value: State.RETURNING,
    Phase.SOAK.value: State.RETURNING,
    Phase.SMOKE.value: State.RETURNING,
}
