"""`--verbose`: a plain line for each command that a host ran, and for each call of the AWS API."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import TYPE_CHECKING

from deploy.call_log import LOG
from deploy.screen.log_lines import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class _Lines(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"{clock(record.created)} {record.getMessage()}")


@contextmanager
def shown(say: Callable[[str], None]) -> Iterator[None]:
    """Say each line while the block runs.

    From a thread of its own: a terminal that takes nothing may hold up no connection.
    """
    lines: SimpleQueue[logging.LogRecord] = SimpleQueue()
    enters, level, is_shared = QueueHandler(lines), LOG.level, LOG.propagate
    listener = QueueListener(lines, _Lines(say))
    LOG.addHandler(enters)
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    listener.start()
    try:
        yield
    finally:
        LOG.removeHandler(enters)
        LOG.setLevel(level)
        LOG.propagate = is_shared
        listener.stop()
