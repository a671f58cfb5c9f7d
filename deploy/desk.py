"""Writes to target groups, gathered: hosts that act together cost one call."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import BalancerError, DeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.balancer import Balancer, Target, TargetGroup


@dataclass
class _Pending:
    """Targets of one group that wait for the next write, and the news for those who wait."""

    targets: set[Target] = field(default_factory=set)
    done: threading.Event = field(default_factory=threading.Event)
    error: DeployError | None = None


class Desk:
    """Gathers the writes of hosts that act together, so that a batch costs one call.

    RegisterTargets and DeregisterTargets refill at 4 calls a second for a whole account
    (ELB API throttling guide); a batch of 50 hosts must not be 50 calls.
    """

    GATHER_SECONDS = 0.02

    def __init__(self, balancer: Balancer) -> None:
        self._writes: dict[str, Callable[[TargetGroup, Iterable[Target]], None]] = {
            "register": balancer.register,
            "deregister": balancer.deregister,
        }
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, str], _Pending] = {}

    def register(self, group: TargetGroup, target: Target) -> None:
        """Put one target in, together with whoever else asks within the same moment."""
        self._submit("register", group, target)

    def deregister(self, group: TargetGroup, target: Target) -> None:
        """Take one target out, together with whoever else asks within the same moment."""
        self._submit("deregister", group, target)

    def _submit(self, action: str, group: TargetGroup, target: Target) -> None:
        key = (action, group.arn)
        with self._lock:
            leads = key not in self._pending
            pending = self._pending.setdefault(key, _Pending())
            pending.targets.add(target)
        if leads:
            time.sleep(self.GATHER_SECONDS)
            with self._lock:
                del self._pending[key]
            try:
                self._writes[action](group, pending.targets)
            except DeployError as error:
                pending.error = error
            except BaseException as error:
                pending.error = BalancerError(f"{type(error).__name__}: {error}")
                raise
            finally:
                pending.done.set()
        pending.done.wait()
        if pending.error:
            raise BalancerError(f"{action} {target} ({group.name}): {pending.error}") from (
                pending.error
            )
