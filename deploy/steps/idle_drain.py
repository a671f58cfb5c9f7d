"""The drain that ends when the host is quiet, and where it may not be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import RemoteError, Unreachable
from deploy.hosts.scripts import connections
from deploy.steps.base import OnHost, Phase
from deploy.steps.fleet import Moment, Stopped
from deploy.steps.target import refuse_returned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.aws.targets import TargetGroup
    from deploy.hosts.scripts.connections import Connection
    from deploy.settings.app import App
    from deploy.steps.fleet import Fleet
    from deploy.survey.app_on_host import SlotOnHost
    from deploy.survey.facts import Survey

SAMPLE_SECONDS = 0.5
ASK_SECONDS = 5.0


@dataclass(frozen=True)
class WaitQuiet(OnHost):
    """Let requests in flight finish: the propagation floor, and longer while the host is busy.

    The kernel's figures never end it early: what they cannot show, the service itself finishes
    after its SIGTERM. floor_seconds: no end before; quiet_seconds: no busy connection for so
    long, which may lie inside the floor; seconds: no later end, the deregistration delay;
    heeds_stop: whether it ends when the operator wants an end, so that the host goes back in.
    """

    phase = Phase.DRAIN

    floor_seconds: float
    quiet_seconds: float
    seconds: float
    heeds_stop: bool = field(default=True, repr=False)

    @property
    def least_seconds(self) -> float:
        """How long it takes where no connection is ever busy."""
        return min(max(self.floor_seconds, self.quiet_seconds), self.seconds)

    def estimated_seconds(self, group: TargetGroup) -> float:
        """Return how long the settings have it wait."""
        del group
        return self.least_seconds

    def run(self, fleet: Fleet) -> None:
        """Wait out the floor, look until it is quiet, then read the target's state once.

        A look that fails shows nothing, so it counts as a busy one. Raises Stopped when the
        operator wants an end.
        """
        began = fleet.marked(self.host, self.app, Moment.DEREGISTERED)
        floor, limit = began + self.floor_seconds, began + self.seconds
        while (now := fleet.clock.monotonic()) < floor - self.quiet_seconds:
            fleet.tell(self.host.name, self._gone(fleet, began))
            self._pause(fleet, min(now + SAMPLE_SECONDS, floor - self.quiet_seconds))
        before: tuple[Connection, ...] | None = None
        quiet_since = math.inf
        while (now := fleet.clock.monotonic()) < limit:
            try:
                seen = self._look(fleet, limit - now)
            except (RemoteError, Unreachable) as error:
                before, quiet_since = None, math.inf
                state = f"its connections cannot be seen: {error}"
            else:
                count = connections.busy(seen, before)
                before = seen
                quiet_since = math.inf if count else min(quiet_since, fleet.clock.monotonic())
                if now >= max(floor, quiet_since + self.quiet_seconds):
                    break
                state = self._state(count, max(0.0, now - quiet_since))
            fleet.tell(self.host.name, f"{state}; {self._gone(fleet, began)}")
            self._pause(fleet, min(now + SAMPLE_SECONDS, limit))
        refuse_returned(fleet, self, fleet.clock.monotonic())

    def _look(self, fleet: Fleet, left: float) -> tuple[Connection, ...]:
        """Ask the kernel once; an error where it cannot be asked, or does not say."""
        script = connections.established(self.app.port)
        return fleet.remote(self.host).ask(script, min(ASK_SECONDS, left))

    def _state(self, count: int, quiet: float) -> str:
        noun = "connection" if count == 1 else "connections"
        return f"{count} {noun} busy, quiet for {quiet:.0f} of {self.quiet_seconds:g} s"

    def _gone(self, fleet: Fleet, began: float) -> str:
        gone = fleet.clock.monotonic() - began
        return f"draining for {gone:.0f} of {self.floor_seconds:g} to {self.seconds:g} s"

    def _pause(self, fleet: Fleet, until: float) -> None:
        left = max(0.0, until - fleet.clock.monotonic())
        if not self.heeds_stop:
            fleet.clock.sleep(left)
        elif fleet.clock.wait(fleet.stop, left):
            raise Stopped(f"{self.host}: stopped while draining")

    def __str__(self) -> str:
        return (
            f"drain {self.app.slot_mark}until quiet, {self.floor_seconds:g} to {self.seconds:g} s"
        )


def refusal(at: SlotOnHost) -> str:
    """Why a slot's drain must be the whole delay; empty where it may end when quiet."""
    return next(_objections(at), "")


def _objections(at: SlotOnHost) -> Iterator[str]:
    app, slot = at.app.settings, at.slot
    if not app.drains_on_sigterm:
        yield "it does not finish its requests on SIGTERM (drains_on_sigterm: false)"
    if app.stop_seconds < app.longest_request_seconds:
        yield (
            f"stop_timeout_seconds of {app.stop_seconds} s is under its longest request "
            f"({app.longest_request_seconds:g} s)"
        )
    for group in at.groups:
        if group.protocol_version != "HTTP1":
            yield (
                f"target group {group.name} speaks {group.protocol_version}, whose connections "
                "carry many requests at once"
            )
        if group.target_type == "ip":
            yield (
                f"target group {group.name} has targets of type ip, whose addresses cannot come "
                "back before the delay is over"
            )
    if slot.replaces.is_running:
        yield f"it is unknown how {app.replaces}, which it replaces, handles SIGTERM"
    if slot.unit_state.is_running and not slot.listeners:
        yield (
            f"no listener on port {at.app.port} is visible in the host's network namespace while "
            f"{at.unit_name} runs"
        )


def refusals(apps: Iterable[App], survey: Survey) -> list[str]:
    """A sentence for each app and reason for which drains are the whole delay, with its hosts."""
    found: list[str] = []
    for app in apps:
        hosts: dict[str, list[str]] = {}
        for on in survey.everywhere(app):
            if why := refusal(on):
                hosts.setdefault(why, []).append(on.host.name)
        for why, names in hosts.items():
            where = "" if len(names) == len(survey.hosts) else f" on {', '.join(names)}"
            found.append(f"{app.name}: drains by the whole delay{where}: {why}")
    return found
