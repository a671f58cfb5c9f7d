"""Checks before each batch, or host of a window: permission, credentials' time, capacity."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deploy.durations import planned
from deploy.errors import DeployError
from deploy.plan.plan import MARGIN_SECONDS
from deploy.recovery import longest_path
from deploy.run.capacity_gate import CapacityGate
from deploy.run.report import Failure
from deploy.steps.fleet import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import BatchBegan
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.run.progress import Progress
    from deploy.steps.fleet import Fleet


class BatchGate:
    """Whether more may go out; where not, the reason is a failure in the report."""

    def __init__(
        self,
        plan: Plan,
        fleet: Fleet,
        progress: Progress,
        permit: Callable[[BatchBegan], None],
    ) -> None:
        """Ask nothing yet.

        permit: Raises DeployError where the user does not want a batch that could begin.
        """
        self._fleet, self._progress = fleet, progress
        self._permit = permit
        self._capacity = CapacityGate(plan, fleet, progress)
        self._permitted: set[int] = set()

    def permits(self, batch: BatchBegan, going: list[HostPlan]) -> bool:
        """Whether the user's own check lets this batch begin, which is asked once.

        going: its host plans.
        """
        if batch.number in self._permitted:
            return True
        try:
            self._permit(batch)
        except DeployError as error:
            if not self._fleet.stop.is_set():
                # Before the first batch nothing that serves was touched.
                self._fail(batch.number, going, str(error), refused=batch.number == 1)
            return False
        self._permitted.add(batch.number)
        return True

    def admits(self, number: int, going: Callable[[], list[HostPlan]]) -> bool:
        """Whether these host plans may begin: in time, and with the policy kept without them.

        For the policy it waits a while, which may be too long for the credentials.
        """
        if self._is_late(number, going()):
            return False
        try:
            self._capacity.wait(number, going)
        except Stopped:
            return False
        except DeployError as error:
            self._fail(number, going(), str(error))
            return False
        return not self._is_late(number, going())

    def in_service(self, number: int) -> str:
        """How many targets serve, for a question after a batch; see CapacityGate."""
        return self._capacity.in_service(number)

    @property
    def seconds_left(self) -> float:
        """How long the credentials last, less a margin; infinite where they are renewed."""
        if self._fleet.credentials_end is None:
            return math.inf
        now = self._fleet.clock.monotonic()
        return max(0.0, self._fleet.credentials_end - now - MARGIN_SECONDS)

    def _is_late(self, number: int, going: list[HostPlan]) -> bool:
        """Whether it is too late for these to begin; then the rollout ends, and nothing failed."""
        if said := self._lateness(number, going):
            self._fail(number, going, said, is_stop=True)
        return bool(said)

    def _lateness(self, number: int, going: list[HostPlan]) -> str:
        """Why these may not begin: the credentials may end before they serve again."""
        if self._fleet.credentials_end is None:
            return ""
        left = self._fleet.credentials_end - self._fleet.clock.monotonic()
        seconds = longest_path.of_batch(going, self._fleet.groups)
        if left >= seconds + MARGIN_SECONDS:
            return ""
        return (
            f"the AWS credentials end in {planned(max(0.0, left))}, and batch {number} may take "
            f"{planned(seconds)} if its release fails and its hosts go back; renew them, and go on "
            "with the same command"
        )

    def _fail(
        self,
        number: int,
        going: list[HostPlan],
        error: str,
        *,
        refused: bool = False,
        is_stop: bool = False,
    ) -> None:
        """Note why a batch does not begin, at its first host."""
        host, step = going[0].host, f"begin batch {number}"
        self._progress.failed(Failure(host, step, error, refused=refused, is_stop=is_stop))
