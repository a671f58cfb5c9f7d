"""A run as plain lines with the time of day: for a CI log, and where output is no terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from deploy.foreign_text import line, visible
from deploy.run.report import BatchBegan, Event, HostEnded, StepBegan, StepEnded, Told

if TYPE_CHECKING:
    from collections.abc import Callable


QUIET_SECONDS = 5.0


def clock() -> str:
    """The time of day, to begin a line with."""
    return time.strftime("%H:%M:%S")


class LogLines:
    """Plain timestamped lines, one for each step's end; long waits say so every few seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def __call__(self, event: Event) -> None:
        """Hear one event; called from every host's thread."""
        match event:
            case BatchBegan():
                hosts = ", ".join(visible(host) for host in event.hosts)
                self._line(f"batch {event.number} of {event.total}: {hosts}")
            case StepBegan():
                self._said[event.step.host.name] = time.monotonic()
            case StepEnded():
                end = "stopped" if event.stopped else f"{event.seconds:.1f} s"
                end = f"FAILED: {event.error}" if event.error else end
                health = f" [{visible(event.health)}]" if event.health else ""
                self._line(f"{visible(event.step.host)}: {event.step}: {end}{health}")
            case Told():
                now = time.monotonic()
                due = now - self._said.get(event.host, 0) >= QUIET_SECONDS
                if due or event.lasts or event.text.startswith("|"):
                    self._said[event.host] = now
                    self._line(f"{visible(event.host)}: {visible(event.text)}")
            case HostEnded():
                self._line(f"{visible(event.host)}: {event.outcome}")

    def _line(self, text: str) -> None:
        self._say(f"{clock()} {line(text)}")
