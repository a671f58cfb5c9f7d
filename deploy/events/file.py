"""A run's events on the workstation: `<runs>/<id>/events.jsonl`, one line for each event."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from deploy.events.runs import ID_DIGITS, NAME
from deploy.events.text import as_line, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.events.event import Entry
    from deploy.events.stream import Stream

IGNORE = ".gitignore"


class Recorder:
    """Writes each event; a full disk, or a folder that cannot be written, does not end the run.

    Attributes:
        file: Where it writes.
        error: Why it stopped writing; empty while all is well.
    """

    def __init__(self, runs: Path, run: str, at: float) -> None:
        """Begin nothing yet. run: the command's id; at: when it began, unix seconds."""
        began = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
        self.file = runs / f"{began}-{run[:ID_DIGITS]}" / NAME
        self.error = ""
        self._runs = runs
        self._open: IO[bytes] | None = None

    def __call__(self, entry: Entry) -> None:
        """Write one entry, and have it out of our hands before the next."""
        if self.error:
            return
        try:
            if self._open is None:
                self._open = self._opened()
            self._open.write(f"{as_line(entry)}\n".encode("ascii"))
            self._open.flush()
        except OSError as error:
            self.error = f"{self.file}, but not to its end: {error.strerror}"

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._open is not None:
            with suppress(OSError):  # what could not be written is said already
                self._open.close()

    def __str__(self) -> str:
        return f"The run is kept in {self.error or from_here(self.file)}"

    def _opened(self) -> IO[bytes]:
        """The new file, for its owner alone: journals of services may say more than they should."""
        self._runs.mkdir(parents=True, exist_ok=True)
        ignore = self._runs / IGNORE
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
        self.file.parent.mkdir(mode=0o700)
        return self.file.open("xb")


def from_here(file: Path) -> Path:
    """A path as it is typed in the working directory, where the file lies below it."""
    with suppress(OSError, ValueError):
        return file.relative_to(Path.cwd())
    return file


@contextmanager
def recorded(stream: Stream, runs: Path, run: str) -> Iterator[Recorder]:
    """Keep what a stream says while the block runs.

    Args:
        stream: Of one run.
        runs: The folder of all runs' folders; made where it is missing.
        run: The command's id.
    """
    recorder = Recorder(runs, run, stream.now())
    try:
        with stream.heard("keeping the run's file", recorder):
            yield recorder
    finally:
        recorder.close()


def load(file: Path) -> tuple[Entry, ...]:
    """The entries of a run's file.

    Raises:
        BadInput: It is no events file; names the line and what is wrong.
        OSError: It cannot be read.
    """
    with file.open(encoding="utf-8", errors="replace") as lines:
        return tuple(read(lines, str(file)))
