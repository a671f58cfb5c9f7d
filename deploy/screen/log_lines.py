"""A run as plain lines with the time of day: for a CI log, and where output is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from deploy.events.event import BatchBegan, HostEnded, HostSaid, StepBegan, StepEnded
from deploy.foreign_text import line, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Entry


QUIET_SECONDS = 5.0


def clock(at: float | None = None) -> str:
    """The time of day, to begin a line with; at: unix seconds, now where it is left out."""
    return time.strftime("%H:%M:%S", time.localtime(at))


class LogLines:
    """Plain timestamped lines, one for each step's end; long waits say so every few seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, entry: Entry) -> None:
        """Hear one entry; a stream passes them one after the other."""
        at = entry.at
        match entry.event:
            case BatchBegan(number, total, hosts):
                names = ", ".join(map(visible, hosts))
                self._line(at, f"batch {number} of {total}: {names}")
            case StepBegan(host=host):
                self._said[host] = at
            case StepEnded() as step:
                end = "stopped" if step.is_stopped else f"{step.seconds:.1f} s"
                end = f"FAILED: {step.error}" if step.error else end
                health = f" [{visible(step.health)}]" if step.health else ""
                self._line(at, f"{visible(step.host)}: {step.step}: {end}{health}")
            case HostSaid(host, text, is_remark):
                due = at - self._said.get(host, 0) >= QUIET_SECONDS
                if due or is_remark or text.startswith("|"):
                    self._said[host] = at
                    self._line(at, f"{visible(host)}: {visible(text)}")
            case HostEnded(host, outcome):
                self._line(at, f"{visible(host)}: {outcome}")

    def _line(self, at: float, text: str) -> None:
        self._say(f"{clock(at)} {line(text)}")
