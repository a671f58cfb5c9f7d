"""A standard stream as it is: alive without a reader, and its terminal left as it was found."""

from __future__ import annotations

import os
import select
import termios
from contextlib import suppress
from typing import Any, TextIO

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


class Direct:
    """A stream as it is, for text that is guarded already; its reader may vanish (EIO, EPIPE).

    Rich would end the process on a broken pipe, and draws from threads that are not guarded.
    """

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.encoding = file.encoding or "utf-8"
        self.is_shut = False
        self._hides_cursor = False
        self._attributes = _attributes(file)

    def write(self, text: str) -> int:
        """Write if that can be done; the length of the text."""
        if self.is_shut:
            return len(text)
        if HIDE_CURSOR in text or SHOW_CURSOR in text:
            self._hides_cursor = text.rfind(HIDE_CURSOR) > text.rfind(SHOW_CURSOR)
        try:
            return self.file.write(text)
        except UnicodeEncodeError:
            return self.write(text.encode(self.encoding, "replace").decode(self.encoding))
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """Flush if that can be done."""
        with suppress(OSError, ValueError):
            self.file.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self.file.isatty()

    def fileno(self) -> int:
        """The descriptor."""
        return self.file.fileno()

    @property
    def has_reader(self) -> bool:
        """Whether what is written may still be read: a pipe may have been closed at its end."""
        poll = select.poll()
        try:
            poll.register(self.file.fileno(), 0)
            return not poll.poll(0)
        except (OSError, ValueError):
            return False

    def restore(self) -> None:
        """Show the cursor, and set the terminal's modes, as they were found.

        Past the buffers, since a signal may come while a thread writes to them.
        """
        with suppress(OSError, ValueError, termios.error):
            descriptor = self.file.fileno()
            if self._hides_cursor:
                self._hides_cursor = False
                os.write(descriptor, SHOW_CURSOR.encode())
            # From the background, setting a terminal's modes would stop the process.
            if (
                self._attributes is not None
                and os.tcgetpgrp(descriptor) == os.getpgrp()
                and termios.tcgetattr(descriptor) != self._attributes
            ):
                termios.tcsetattr(descriptor, termios.TCSANOW, self._attributes)


def _attributes(file: TextIO) -> list[Any] | None:
    try:
        return termios.tcgetattr(file.fileno())
    except (OSError, ValueError, termios.error):
        return None
