"""The progress of a run for others to see beside its lock, from its events."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from deploy.durations import limit
from deploy.events.user import HoldBegan, HoldEnded, HookBegan, HookEnded
from deploy.foreign_text import visible
from deploy.hooks.words import is_gate
from deploy.hosts.lock.progress import HostNow, Progress
from deploy.screen.run import rows
from deploy.screen.run.failures import NO_FURTHER
from deploy.screen.run.names import changes
from deploy.screen.run.state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Entry
    from deploy.screen.run.host import HostInRun

STOPPING = "stopping: it waits for hosts that have begun"


class ProgressNote:
    """Hears a run's entries, and says how far it is when a heartbeat asks."""

    def __init__(self, token: str, run: str, now: Callable[[], float] = time.time) -> None:
        """Hear nothing yet.

        token: of the lock that is held; run: the command's id; now: unix seconds.
        """
        self._token, self._run, self._now = token, run, now
        self._state, self._hold = RunState(), ""
        self._lock = threading.Lock()

    def __call__(self, entry: Entry) -> None:
        """Hear one entry."""
        with self._lock:
            self._state(entry)
            match entry.event:
                case HoldBegan() as event:
                    self._hold = f"paused after batch {event.batch}: {event.go_on}, or {event.end}"
                case HookBegan() as event if is_gate(event):
                    self._hold = f"waiting for hook {event.hook}, at most {limit(event.seconds)}"
                case HoldEnded() | HookEnded() as event if is_gate(event):
                    self._hold = ""

    def line(self, beat: int) -> str:
        """The line for a heartbeat with this number; empty before there is a plan."""
        with self._lock:
            if self._state.plan is None:
                return ""
            ending = NO_FURTHER if self._state.is_cut_short else ""
            note = STOPPING if self._state.stop else self._hold or ending
            return of(self._state, self._token, self._run, beat, note, self._now()).as_line()


def of(state: RunState, token: str, run: str, beat: int, note: str, now: float) -> Progress:
    """What is going on in a run that has a plan; now: unix seconds. Pure."""
    plan, service = state.plan, state.in_service()
    hosts = rows.ranked(state)
    return Progress(
        token=token,
        beat=beat,
        run=run,
        what=changes(plan.before, plan.releases) if plan else "",
        note=note,
        batch=state.batch,
        batches=len(plan.batches) if plan else 0,
        ended=state.ended,
        hosts=len(state.hosts),
        serving=max(0, service.now) if service else 0,
        size=service.size if service else 0,
        minimum=service.minimum if service else 0,
        seconds=max(0.0, now - state.began_at),
        seconds_left=max(0.0, state.schedule.seconds_left(now)),
        at_work=tuple(map(_at_work, hosts.at_work)),
        failed=tuple(map(_failed, hosts.failed)),
    )


def _at_work(host: HostInRun) -> HostNow:
    return HostNow(visible(host.name), str(host.state), rows.doing(host))


def _failed(host: HostInRun) -> HostNow:
    return HostNow(visible(host.name), str(host.state), rows.cause(host))
