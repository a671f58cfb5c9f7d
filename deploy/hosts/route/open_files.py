"""How many files and connections this process may have open at once."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress

WANTED = 10_240
"""At 1,000 hosts each has a connection, and four files more where a program leads to it. macOS lets
a process have no more (OPEN_MAX)."""

_OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


def allow_many() -> None:
    """Raise this process' own limit as far as the system lets it.

    By default it is 1,024 on Linux and 256 on macOS, and the limit that it may be raised to is far
    higher. What this process starts has the raised one too.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def are_used_up(error: Exception) -> bool:
    """Whether an error says that no more files can be opened, which is no machine's fault."""
    return isinstance(error, OSError) and error.errno in _OUT_OF_FILES
