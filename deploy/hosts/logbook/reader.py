"""Reads the journals of one host and follows them, across broken connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import values
from deploy.clock import CLOCK, Clock
from deploy.errors import CommandFailed, DeployError
from deploy.hosts.logbook.journal_line import JournalLine
from deploy.hosts.scripts import journals
from deploy.hosts.scripts.script import Facts
from deploy.hosts.ssh import exchange, framing

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from deploy.command_result import CommandResult
    from deploy.hosts.scripts.journals import Wanted
    from deploy.hosts.scripts.script import Script
    from deploy.hosts.ssh.remote import Remote

LAST_SECONDS = 60.0
"""How long a host may take to show its last lines."""
FOLLOW_SECONDS = 30 * 24 * 3600.0
"""How long one command may follow a journal."""
PAUSE_SECONDS = 2.0
"""Between two tries to reach a host again."""


@dataclass
class Reader:
    """Reads one host's journals, in one thread at a time.

    Attributes:
        remote: The host.
        wanted: Which lines.
        heard: Gets each line that was read.
        complain: Gets why the host cannot be read now, or a line of it.
        note: Gets that it is back.
    """

    remote: Remote
    wanted: Wanted
    heard: Callable[[JournalLine], None]
    complain: Callable[[str], None]
    note: Callable[[str], None]
    _cursor: str = ""
    _now: int = 0
    _is_lost: bool = False
    _has_begun: bool = False
    _has_unread: bool = False

    def last(self, most_lines: int) -> bool:
        """Read the last lines, at most so many; whether the host has the release that is wanted.

        Raises:
            DeployError: They cannot be read.
        """
        script = journals.last(self.wanted, most_lines)
        facts = Facts(self._read(script, LAST_SECONDS).facts)
        self._now = values.number(facts.first("now")) or 0
        return not facts.first("release")

    def follow(self, stop: threading.Event, clock: Clock = CLOCK) -> None:
        """Read the lines that come, until `stop`: those after the last one that was read.

        A host whose connection breaks is reached again. One that refuses the command is not: that
        is said once.
        """
        while not stop.is_set():
            self._has_begun = False
            try:
                if not self._now:  # it could not be read before: what it wrote since is new
                    self.last(0)
                self._read(journals.following(self.wanted, self._cursor, self._now), FOLLOW_SECONDS)
            except DeployError as error:
                if stop.is_set():
                    return
                if self._has_begun and not error.may_pass:
                    self.complain(f"{error}; this host is not followed any more")
                    return
                if not self._is_lost:
                    self._is_lost = True
                    self.complain(f"{error}; this host is tried again until it is back")
            clock.wait(stop, PAUSE_SECONDS)

    def _read(self, script: Script[CommandResult], most_seconds: float) -> CommandResult:
        """Run a script, whose lines are read as they arrive.

        Raises:
            DeployError: The host is not reached, or refuses: a pattern may be no pattern there.
        """
        stream = framing.Stream(
            framing.new_mark(), exchange.ANSWER_BYTES, heard=self._take, began=self._begin
        )
        result = self.remote.follow(script, stream, most_seconds)
        # Some versions of journalctl end with 1 where no line matches, without a word.
        if result.exit_code and result.stderr.strip():
            raise CommandFailed(self.remote.host.name, script.name, result)
        return result

    def _begin(self) -> None:
        self._has_begun = True
        if self._is_lost:
            self._is_lost = False
            self.note(f"{self.remote.host}: is back, and followed from its last line on")

    def _take(self, text: str) -> None:
        line = JournalLine.parse(text, self.remote.host.name)
        if line is None:
            if not self._has_unread:
                self._has_unread = True
                self.complain(f"{self.remote.host}: its journal has lines that cannot be read")
            return
        self._cursor = line.cursor or self._cursor
        if self.wanted.has(line.release):
            self.heard(line)
