"""The check of a started release before it serves: health checks, or a worker's command.

A worker has no port. It must run, and where the settings name a command, that must end with 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from deploy.errors import RemoteError
from deploy.hosts.scripts import start_trial, worker_check
from deploy.survey import unit_state
from deploy.survey.question import Answer, Prober, Questions

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script
    from deploy.hosts.scripts.worker_check import Command
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import SlotOnHost

T = TypeVar("T")
LOOK_SECONDS = 30.0
MARGIN_SECONDS = 10.0
"""What a command may take beside its own time, until its host has answered."""


class Host(Prober, Protocol):
    """A host that can be asked over the network, and by a command: its connection."""

    def ask(self, script: Script[T], timeout_seconds: float) -> T:
        """The answer to a question that changes nothing."""


@dataclass(frozen=True)
class WorkerCheck:
    """The check of a worker.

    Attributes:
        unit_name: The unit that must run.
        command: What must end with 0 besides; None for nothing.
        timeout_seconds: How long the command may take.
    """

    is_of_worker: ClassVar[bool] = True

    unit_name: str
    command: Command | None = None
    timeout_seconds: float = 5.0

    @classmethod
    def of(cls, at: SlotOnHost) -> WorkerCheck:
        """Return the check of a worker's slot on a host."""
        settings = at.app.settings
        health = settings.health
        command = None
        if health.command:
            command = worker_check.Command(
                text=health.command,
                words=health.words,
                app=at.app.name,
                slot=at.app.port,
                unit_name=at.unit_name,
                user=settings.service_user,
                group=at.slot.group or settings.service_user,
                environment=tuple(sorted(settings.environment.items())),
                environment_file=settings.environment_file or "",
                removed=settings.sandbox_removed,
            )
        return cls(at.unit_name, command, health.command_seconds)

    def of_old(self) -> WorkerCheck:
        """The same of a release that was proven before: it must run.

        The command may have come with a later one, so that it says nothing about this.
        """
        return replace(self, command=None)

    def of_previous(self, unit_name: str) -> WorkerCheck:
        """The same of the unit that the app replaces: it must run."""
        return replace(self, unit_name=unit_name, command=None)

    @property
    def longest_seconds(self) -> float:
        """The most that one look may take."""
        return self.timeout_seconds

    def shown(self, slot_port: int) -> str:
        """The condition, in a few words."""
        del slot_port
        return f"{self.command} gives 0" if self.command else "it runs"

    def ask(self, host: Host, slot_port: int, most_seconds: float | None = None) -> Answer:
        """Look at the unit, and run the command; most_seconds: for each of them.

        Raises RemoteError where systemd cannot run the command.
        """
        del slot_port
        most = self.timeout_seconds if most_seconds is None else max(most_seconds, 1.0)
        state = host.ask(unit_state.shown(self.unit_name), min(LOOK_SECONDS, max(most, 5.0)))
        if state.active != "active":
            return Answer("", f"state {state.active}", is_expected=False)
        if self.command is None:
            return Answer("", "state active", is_expected=True)
        seconds = min(self.timeout_seconds, most)
        script = worker_check.run(self.command, seconds)
        ran = host.ask(script, seconds + MARGIN_SECONDS)
        if ran.is_systemds:
            said = f": {ran.said}" if ran.said else ""
            raise RemoteError(f"systemd could not run {self.command} ({ran.code}){said}")
        text = f"exit code {ran.code}" + ("" if ran.code == 0 else f", not 0, of {self.command}")
        if ran.is_timeout:
            text = f"no end of {self.command} within {seconds:g} s"
        said = f" ({ran.said})" if ran.code and ran.said else ""
        return Answer("", text + said, is_expected=ran.code == 0)


Check = Questions | WorkerCheck
"""What a release is proven by; `shown` says it, and `ask` asks it."""


def of(at: SlotOnHost) -> Check:
    """Return the check that a release in a slot must pass."""
    return WorkerCheck.of(at) if at.app.settings.is_worker else Questions.of(at)


def of_rehearsal(at: SlotOnHost) -> Check:
    """Return the check of a release that is started beside the one that serves, on another port.

    A check with a port of its own would be answered by the one that serves: then it must run.
    """
    asked = Questions.of_app(at).each
    own = tuple(question for question in asked if question.port is None)
    return Questions(own) if own else WorkerCheck(start_trial.unit_name(at.app.name))


def alone(at: SlotOnHost, environment: Environment) -> Check:
    """Return the check of a release while other apps behind its proxy may be down."""
    return Questions.of_app(at) if environment.partners(at.app.settings) else of(at)
