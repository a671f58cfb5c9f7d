"""The steps of a run-once command: run it, or record that it needs no run."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import CommandFailed, DeployError
from deploy.foreign_text import visible
from deploy.hosts import records
from deploy.hosts.once import scripts
from deploy.hosts.once.record import OnceRecord, State
from deploy.hosts.scripts import base, service
from deploy.steps.base import OnHost, Phase
from deploy.survey import unit_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import TargetGroup
    from deploy.steps.fleet import Fleet
    from deploy.survey.slot import UnitState

LOOK_SECONDS, PAUSE_SECONDS = 30.0, 1.0
BEGIN_SECONDS = 10.0
"""How long systemd may take to show that what it was given to start has begun."""
END_SECONDS = 60.0
"""How much later than it must systemd may show an end."""
JOURNAL_LINES = 5


@dataclass(frozen=True)
class RunOnce(OnHost):
    """Run the command of a staged release to its end, as a unit of its own.

    systemd runs it, so that it goes on, once, whatever becomes of the connection or of us. That it
    was started is written down before, on a majority of the hosts, and that it is done afterwards.

    Attributes:
        release: The release's id.
        unit_text: The unit that runs it.
    """

    phase = Phase.STAGE

    release: str
    unit_text: str = field(repr=False)

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return float(self.app.settings.run_once_timeout_seconds)

    def run(self, fleet: Fleet) -> None:
        """Start it, unless this command has; wait for its end, also where an end is wanted.

        It cannot be taken back, and may be half through: so it is seen through.

        Raises:
            DeployError: It did not end well, or it is not known how it ended.
        """
        name, text = self.app.name, self.unit_text.encode()
        _write(fleet, self, self.release, State.STARTED)
        try:
            fleet.remote(self.host).send(
                name, scripts.start(name, fleet.run, len(text)), io.BytesIO(text)
            )
        except CommandFailed as error:
            if error.result.exit_code == scripts.RESTARTED:
                raise self._unknown(fleet) from error
            if error.result.exit_code != scripts.STILL_RUNS:
                raise
            raise DeployError(
                f"{self.host}: {visible(error.result.stdout.strip())} there already, of an earlier "
                "deploy; wait for its end, and deploy again"
            ) from error
        self._see_through(fleet)
        _write(fleet, self, self.release, State.DONE)
        with suppress(DeployError):  # it is done: nothing may run it again
            fleet.remote(self.host).change(name, scripts.forget(name, fleet.run))

    def _see_through(self, fleet: Fleet) -> None:
        """Wait until systemd shows that it ended, and show what it prints."""
        began, settings = fleet.clock.monotonic(), self.app.settings
        limit = settings.run_once_timeout_seconds + settings.stop_seconds + END_SECONDS
        is_seen, said = False, ""
        while (passed := fleet.clock.monotonic() - began) < limit:
            state = self._state(fleet)
            if state.active == "failed":
                raise self._failed(fleet, state)
            said = self._say(fleet, state, said)
            if state.active == "active":
                return
            is_seen = is_seen or state.active != "inactive"
            if state.active == "inactive" and (is_seen or passed > BEGIN_SECONDS):
                raise self._unknown(fleet)
            self._pause(fleet)
        raise DeployError(f"{self.host}: {self._unit_name(fleet)} still runs after {limit:.0f} s")

    def _say(self, fleet: Fleet, state: UnitState, said: str) -> str:
        """Show the last line of its output, unless it was shown before; return it."""
        line = next(iter(self._journal(fleet, state, 1)), "")
        if line != said:
            fleet.tell(self.host.name, f"| {line}")
        return line

    def _pause(self, fleet: Fleet) -> None:
        """Wait a moment; where an end is wanted, only while the environment is still ours."""
        if not fleet.clock.wait(fleet.stop, PAUSE_SECONDS):
            return
        fleet.tell(self.host.name, "it cannot be taken back, so its end is waited for")
        fleet.remote(self.host).change(self.app.name, base.see_ours())
        fleet.clock.sleep(PAUSE_SECONDS)

    def _unknown(self, fleet: Fleet) -> DeployError:
        return DeployError(
            f"{self.host}: systemd no longer knows {self._unit_name(fleet)}, as after a restart of "
            "the host, so how it ended is not known; the next deploy asks"
        )

    def _failed(self, fleet: Fleet, state: UnitState) -> DeployError:
        """Return why it did not succeed, with the end of its output."""
        unit, settings = self._unit_name(fleet), self.app.settings
        how = f"ended with exit status {state.exit_status}"
        if state.result == "timeout":
            how = f"was ended after {settings.run_once_timeout_seconds} s"
        elif state.result != "exit-code":
            how = f"did not end well (systemd's result: {visible(state.result)})"
        return DeployError(
            f"{self.host}: `{settings.run_once}` {how}; no host was taken out of service",
            *(f"  | {line}" for line in self._journal(fleet, state, JOURNAL_LINES)),
            f"  its output: journalctl -u {unit}",
            f"  the next deploy of {self.release} asks whether to run it again",
        )

    def _state(self, fleet: Fleet) -> UnitState:
        script = unit_state.shown(self._unit_name(fleet))
        return fleet.remote(self.host).ask(script, LOOK_SECONDS)

    def _journal(self, fleet: Fleet, state: UnitState, lines: int) -> list[str]:
        """Return its last lines; none if the host does not answer."""
        if not state.invocation:
            return []
        script = service.journal_of(state.invocation, lines)
        with suppress(DeployError):
            return [visible(each) for each in fleet.remote(self.host).ask(script, LOOK_SECONDS)]
        return []

    def _unit_name(self, fleet: Fleet) -> str:
        return scripts.unit_name(self.app.name, fleet.run)

    def __str__(self) -> str:
        settings = self.app.settings
        most = f"at most {settings.run_once_timeout_seconds} s"
        return f"run `{settings.run_once}` of {self.app.name} {self.release} once ({most})"


@dataclass(frozen=True)
class SkipOnce(OnHost):
    """Write down, on a majority of the hosts, that the command needs no run for a release."""

    phase = Phase.STAGE

    release: str

    def run(self, fleet: Fleet) -> None:
        """The next deploy of the release does not ask again."""
        _write(fleet, self, self.release, State.SKIPPED)

    def __str__(self) -> str:
        name = self.app.name
        return f"note that `{self.app.settings.run_once}` of {name} {self.release} needs no run"


def _write(fleet: Fleet, step: OnHost, release: str, state: State) -> None:
    host = "" if state is State.SKIPPED else step.host.name
    record = OnceRecord(state, fleet.run, host, records.now(), fleet.author)
    if fleet.ledger is None:
        raise DeployError(f"{step.host}: there is nowhere to write down what is run once")
    fleet.ledger.write(step.app.name, release, record)
