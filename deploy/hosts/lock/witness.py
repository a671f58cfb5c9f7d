"""Whether a holder of the lock that ran on this machine has ended, by its `flock`.

A deploy keeps a file here, named by a digest of its token, and an exclusive flock on it as long as
its process lives. However that ends, the kernel releases the flock, and nothing else does: it
belongs to the open file description (flock(2)), which Python hands to no child (PEP 446). A process
id and its start time would say less: another machine or container may have the same ones.

The file names the boot, so that a folder that several machines share proves nothing. Where there
is no file, or any doubt, a holder is watched for its heartbeat, as one on another machine is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

BOOT = Path("/proc/sys/kernel/random/boot_id")
SYSCTL = ("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")
"""What macOS calls the same."""
NOWHERE = Path("/dev/null/changeover")
"""A folder in which nothing can be kept."""
OLD_SECONDS = 24 * 3600.0
"""After how long the file of a process that was killed is removed: its lock is long gone."""
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
THERE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


def boot() -> str:
    """Return what names this boot of this machine; empty where it cannot be known."""
    with suppress(OSError, subprocess.SubprocessError, UnicodeError):
        if sys.platform == "darwin":
            asked = subprocess.run(SYSCTL, capture_output=True, text=True, timeout=2, check=True)
            return asked.stdout.strip()
        return BOOT.read_text(encoding="ascii").strip()
    return ""


class Witness:
    """This machine's evidence of its own deploys: of one that begins here, and of others."""

    def __init__(self, folder: Path | None = None) -> None:
        """Keep nothing yet; folder: where the files are, the user's own in the temporary folder."""
        self._folder = folder or Path(tempfile.gettempdir()) / f"changeover-{os.getuid()}"
        self._path: Path | None = None
        self._descriptor = -1

    def begin(self, token: str) -> None:
        """Keep the evidence that this process lives; without it others watch its heartbeat."""
        booted = boot()
        if not booted:
            return
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if not self._is_own():
                return
            path = self._path_of(token)
            self._descriptor = os.open(path, NEW, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.write_text(booted, encoding="ascii")
            self._path = path
            self._tidy(os.fstat(self._descriptor).st_mtime - OLD_SECONDS)

    def end(self) -> None:
        """Remove the evidence: the lock was released in order."""
        with suppress(OSError):
            if self._path:
                self._path.unlink(missing_ok=True)
        with suppress(OSError):
            if self._descriptor >= 0:
                os.close(self._descriptor)
        self._path, self._descriptor = None, -1

    def has_ended(self, token: str) -> bool:
        """Return whether this token's holder ran here, since this boot, and runs no more."""
        return self._runs(token) is False

    def is_running(self, token: str) -> bool:
        """Return whether this token's holder runs here now."""
        return self._runs(token) is True

    def _runs(self, token: str) -> bool | None:
        """Whether a holder that began here since this boot still runs; None for any other."""
        booted = boot()
        with suppress(OSError):
            if not booted or not self._is_own():
                return None
            descriptor = os.open(self._path_of(token), THERE)
            try:
                is_held = _is_locked(descriptor)
                return is_held if os.read(descriptor, 100) == booted.encode() else None
            finally:
                os.close(descriptor)
        return None

    def _path_of(self, token: str) -> Path:
        return self._folder / hashlib.sha256(token.encode()).hexdigest()[:32]

    def _is_own(self) -> bool:
        """Whether no other user can write into the folder."""
        there = self._folder.lstat()
        is_private = there.st_uid == os.getuid() and not there.st_mode & 0o077
        return is_private and stat.S_ISDIR(there.st_mode)

    def _tidy(self, before: float) -> None:
        """Remove what processes left that were killed long ago; before: in seconds since 1970."""
        for path in self._folder.iterdir():
            with suppress(OSError):
                descriptor = os.open(path, THERE)
                try:
                    if os.fstat(descriptor).st_mtime < before:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        path.unlink()
                finally:
                    os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Whether another process holds a file."""
    try:
        # Shared, so that of two that ask at once none takes the other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
