"""Registers and deregisters targets; what several hosts need at once becomes one call."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.clock import CLOCK, Clock
from deploy.errors import ApiError, BalancerError, DeployError, LockLost, as_deploy_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.aws.target_groups import Balancer
    from deploy.aws.targets import Target, TargetGroup


@dataclass
class _Pending:
    """Targets of one group that wait for the next write, and the news for those who wait."""

    targets: set[Target] = field(default_factory=set)
    done: threading.Event = field(default_factory=threading.Event)
    errors: dict[Target, DeployError] = field(default_factory=dict)


class Registrar:
    """Gathers the writes of hosts that act together, so that a batch costs one call.

    RegisterTargets and DeregisterTargets refill at 4 calls a second for a whole account
    (ELB API throttling guide); a batch of 50 hosts must not be 50 calls.
    """

    GATHER_SECONDS = 0.02

    def __init__(self, balancer: Balancer, clock: Clock = CLOCK) -> None:
        self._writes: dict[str, Callable[[TargetGroup, Iterable[Target]], None]] = {
            "register": balancer.register,
            "deregister": balancer.deregister,
        }
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, str], _Pending] = {}

    def register(self, group: TargetGroup, target: Target) -> None:
        """Register one target, in one call with those asked for within the same moment."""
        self._submit("register", group, target)

    def deregister(self, group: TargetGroup, target: Target) -> None:
        """Deregister one target, in one call with those asked for within the same moment."""
        self._submit("deregister", group, target)

    def _submit(self, action: str, group: TargetGroup, target: Target) -> None:
        key = (action, group.arn)
        with self._lock:
            leads = key not in self._pending
            pending = self._pending.setdefault(key, _Pending())
            pending.targets.add(target)
        if leads:
            self._clock.sleep(self.GATHER_SECONDS)
            with self._lock:
                del self._pending[key]
            try:
                self._write(action, group, pending)
            except Exception as error:  # noqa: BLE001 - other hosts wait for this thread
                failed = as_deploy_error(error, f"{action} targets of {group.name}")
                pending.errors = dict.fromkeys(pending.targets, failed)
            except BaseException:
                ended = BalancerError(f"{action} targets of {group.name}: ended")
                pending.errors = dict.fromkeys(pending.targets, ended)
                raise
            finally:
                pending.done.set()
        pending.done.wait()
        refused = pending.errors.get(target)
        if isinstance(refused, LockLost):
            raise LockLost(str(refused)) from refused
        if refused:
            own = BalancerError(f"{action} {target} ({group.name}): {refused}")
            own.blames_release, own.may_pass = refused.blames_release, refused.may_pass
            raise own from refused

    def _write(self, action: str, group: TargetGroup, pending: _Pending) -> None:
        """All in one call; where AWS refuses it for one of them (InvalidTarget), each alone."""
        write = self._writes[action]
        try:
            write(group, pending.targets)
        except DeployError as error:
            one_is_wrong = isinstance(error, ApiError) and error.code == "InvalidTarget"
            if len(pending.targets) == 1 or not one_is_wrong:
                pending.errors = dict.fromkeys(pending.targets, error)
                return
            for target in sorted(pending.targets):
                try:
                    write(group, [target])
                except DeployError as own:
                    pending.errors[target] = own
