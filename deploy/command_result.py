"""What a command on a host printed, and how it ended, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CommandResult:
    """The output and the end of a remote command.

    Attributes:
        command: The script.
        exit_code: Its exit code.
        stdout: What it printed inside its frame, without its facts.
        stderr: What it printed there.
        seconds: Wall time.
        facts: Each `key=value`, as `scripts.script.Facts` reads them.
        start_seconds: Until the host ran its first line: sudo, PAM and the login shell come before.
            Negative where it ran none: then these printed what there is.
        around: What these printed as errors, before and after the script's own.
    """

    command: str
    exit_code: int
    stdout: str
    stderr: str
    seconds: float = 0.0
    facts: tuple[str, ...] = ()
    start_seconds: float = 0.0
    around: str = ""

    @property
    def has_begun(self) -> bool:
        """Whether the script began."""
        return self.start_seconds >= 0
