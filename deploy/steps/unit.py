"""Steps that change what runs on a host; its target is out meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import CommandFailed, DeployError
from deploy.hosts.scripts import service
from deploy.steps.base import SHOWN_DIGITS, OnHost, Phase
from deploy.survey import blame, unit_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.targets import TargetGroup
    from deploy.command_result import CommandResult
    from deploy.hosts.scripts.script import Script
    from deploy.settings.app import AppInSlot
    from deploy.steps.fleet import Fleet


LOOK_SECONDS = 30.0
LONGEST_STOP_SECONDS = 3600.0
"""The most that the settings allow for a stop."""


def see_unrestarted(fleet: Fleet, step: OnHost) -> None:
    """Whether what this run proved in the step's slot still runs, and was not started again since.

    A load balancer does not see a release that ends and is back before its next check. Raises
    NotProven; asks nothing where this run started and proved nothing there. A host that does not
    answer is not looked at: what serves is not taken out for that.
    """
    name = step.app.unit_name
    if started := fleet.started.get((step.host.name, name)):
        try:
            state = fleet.remote(step.host).ask(unit_state.shown(name), LOOK_SECONDS)
        except DeployError as error:
            fleet.tell(step.host.name, f"{error}; not seen whether {name} was started again")
            return
        blame.see_steady(step.host.name, name, state, started)


def _stop_seconds(app: AppInSlot) -> float:
    """How long a stop may take.

    A worker stops as slowly as the unit says that it was started with, whatever the settings say
    now; the requests of other apps have ended before.
    """
    own = LONGEST_STOP_SECONDS if app.settings.is_worker else app.settings.stop_seconds
    return own + 30


def _stop(
    fleet: Fleet, step: OnHost, script: Script[CommandResult], seconds: float, unit_name: str = ""
) -> None:
    """Run a script that stops a unit; where systemd had to kill it, that is a notice, no failure.

    unit_name: the unit, where it is not the slot's own.
    """
    name, began = unit_name or step.app.unit_name, fleet.clock.monotonic()
    result = fleet.remote(step.host).change(step.app.name, unit_state.killed(script), seconds)
    if result:
        gone = fleet.clock.monotonic() - began
        fleet.remark(
            step.host.name,
            f"{name} was killed after {gone:.0f} s (result: {result}): what it had under way, "
            "requests or work, was cut. Look at its journal and its `stop_timeout_seconds:`",
        )


@dataclass(frozen=True)
class StopUnit(OnHost):
    """Stop the old release; it finishes what it has."""

    phase = Phase.SWITCH

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return self.app.settings.stop_seconds

    def run(self, fleet: Fleet) -> None:
        """SIGTERM, and SIGKILL by systemd only after TimeoutStopSec."""
        _stop(fleet, self, service.stop_unit(self.app.unit_name), _stop_seconds(self.app))

    def __str__(self) -> str:
        return f"stop {self.app.unit_name}"


@dataclass(frozen=True)
class RetireUnit(OnHost):
    """Stop and disable a unit: the previous one, whose place the app takes, or a slot's own."""

    phase = Phase.SWITCH

    unit_name: str

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return self.app.settings.stop_seconds

    def run(self, fleet: Fleet) -> None:
        """Both at once, so that it does not come back at the next boot."""
        script, seconds = service.retire_unit(self.unit_name), max(_stop_seconds(self.app), 120)
        _stop(fleet, self, script, seconds, self.unit_name)

    def __str__(self) -> str:
        why = "" if self.unit_name == self.app.unit_name else ", which the app replaces"
        return f"stop and disable {self.unit_name}{why}"


@dataclass(frozen=True)
class ReviveUnit(OnHost):
    """Restore the previous unit: the app's own unit goes, the old one starts."""

    phase = Phase.SWITCH

    unit_name: str

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return self.app.settings.stop_seconds

    def run(self, fleet: Fleet) -> None:
        """Stop and disable ours first, since both want the same port."""
        script = service.revive_unit(self.unit_name, instead_of=self.app.unit_name)
        _stop(fleet, self, script, self.app.settings.stop_seconds + 120)
        fleet.started.pop((self.host.name, self.app.unit_name), None)  # it may be down from now on

    def __str__(self) -> str:
        return f"start {self.unit_name} again"


@dataclass(frozen=True)
class SwitchRelease(OnHost):
    """Point the slot at a release and give it the unit that belongs to it.

    unit_digest: that of the unit, which lies on the host beside the release.
    """

    phase = Phase.SWITCH
    is_beside = True

    release: str
    unit_digest: str

    def run(self, fleet: Fleet) -> None:
        """Both by rename: neither the link nor the unit is ever missing or half written."""
        script = service.switch_release(
            self.app.name,
            self.app.port,
            self.release,
            self.app.settings.service_user,
            (self.app.unit_name, self.unit_digest),
            tuple(slot.unit_name for slot in self.app.settings.slots),
        )
        fleet.remote(self.host).change(self.app.name, script)

    def __str__(self) -> str:
        shown = self.unit_digest[:SHOWN_DIGITS]
        return f"switch slot {self.app.port} and its unit to {self.release} ({shown})"


@dataclass(frozen=True)
class StartUnit(OnHost):
    """Load, enable and start the new release."""

    phase = Phase.SWITCH
    is_beside = True

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most."""
        del groups
        return self.app.settings.start_timeout_seconds

    def run(self, fleet: Fleet) -> None:
        """Remember the invocation, by which a restart is recognized later."""
        seconds = self.app.settings.start_timeout_seconds + 30
        remote = fleet.remote(self.host)
        try:
            state = remote.change(self.app.name, unit_state.started(self.app.unit_name), seconds)
        except CommandFailed as error:
            error.blames_release = self._is_to_blame(fleet)
            raise
        fleet.started[self.host.name, self.app.unit_name] = state

    def _is_to_blame(self, fleet: Fleet) -> bool:
        """Whether the release kept systemd from starting it; so it is where that is not known.

        The invocation that failed is remembered: its journal says why.
        """
        script = unit_state.shown(self.app.unit_name)
        try:
            state = fleet.remote(self.host).ask(script, LOOK_SECONDS)
        except DeployError:
            return True
        fleet.started[self.host.name, self.app.unit_name] = state
        return blame.of_start(state)

    def __str__(self) -> str:
        return f"daemon-reload, enable and start {self.app.unit_name}"
