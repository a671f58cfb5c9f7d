"""Passes each event to all listeners in one order; a listener that fails ends no run."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import as_deploy_error
from deploy.events.event import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.events.event import Event

    Listener = Callable[[Entry], None]


@dataclass
class Stream:
    """One run's events; `emit` is called from every host's thread.

    Attributes:
        listeners: By what they do, in words; each hears every event, in the same order.
        defects: What listeners failed with, each kept once; the others go on.
        now: Unix seconds.
    """

    listeners: dict[str, Listener] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)
    now: Callable[[], float] = time.time
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def heard(self, what: str, listen: Listener) -> Iterator[None]:
        """Let one more listen while the block runs; what: what it does, in words."""
        with self._lock:
            self.listeners[what] = listen
        try:
            yield
        finally:
            with self._lock:
                self.listeners.pop(what, None)

    def emit(self, event: Event) -> None:
        """Pass an event to all listeners."""
        with self._lock:
            entry = Entry(self.now(), event)
            for what, listen in [*self.listeners.items()]:
                try:
                    listen(entry)
                except Exception as error:  # noqa: BLE001 - a defect of a view may stop no host
                    text = str(as_deploy_error(error, what))
                    if text not in self.defects:
                        self.defects.append(text)
