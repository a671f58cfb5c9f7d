"""CapacityGate for what goes out: as long as the policy does not hold without it, it waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import DeployError
from deploy.plan import capacity
from deploy.steps.fleet import SILENT_API_SECONDS, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.steps.fleet import Fleet

LOOK_FOR_CAPACITY_SECONDS = 0.5


class CapacityGate:
    """What a plan's batches, and the hosts of a window, ask before they take targets out."""

    def __init__(self, plan: Plan, fleet: Fleet) -> None:
        """Ask nothing yet."""
        self._plan, self._fleet = plan, fleet
        self._targets = {
            name: {
                host.name: fleet.target(host, plan.slots[host.name, name]) for host in plan.hosts
            }
            for name in sorted({app for batch in plan.minimums for app in batch})
        }
        self._zones = {
            name: {targets[host.name]: host.zone for host in plan.hosts}
            | {
                fleet.target(host, slot): host.zone
                for host in plan.left_out
                for slot in plan.apps[name].slots
            }
            for name, targets in self._targets.items()
        }

    def wait(self, number: int, going: Callable[[], list[HostPlan]]) -> None:
        """Return when fresh readings show that enough serve without the hosts of these plans.

        going: those that are out, and those that want to be. All apps of one look have to be
        well: what was seen of the first before the second was waited for is old. Raises Stopped
        when the operator wants an end, DeployError when the app's time to be healthy is over.
        """
        began = self._fleet.clock.monotonic()
        while (found := self._shortfall(number, going())) is not None:
            app, short = found
            host, limit = going()[0].host, app.healthy_timeout_seconds
            gone = self._fleet.clock.monotonic() - began
            stop, clock = self._fleet.stop, self._fleet.clock
            if gone <= limit and not clock.wait(stop, LOOK_FOR_CAPACITY_SECONDS):
                self._fleet.tell(host.name, f"waiting, {gone:.0f} of {limit:g} s: it {short}")
                continue
            text = f"batch {number} {short}; waited {gone:.0f} s for it"
            raise Stopped(text) if self._fleet.stop.is_set() else DeployError(text)

    def _shortfall(self, number: int, going: list[HostPlan]) -> tuple[App, str] | None:
        """The first app that would be short without these host plans, and how; one look at each."""
        for name, least in self._plan.minimums[number - 1].items():
            app, targets = self._plan.apps[name], self._targets[name]
            out = {targets[host_plan.host.name] for host_plan in going if host_plan.switches(app)}
            try:
                serving = self._fleet.serving(app, SILENT_API_SECONDS)
                short = capacity.shortfall(
                    self._fleet.groups[name], least, serving, out, self._zones[name]
                )
            except DeployError as error:
                short = f"cannot begin: {error}"
            if short:
                return app, short
        return None
