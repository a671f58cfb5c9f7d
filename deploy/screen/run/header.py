"""The numbers of a run above its hosts: what, where, how far, how many serve, how long. Pure."""

from __future__ import annotations

from signal import SIGINT
from typing import TYPE_CHECKING

from deploy.durations import about, clock_time
from deploy.foreign_text import visible
from deploy.hooks import words
from deploy.screen.run.line import cut, filled, line
from deploy.screen.run.names import changes

if TYPE_CHECKING:
    from deploy.screen.run.line import Line
    from deploy.screen.run.state import RunState

DONE, LEFT = "━", "─"
PERCENT_WIDTH = 6
NEARLY = 0.99
"""No more is shown as done while a host works: a recovery is in no plan."""
TAKEN_OVER = "Another deploy took the environment over: nothing more is changed."
MOST_WIDTH = 80
"""No line that is drawn again is as long as a wide terminal: when that is made narrower, it would
wrap long lines, of which rich does not know."""


def lines(state: RunState, width: int, now: float) -> list[Line]:
    """Return the header, in lines of at most this width, and a bar below it.

    now: unix seconds.
    """
    width = min(width, MOST_WIDTH)
    left = state.schedule.seconds_left(now)
    elapsed = max(0.0, now - state.began_at) if state.began_at else 0.0
    numbers = [*_title(state), *progress(state, now), clock_time(elapsed)]
    share = elapsed / (elapsed + left) if elapsed + left else 0.0
    if any(host.is_at_work for host in state.hosts.values()):
        share = min(share, NEARLY)
    return [*(line(each, "bold") for each in filled(numbers, width)), bar(share, width)]


def banner(state: RunState, width: int, now: float) -> list[Line]:
    """What the person at the keyboard must know: that it ends early, or waits for something else.

    now: unix seconds.
    """
    if state.is_lost:
        text = TAKEN_OVER
    elif state.stop:
        again = " Ctrl-C again aborts at once." if state.stop == SIGINT else ""
        text = f"Stopping: waiting for hosts that have begun.{again}"
    elif state.waits_for:
        text = words.waiting(state.waits_for, now - state.waits_since)
    else:
        return []
    return [line(cut(text, width), "bold yellow")]


def _title(state: RunState) -> list[str]:
    """What it is, and where."""
    plan = state.plan
    if plan is None:
        return []
    verb = "" if plan.verb == "Deploy" else f"{plan.verb.lower()} "
    environment = [visible(plan.environment)] if plan.environment else []
    return [f"{verb}{changes(plan.before, plan.releases)}", *environment]


def progress(state: RunState, now: float, *, batch: bool = True) -> list[str]:
    """How far a run is, how many serve, how many failed and how long it still takes, in parts.

    now: unix seconds; batch: whether the batch's number is one of the parts.
    """
    plan = state.plan
    if plan is None:
        return []
    found = [f"{state.ended}/{len(state.hosts)} hosts"]
    if state.batch and batch:
        found.append(f"batch {state.batch}/{len(plan.batches)}")
    elif batch and any(part.left for part in state.schedule.staging):
        found.append("staging")
    if service := state.in_service():
        least = f" (minimum {service.minimum})" if service.minimum else ""
        found.append(f"in service {service.now} of {service.size}{least}")
    if failed := sum(bool(host.failure) for host in state.hosts.values()):
        found.append(f"{failed} failed")
    if left := state.schedule.seconds_left(now):
        found.append(f"{about(left)} left")
    return found


def bar(share: float, width: int) -> Line:
    """How much of the time that it takes is over."""
    length = max(1, width - PERCENT_WIDTH)
    full = int(length * share)
    return (
        (DONE * full, "green"),
        (LEFT * (length - full), "dim"),
        (f" {int(100 * share):3} %", ""),
    )
