"""The numbers of a run above its hosts: what, where, how far, how many serve, how long. Pure."""

from __future__ import annotations

from signal import SIGINT
from typing import TYPE_CHECKING

from deploy.durations import about, clock_time
from deploy.foreign_text import visible
from deploy.screen.run.line import cut, filled, line
from deploy.screen.run.names import changes

if TYPE_CHECKING:
    from deploy.screen.run.line import Line
    from deploy.screen.run.state import RunState

DONE, LEFT = "━", "─"
PERCENT_WIDTH = 6
NEARLY = 0.99
"""No more is shown as done while a host works: a recovery is in no plan."""
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
    numbers = [*_numbers(state), *([f"{about(left)} left"] if left else []), clock_time(elapsed)]
    share = elapsed / (elapsed + left) if elapsed + left else 0.0
    if any(host.is_at_work for host in state.hosts.values()):
        share = min(share, NEARLY)
    return [*(line(each, "bold") for each in filled(numbers, width)), bar(share, width)]


def banner(state: RunState, width: int) -> list[Line]:
    """What the person at the keyboard must know while the run ends early; nothing otherwise."""
    if state.is_lost:
        text = "Another deploy took the environment over: nothing more is changed."
    elif state.stop:
        again = " Ctrl-C again aborts at once." if state.stop == SIGINT else ""
        text = f"Stopping: waiting for hosts that have begun.{again}"
    else:
        return []
    return [line(cut(text, width), "bold yellow")]


def _numbers(state: RunState) -> list[str]:
    plan = state.plan
    if plan is None:
        return []
    verb = "" if plan.verb == "Deploy" else f"{plan.verb.lower()} "
    found = [f"{verb}{changes(plan.before, plan.releases)}"]
    if plan.environment:
        found.append(visible(plan.environment))
    found.append(f"{state.ended}/{len(state.hosts)} hosts")
    if state.batch:
        found.append(f"batch {state.batch}/{len(plan.batches)}")
    elif any(part.left for part in state.schedule.staging):
        found.append("staging")
    if service := state.in_service():
        least = f" (minimum {service.minimum})" if service.minimum else ""
        found.append(f"in service {service.now} of {service.size}{least}")
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
