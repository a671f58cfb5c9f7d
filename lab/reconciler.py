"""What keeps targets, health checks and the data plane in step.

One lock guards it all. API calls come in on threads of the AWS server, time passes and checks end
on the event loop. A change reaches the data plane before the API shows it: after `healthy` was
read, requests are sent there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, replace
from threading import RLock
from typing import TYPE_CHECKING

from lab import targets
from lab.checks import Lateness, Log, probe
from lab.dataplane import Plane, PlaneError, Server
from lab.targets import Checks, Key, Outcome, Reason, State, Target
from lab.world import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.knobs import Events, Knobs
    from lab.world import World

TICK_SECONDS = 0.05
LONGEST_LAG_SECONDS = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """A health check that is due."""

    target: Target
    address: str
    port: int
    checks: Checks


class Reconciler:
    """All targets of the lab; every public method may be called from any thread.

    nodes: the load balancer's node in each zone.
    """

    def __init__(
        self, world: World, nodes: Mapping[str, Plane], knobs: Knobs, events: Events
    ) -> None:
        self.lock = RLock()
        self._world = world
        self._nodes = nodes
        self._knobs = knobs
        self._events = events
        self.checks = Log()
        self._lateness = Lateness()
        self._targets: dict[Key, Target] = {}
        self._checking: set[tuple[Key, int]] = set()
        self._registrations = 0
        self._past: deque[tuple[float, Key, Target | None]] = deque()

    def register(self, keys: Iterable[Key], now: float | None = None) -> None:
        """Register targets; raises StillDraining for an `ip` one that has not left yet."""
        now = time.time() if now is None else now
        with self.lock:
            groups = self._world.groups()
            wanted: dict[Key, Target] = {}
            for key in keys:
                self._registrations += 1
                wanted[key] = targets.register(
                    key,
                    self._targets.get(key),
                    now,
                    registration=self._registrations,
                    first_check_delay_seconds=self._knobs.first_check_delay_seconds,
                    target_type=groups[key.group].target_type,
                )
            for key, target in wanted.items():
                self._store(key, target, now)
            self.advance(now)

    def deregister(self, keys: Iterable[Key], now: float | None = None) -> None:
        """Let targets drain; ones that are not registered are passed over, as AWS does."""
        now = time.time() if now is None else now
        with self.lock:
            view = View.of(self._world)
            serving = frozenset[Key]().union(
                *(self._serving(zone, now, view) for zone in self._nodes)
            )
            for key in keys:
                target = self._targets.get(key)
                if target is None:
                    continue
                left = targets.deregister(
                    target,
                    now,
                    delay_seconds=view.groups[key.group].delay_seconds / self._knobs.delay_divisor,
                    serving=key in serving,
                )
                self._store(key, left, now)
            self.advance(now)

    def reset(self, keys: Iterable[Key], now: float | None = None) -> None:
        """Forget every registration and drain, then register these afresh, as if long ago."""
        now = time.time() if now is None else now
        with self.lock:
            for key in list(self._targets):
                self._store(key, None, now)
            self._past.clear()
            self.register(keys, now)
            self._past.clear()

    def targets(self, group: str, now: float | None = None) -> list[Target]:
        """All of a group's targets, as they are described: the registered and the draining.

        That is as they were, so long ago as the knob `describe_lag_seconds` says.
        """
        now = time.time() if now is None else now
        with self.lock:
            found: dict[Key, Target | None] = {**self._targets}
            lag_seconds = self._knobs.describe_lag_seconds
            for at, key, before in reversed(self._past) if lag_seconds else ():
                if at <= now - lag_seconds:
                    break
                found[key] = before
            return [one for key, one in found.items() if one and key.group == group]

    def is_shifted(self, key: Key) -> bool:
        """Whether traffic is shifted away from the target's zone."""
        shifted = self._knobs.shifted_zone
        return bool(shifted) and View.of(self._world).zones.get(key.id) == shifted

    def advance(self, now: float) -> None:
        """Let time pass: delays end, groups come into use, the data plane follows."""
        with self.lock:
            groups, machines = self._world.groups(), self._world.machines()
            after: dict[Key, Target | None] = {}
            for key, target in self._targets.items():
                group = groups.get(key.group)
                machine = machines.get(key.id)
                after[key] = None
                if group is not None:
                    is_up = group.target_type == "ip" or (machine is not None and machine.running)
                    after[key] = targets.elapsed(target, now, in_use=group.in_use, running=is_up)
            self._publish(after, now)

    def due_checks(self, now: float) -> list[Check]:
        """Hand out the checks that are due now; each must come back through `record`."""
        due = []
        with self.lock:
            groups, machines = self._world.groups(), self._world.machines()
            for key, target in self._targets.items():
                group = groups.get(key.group)
                if group is None or (key, target.registration) in self._checking:
                    continue
                checks = self._divided(group.checks)
                if targets.is_check_due(target, checks, now):
                    machine = machines.get(key.id)
                    address = machine.address if machine is not None else key.id
                    due.append(Check(target, address, checks.port or key.port, checks))
            for check in due:
                key = check.target.key
                self._targets[key] = replace(check.target, checked_at=now)
                self._checking.add((key, check.target.registration))
        return due

    def record(self, check: Check, outcome: Outcome, now: float | None = None) -> None:
        """Count a check's outcome, unless the target has left and come back meanwhile."""
        now = time.time() if now is None else now
        key = check.target.key
        with self.lock:
            self._checking.discard((key, check.target.registration))
            target = self._targets.get(key)
            if target is not None and target.registration == check.target.registration:
                self._publish({key: targets.checked(target, outcome, check.checks)}, now)

    async def run(self) -> None:
        """Tick for ever; raises PlaneError when the data plane is lost."""
        running: set[asyncio.Task[None]] = {asyncio.create_task(self._lateness.run())}
        while True:
            now = time.time()
            self.advance(now)
            for check in self.due_checks(now):
                task = asyncio.create_task(self._check(check))
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.sleep(TICK_SECONDS)

    async def _check(self, check: Check) -> None:
        outcome = Outcome(reason=Reason.FAILED)
        began, late_before = time.time(), self._lateness.seconds
        try:
            outcome = await probe(
                check.address,
                check.port,
                check.checks.path,
                check.checks.timeout_seconds,
                self._lateness,
                is_tls=check.checks.is_tls,
                version=check.checks.version,
            )
        finally:
            key = check.target.key
            took, late = time.time() - began, self._lateness.seconds - late_before
            self.checks.add((key.group, key.id, key.port), began, took, late, outcome)
            try:
                self.record(check, outcome)
            except PlaneError:
                log.exception("%s: its check was not recorded", key)

    def _divided(self, checks: Checks) -> Checks:
        # The time limit stays: a tenth of it is less than a busy machine takes to start a process.
        return replace(checks, interval_seconds=checks.interval_seconds / self._knobs.time_divisor)

    def _serving(self, zone: str, now: float, view: View) -> set[Key]:
        """The targets that the zone's node sends new requests to."""
        lag_seconds = self._knobs.propagation_lag_seconds
        lag_seconds += self._knobs.node_lag_seconds.get(zone, 0.0)
        by_group: dict[str, list[Target]] = {}
        for key, target in self._targets.items():
            group = view.groups.get(key.group)
            is_near = group is None or group.is_cross_zone
            if is_near or view.zones.get(key.id) == zone:
                by_group.setdefault(key.group, []).append(target)
        found = {
            key for group in by_group.values() for key in targets.serving(group, now, lag_seconds)
        }
        shifted = self._knobs.shifted_zone
        return {key for key in found if not shifted or view.zones.get(key.id) != shifted}

    def _publish(self, after: Mapping[Key, Target | None], now: float) -> None:
        # New states are kept only when the data plane has followed; no reader gets in between.
        before = dict(self._targets)
        for key, target in after.items():
            if target is None:
                self._targets.pop(key, None)
            else:
                self._targets[key] = target
        try:
            self._follow(now)
        except PlaneError:
            self._targets = before
            raise
        for key, target in after.items():
            self._log(key, before.get(key), target, now)

    def _follow(self, now: float) -> None:
        view = View.of(self._world)
        for zone, node in self._nodes.items():
            for name, servers in self._wanted(zone, now, view).items():
                node.apply(name, servers)

    def _wanted(self, zone: str, now: float, view: View) -> dict[str, dict[str, Server]]:
        """The servers that the zone's node should have, by group and name."""
        serving = self._serving(zone, now, view)
        wanted: dict[str, dict[str, Server]] = {name: {} for name in view.groups}
        for key, target in self._targets.items():
            if target.state is not State.UNUSED:
                machine, group = view.machines.get(key.id), view.groups.get(key.group)
                wanted.setdefault(key.group, {})[f"{key.id}_{key.port}"] = Server(
                    machine.address if machine is not None else key.id,
                    key.port,
                    key in serving,
                    is_http2=group is not None and group.is_http2,
                    is_tls=group is not None and group.is_tls,
                )
        return wanted

    def _store(self, key: Key, target: Target | None, now: float) -> None:
        self._log(key, self._targets.get(key), target, now)
        if target is None:
            self._targets.pop(key, None)
        else:
            self._targets[key] = target

    def _log(self, key: Key, before: Target | None, after: Target | None, now: float) -> None:
        was = (before.state, before.reason) if before else (State.UNUSED, Reason.NOT_REGISTERED)
        is_now = (after.state, after.reason) if after else (State.UNUSED, Reason.NOT_REGISTERED)
        if before != after:
            self._past.append((now, key, before))
            while self._past[0][0] < now - LONGEST_LAG_SECONDS:
                self._past.popleft()
        if was != is_now:
            address = (key.group, key.id, key.port)
            self._events.add(now, address, was[0].value, is_now[0].value, is_now[1].value)
