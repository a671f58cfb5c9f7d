"""The longest time that a batch may take, if its release fails at the last moment. Pure.

For so long AWS has to accept the credentials: a host that was drained can be registered again
only with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.plan.plan import waits
from deploy.recovery import failed_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Groups
    from deploy.steps.base import Step


def of_plan(batches: Sequence[Sequence[HostPlan]], groups: Groups, window: int) -> float:
    """Return the seconds for which a plan may need AWS; window: as a plan has it.

    Batches that go well take what the settings have them wait; any of them may be the one that
    does not.
    """
    before = needed = 0.0
    for number, batch in enumerate(batches, start=1):
        size = window if window and number == len(batches) else len(batch)
        turns = -(-len(batch) // size)
        each = max(waits(host_plan.steps, groups) for host_plan in batch)
        needed = max(needed, before + (turns - 1) * each + of_batch(batch, groups))
        before += turns * each
    return needed


def of_batch(batch: Iterable[HostPlan], groups: Groups) -> float:
    """Return the seconds that hosts which begin together may take at most."""
    return max((_of_host(host_plan, groups) for host_plan in batch), default=0.0)


def _of_host(host_plan: HostPlan, groups: Groups) -> float:
    """The longest of all ends: none of its steps fails, or any one of them does, at its limit."""
    steps = host_plan.steps
    ends = [waits(host_plan.all_steps, groups, longest=True)]
    for count, failed in enumerate(steps, start=1):
        recovery = failed_host.recovery_of(host_plan, failed)
        # A recovery's steps are done one after the other.
        back = sum(_at_most(step, groups) for step in recovery.steps)
        ends.append(waits(steps[:count], groups, longest=True) + back)
    return max(ends)


def _at_most(step: Step, groups: Groups) -> float:
    return step.longest_seconds(groups[step.app.name])
