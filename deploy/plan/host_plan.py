"""What is done on one host, in order: the host plans of which plans are made. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.hosts.records import Kind
from deploy.steps.target import DeregisterTarget, RegisterTarget
from deploy.steps.unit import SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.hosts.records import Record
    from deploy.settings.app import App
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost


def out_at_once(batch: Sequence[HostPlan], app: App, at_a_time: int) -> int:
    """Return on how many hosts of a batch an app is out at once; at_a_time: 0 for all of them."""
    size = sum(host_plan.switches(app) for host_plan in batch)
    return min(size, at_a_time or size)


@dataclass(frozen=True)
class Goal:
    """What an app shall run on one host: a release, under the unit with this digest.

    failed_release: the release that is left because it is bad, to be marked so; empty for none;
    kind: what its record says of the switch; is_new: whether it was built for this, and does not
    return.
    """

    on: AppOnHost
    release: str
    unit_digest: str
    failed_release: str = ""
    kind: Kind = Kind.DEPLOY
    is_new: bool = True


@dataclass(frozen=True)
class HostPlan:
    """One host's steps, in order.

    after: what is done when the next batch may begin already: the old slots drain and stop.
    good: for each app, what the host can go back to where a step fails; drains: for each app,
    the seconds that its target drains in a recovery; surged: the apps, by name, whose slot in
    use is not touched until the other one serves; served: those of them whose slot in use is in
    the load balancer, which after a first install that failed it is not; apart: whether one
    app's steps are done whatever becomes of another's; new: the apps, by name, of which nothing was
    on this host before.
    """

    host: Host
    steps: tuple[Step, ...]
    good: Mapping[str, Record] = field(default_factory=dict)
    drains: Mapping[str, float] = field(default_factory=dict)
    after: tuple[Step, ...] = ()
    surged: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    apart: bool = False
    new: frozenset[str] = frozenset()

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """Those of the batch and those after it."""
        return (*self.steps, *self.after)

    def switches(self, app: App) -> bool:
        """Whether the app is out of service while the host plan is worked."""
        return app.name not in self.surged and any(
            (step.app.name == app.name or step.app.settings.shares_target_with(app))
            and (
                isinstance(step, SwitchRelease)
                or (isinstance(step, DeregisterTarget) and step.was_healthy)
            )
            for step in self.steps
        )

    @property
    def unseen(self) -> tuple[Step, ...]:
        """What may be done before the host plan's turn, since it cannot affect traffic.

        The steps before its first registration, where each of them starts or proves a release
        beside what serves; nothing otherwise.
        """
        registers = [n for n, step in enumerate(self.steps) if isinstance(step, RegisterTarget)]
        before = self.steps[: registers[0]] if registers else ()
        is_unseen = all(each.is_beside and each.app.name in self.surged for each in before)
        return before if is_unseen else ()

    def may_stop_before(self, step: Step) -> bool:
        """Whether traffic was not affected yet, and nothing registered, when this step begins."""
        before = self.steps[: self.steps.index(step)]
        only_surged = all(each.app.name in self.surged for each in self.steps)
        is_first = not before
        return is_first or (
            only_surged and not any(isinstance(each, RegisterTarget) for each in before)
        )
