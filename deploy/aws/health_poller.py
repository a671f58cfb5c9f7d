"""The health of all targets, polled once a tick for all threads that wait for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from deploy.aws.targets import GONE
from deploy.clock import CLOCK, Clock
from deploy.errors import DeployError, as_deploy_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.target_groups import Balancer
    from deploy.aws.targets import Health, Target, TargetGroup


@dataclass(frozen=True)
class Reading:
    """One answer of DescribeTargetHealth; `at` is the monotonic time the call was *started*."""

    at: float
    targets: dict[Target, Health]

    def of(self, target: Target) -> Health:
        """The target's health; a target that AWS no longer lists is not registered."""
        return self.targets.get(target, GONE)


class HealthPoller:
    """One DescribeTargetHealth per group per tick feeds every host that waits.

    A wait may name a deadline, at which a poll is made out of turn. While there is no waiter, as in
    a drain, every fifth tick is enough for the screen. What is not polled then is saved, and what
    is polled out of turn is paid from it: in a fleet of any size it is a call per tick on the
    whole.
    """

    IDLE_TICKS = 5
    MOST_SAVED = 5.0

    def __init__(
        self,
        balancer: Balancer,
        groups: Iterable[TargetGroup],
        tick_seconds: float,
        clock: Clock = CLOCK,
    ) -> None:
        self._balancer = balancer
        self._tick_seconds = tick_seconds
        self._clock = clock
        self._groups = tuple(groups)
        self._changed = threading.Condition()
        self._readings: dict[str, Reading] = {}
        self._first: dict[str, Reading] = {}
        self._errors: dict[str, tuple[float, DeployError]] = {}
        self._deadlines: dict[str, list[float]] = {group.arn: [] for group in self._groups}
        self._waiting = dict.fromkeys(self._deadlines, 0)
        # The first reading is out of turn: it comes before a tick has passed.
        self._saved = dict.fromkeys(self._deadlines, -1.0)
        self._closed = False
        self._threads = [
            threading.Thread(target=self._poll, args=(group,), daemon=True)
            for group in self._groups
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=self._tick_seconds + 1)

    def latest(self, group: TargetGroup) -> Reading | None:
        """The newest reading, for display; None before the first."""
        with self._changed:
            return self._readings.get(group.arn)

    def first(self, group: TargetGroup) -> Reading | None:
        """The oldest reading; None before it."""
        with self._changed:
            return self._first.get(group.arn)

    def after(
        self, group: TargetGroup, moment: float, timeout_seconds: float, *, at_once: bool = True
    ) -> Reading | None:
        """The first reading whose call began at or after this monotonic moment.

        `at_once`: a poll is made at that moment, out of turn where a call was saved for it;
        otherwise the next tick's serves.
        None when none came in time; raises the API's error when calls since then failed.
        """
        limit = self._clock.monotonic() + timeout_seconds
        with self._changed:
            if at_once:
                self._deadlines[group.arn].append(moment)
            self._waiting[group.arn] += 1
            self._changed.notify_all()
            try:
                return self._wait(group, moment, limit)
            finally:
                self._waiting[group.arn] -= 1

    def _wait(self, group: TargetGroup, moment: float, limit: float) -> Reading | None:
        while True:
            reading = self._readings.get(group.arn)
            if reading and reading.at >= moment:
                return reading
            failed_at, error = self._errors.get(group.arn, (0.0, None))
            if error and failed_at >= moment:
                raise error
            left = limit - self._clock.monotonic()
            if left <= 0 or self._closed:
                return None
            self._clock.wait(self._changed, left)

    def _poll(self, group: TargetGroup) -> None:
        started = self._clock.monotonic() - self._tick_seconds
        while True:
            before, started = started, self._clock.monotonic()
            earned = (started - before) / self._tick_seconds - 1
            self._saved[group.arn] = min(self.MOST_SAVED, self._saved[group.arn] + earned)
            try:
                reading = Reading(started, self._balancer.health(group))
            except Exception as raised:  # noqa: BLE001 - every host waits for this thread
                error = as_deploy_error(raised, f"reading the health of {group.name}")
                with self._changed:
                    self._errors[group.arn] = (started, error)
                    self._changed.notify_all()
            else:
                with self._changed:
                    self._readings[group.arn] = reading
                    self._first.setdefault(group.arn, reading)
                    self._errors.pop(group.arn, None)
                    self._changed.notify_all()
            if self._pause(group, started):
                return

    def _pause(self, group: TargetGroup, started: float) -> bool:
        """Wait for the next tick or a deadline that falls before it; True when closed."""
        with self._changed:
            while not self._closed:
                now = self._clock.monotonic()
                mine = self._deadlines[group.arn]
                mine[:] = [moment for moment in mine if moment > started]
                ticks = 1 if self._waiting[group.arn] else self.IDLE_TICKS
                early = mine if self._saved[group.arn] >= 1 else []
                due = min([started + ticks * self._tick_seconds, *early])
                if now >= due:
                    return False
                self._clock.wait(self._changed, due - now)
            return True
