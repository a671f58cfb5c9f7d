"""Makes a batch wait until the policy allows its targets to leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy.errors import DeployError
from deploy.plan import capacity
from deploy.run import failed_step
from deploy.run.report import Outcome
from deploy.steps.fleet import SILENT_API_SECONDS, Stopped
from deploy.survey.app_on_host import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.aws.targets import Target, TargetGroup
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.run.progress import Progress
    from deploy.settings.app import App
    from deploy.steps.fleet import Fleet

LOOK_FOR_CAPACITY_SECONDS = 0.5
SHOWN_SECONDS = 5.0
"""How long a question waits for a reading that it shows."""
LOOK_FOR_GONE_SECONDS = 5.0
"""How often EC2 is asked for hosts that do not serve, while a batch waits."""


class CapacityGate:
    """Lets a batch, or a host of a window, take targets out only if the policy still holds then."""

    def __init__(self, plan: Plan, fleet: Fleet, progress: Progress) -> None:
        """Ask nothing yet."""
        self._plan, self._fleet, self._progress = plan, fleet, progress
        guarded = {name for batch in plan.minimums for name in batch}
        self._groups: list[_Group] = [
            _Group.of(app, group, plan)
            for app in plan.apps.values()
            for group in fleet.groups[app.name]
            if group.name in guarded
        ]

    def wait(self, number: int, going: Callable[[], list[HostPlan]]) -> None:
        """Return when fresh readings show that enough serve without the hosts of these plans.

        going: those that are out, and those that want to be. All apps of one look have to be
        well: what was seen of the first before the second was waited for is old. Raises Stopped
        when the operator wants an end, DeployError when the app's time to be healthy is over.
        """
        began = look_at = self._fleet.clock.monotonic()
        while (found := self._shortfall(number, going())) is not None:
            app, short = found
            host, limit = going()[0].host, app.healthy_timeout_seconds
            gone = self._fleet.clock.monotonic() - began
            stop, clock = self._fleet.stop, self._fleet.clock
            if clock.monotonic() >= look_at:
                look_at = clock.monotonic() + LOOK_FOR_GONE_SECONDS
                if self._look_for_gone():
                    continue
            if gone <= limit and not clock.wait(stop, LOOK_FOR_CAPACITY_SECONDS):
                self._fleet.tell(host.name, f"waiting, {gone:.0f} of {limit:g} s: it {short}")
                continue
            text = f"batch {number} {short}; waited {gone:.0f} s for it"
            raise Stopped(text) if self._fleet.stop.is_set() else DeployError(text)

    def in_service(self, number: int) -> str:
        """`3 of 4 (minimum 3)`, of the group with the least to spare; empty if not known.

        number: of the batch whose minimum counts.
        """
        minimums = self._plan.minimums[number - 1] if self._plan.minimums else {}
        groups = {group.name: group for each in self._fleet.groups.values() for group in each}
        found: list[tuple[int, str]] = []
        for name, planned in self._plan.in_service.items():
            try:
                now = len(self._fleet.serving(groups[name], SHOWN_SECONDS))
            except DeployError:
                continue
            least = minimums.get(name, 0)
            minimum = f" (minimum {least})" if least else ""
            found.append((now - least, f"{now} of {planned.size}{minimum}"))
        return min(found, default=(0, ""))[1]

    def _shortfall(self, number: int, going: list[HostPlan]) -> tuple[App, str] | None:
        """The first app that would be short without these host plans, and how; one look a group."""
        minimums = self._plan.minimums[number - 1]
        for app, group, targets, zones in self._groups:
            if group.name not in minimums:
                continue
            out = {targets[host_plan.host.name] for host_plan in going if host_plan.switches(app)}
            try:
                serving = self._fleet.serving(group, SILENT_API_SECONDS)
                gone = len(self._progress.gone_hosts)
                least = self._plan.least(number, group.name, app, gone)
                short = capacity.shortfall(group, least, serving, out, zones)
            except DeployError as error:
                short = f"cannot begin: {error}"
            if short:
                return app, short
        return None

    def _look_for_gone(self) -> bool:
        """Ask for the hosts that serve no app of the plan; whether one of them has ended.

        Its turn may be over, or not have come.
        """
        try:
            serving = {
                target
                for _, group, *_ in self._groups
                for target in self._fleet.serving(group, SILENT_API_SECONDS)
            }
        except DeployError:
            return False
        found = [
            host
            for host in self._plan.hosts
            if host.name not in self._progress.gone_hosts
            and not {targets[host.name] for _, _, targets, _ in self._groups} & serving
            and failed_step.has_ended(self._fleet, host)
        ]
        for host in found:
            self._progress.ended(host.name, Outcome.GONE)
        return bool(found)


class _Group(NamedTuple):
    """One group of an app: by host name its targets, and the zones of all that are known."""

    app: App
    group: TargetGroup
    targets: dict[str, Target]
    zones: Mapping[Target, str]

    @classmethod
    def of(cls, app: App, group: TargetGroup, plan: Plan) -> _Group:
        targets = {
            host.name: target_of(group, host, plan.slots[host.name, app.name])
            for host in plan.hosts
        }
        return cls(app, group, targets, plan.in_service[group.name].zones)
