"""What Ctrl-C, SIGTERM and SIGHUP do while a command runs."""

from __future__ import annotations

import os
import signal
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from deploy.events.event import StopAsked
from deploy.hosts.route import proxy
from deploy.run.report import ExitCode
from deploy.screen import streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Event
    from deploy.run.executor import Execution
    from deploy.screen.console import Screen

STOPPING = (
    "Stopping. No further hosts will start. Draining hosts return to service; hosts past that "
    "point will finish."
)
RELEASE_SECONDS = 3.0
"""How long a command that is aborted waits for its hosts to give up the lock."""
AGAIN = "Press Ctrl-C again to abort at once (hosts may stay out of service)."


class Signals:
    """Handles SIGINT, SIGTERM and SIGHUP while a command runs; a `with` block.

    Before the first change they end it. Later the first asks for an end that leaves no host out
    of service; a second SIGINT, and nothing else, aborts at once: a CI's cancel sends SIGINT and,
    while hosts return to service, SIGTERM.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, screen: Screen, repair: str) -> None:
        """`repair`: what to type where hosts stay out of service.

        The attribute `abandon` is what releases the lock of a command that ends at once.
        """
        self._screen, self._repair = screen, repair
        self._execution: Execution | None = None
        self._emit: Callable[[Event], None] = lambda _: None
        self.abandon: Callable[[], object] = lambda: None
        self._first = 0
        self._interrupts = 0
        self._before: dict[int, Any] = {}
        # A handler may have interrupted a thread that holds a lock of the screen, so another
        # thread speaks; `put` of this queue is reentrant.
        self._notices: SimpleQueue[tuple[str, int] | None] = SimpleQueue()
        self._speaker = threading.Thread(target=self._speak, daemon=True)

    def __enter__(self) -> Self:
        self._speaker.start()
        self._before = {number: signal.signal(number, self._hear) for number in self.NUMBERS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._notices.put(None)
        self._speaker.join()

    def guide(self, execution: Execution) -> None:
        """From now on signals end this run; one that came before ends it at once."""
        self._execution, self._emit = execution, execution.listen
        if self._first:
            execution.stop(self._first)
            self._emit(StopAsked(self._first))

    def _speak(self) -> None:
        while (notice := self._notices.get()) is not None:
            text, number = notice
            self._screen.complain(text)
            if number:
                self._emit(StopAsked(number))

    def _hear(self, number: int, _: object) -> None:
        is_first = not self._first
        self._first = self._first or number
        if self._execution is None:
            if is_first:
                after_question = "\n" if self._screen.is_asking else ""
                self._notices.put((f"{after_question}Ended; nothing was changed.", 0))
            raise SystemExit(128 + number)
        self._interrupts += number == signal.SIGINT
        if self._interrupts > 1:
            if self._interrupts == 2:  # noqa: PLR2004 - a third one ends it without a word
                streams.end(f"Aborted at once; hosts may be out of service. Next: {self._repair}")
                # In a thread of its own: the one that was interrupted may hold what it needs.
                release = threading.Thread(target=self.abandon, daemon=True)
                release.start()
                release.join(RELEASE_SECONDS)
            proxy.end_all()
            os._exit(int(ExitCode.INTERRUPTED))
        self._execution.stop(number)
        stopping = STOPPING if is_first else "Already stopping."
        said = f"{stopping} {AGAIN}" if self._interrupts else stopping
        said = f"\n{said}" if self._screen.is_asking else said
        self._notices.put((said, number))
