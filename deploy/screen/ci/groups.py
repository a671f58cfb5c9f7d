"""The groups of a run's log: one at a time, and failures between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.screen.ci.dialects import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.screen.ci.dialects import Dialect


class Groups:
    """Groups that CI systems fold; a failure is shown outside of them, so that nothing hides it.

    Times are unix seconds.
    """

    def __init__(
        self, dialect: Dialect = PLAIN, write: Callable[[str], object] = lambda _: None
    ) -> None:
        """Begin none yet; write: takes a line that is a command."""
        self._dialect, self._write = dialect, write
        self._number = 0
        self._title = ""
        self._name = ""

    def begin(self, title: str, at: float) -> None:
        """End the group before, and begin another."""
        self.end(at)
        self._title = title
        self._open(title, at)

    def enter(self, at: float) -> None:
        """Go on with the group that was left, if any, before a line of it is written."""
        if self._title and not self._name:
            self._open(f"{self._title}, continued", at)

    def leave(self, at: float) -> None:
        """Leave the group, before a line is written that must not be folded."""
        if self._name:
            self._put(self._dialect.end(self._name, at))
            self._name = ""

    def end(self, at: float) -> None:
        """End the group, if there is one."""
        self.leave(at)
        self._title = ""

    def error(self, title: str, text: str) -> None:
        """Report an error beside the log."""
        self._put(self._dialect.error(title, text))

    def _open(self, title: str, at: float) -> None:
        self._number += 1
        # A job may run several commands, and GitLab wants a name of its own for each section.
        self._name = f"changeover_{at:.0f}_{self._number}"
        self._put(self._dialect.begin(title, self._name, at))

    def _put(self, command: str) -> None:
        if command:
            self._write(command)
