"""The steps of one host in their order, of which plans are made. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.hosts import release_stack
from deploy.hosts.records import Kind, Record, is_previous
from deploy.steps.records import MarkBad
from deploy.steps.target import DeregisterTarget, RegisterTarget
from deploy.steps.unit import ReviveUnit, SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost


def out_at_once(batch: Sequence[HostPlan], app: App, at_a_time: int) -> int:
    """Return on how many hosts of a batch an app is out at once; at_a_time: 0 for all of them."""
    size = sum(host_plan.switches(app) for host_plan in batch)
    return min(size, at_a_time or size)


@dataclass(frozen=True)
class Goal:
    """What an app is to run on one host: a release, under a unit.

    Attributes:
        on: The app on the host, as the survey saw it.
        release: The release's id, or the name of the previous unit.
        unit_digest: Of the unit; empty for a previous unit.
        failed_release: The release that is left and marked as failed; empty for none.
        kind: Why the release is put in service, for its record.
        is_new: Whether the release comes with this command, and does not return.
    """

    on: AppOnHost
    release: str
    unit_digest: str
    failed_release: str = ""
    kind: Kind = Kind.DEPLOY
    is_new: bool = True

    @property
    def is_previous(self) -> bool:
        """Whether the app gives its place back to the unit that it replaced."""
        return is_previous(self.release)

    @property
    def is_beside(self) -> bool:
        """Whether the previous unit, which has the first port, starts beside what serves."""
        return self.is_previous and not self.on.is_first

    @property
    def mark(self) -> MarkBad:
        """The mark of the release that is left."""
        on, left = self.on, self.failed_release
        units = [each.unit_digest for each in on.slot.history if each.release == left]
        why = f"left by a rollback to {self.release}"
        return MarkBad(on.host, on.app, left, "".join(units[-1:]), why)

    @property
    def before(self) -> Record | None:
        """What the host can go back to where this fails.

        That is what was deployed last or, before any deploy, the previous unit that runs.
        """
        last = self.on.slot.deployed
        if last is None and self.on.previous_unit:
            last = Record.of_previous(self.on.previous_unit)
        is_other = last and (last.release, last.unit_digest) != (self.release, self.unit_digest)
        return last if last and is_other and self.on.slot.can_run(last) else None

    @property
    def older(self) -> Record | None:
        """What the host can go back to where it cannot to what was deployed last.

        That is so where a deploy starts that one again, where it has failed here and a repair
        does, or where its files are gone. It is the newest below it that lies here and did not fail
        here, or the previous unit, which has the first port.
        """
        slot = self.on.slot
        is_doubtful = self.is_new or self.release in slot.bad
        if self.before or not (is_doubtful and slot.history):
            return None
        previous = str(self.on.app.settings.replaces or "")
        first = (Record.of_previous(previous),) if previous else ()
        for each in reversed(release_stack.standing_releases((*first, *slot.history))):
            is_other = (each.release, each.unit_digest) != (self.release, self.unit_digest)
            is_apart = each.is_previous and not self.on.is_first
            if not is_apart and is_other and each.release not in slot.bad and slot.can_run(each):
                return each
        return None


@dataclass(frozen=True)
class HostPlan:
    """One host's steps, in order.

    Attributes:
        host: The host.
        steps: What is done in the host's batch.
        good: By app, what the host can go back to if a step fails.
        older: By app, the same where that is older than what was deployed last. A host on which
            all has succeeded does not go back to it.
        drains: By app, for how many seconds its target drains in a recovery.
        after: What is done when the next batch may begin already: old slots drain and stop.
        surged: The apps, by name, whose slot in use is not touched until the other one serves.
        served: Those of `surged` whose slot in use is in service. After a first install that
            failed, it is not.
        apart: Whether one app's steps are done whatever becomes of another's.
        new: The apps, by name, of which nothing was on this host before.
    """

    host: Host
    steps: tuple[Step, ...]
    good: Mapping[str, Record] = field(default_factory=dict)
    older: Mapping[str, Record] = field(default_factory=dict)
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

    def back_to(self, app: str) -> Record | None:
        """What an app, by its name, goes back to if a step fails; None for nothing."""
        return self.good.get(app) or self.older.get(app)

    @property
    def moves(self) -> bool:
        """Whether it starts a release anew, in the app's other slot for instance."""
        return any(isinstance(step, SwitchRelease) for step in self.steps)

    def switches(self, app: App) -> bool:
        """Whether the app is out of service while the host plan is worked."""
        return app.name not in self.surged and any(
            (step.app.name == app.name or step.app.settings.shares_target_with(app))
            and (
                isinstance(step, SwitchRelease | ReviveUnit)
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
