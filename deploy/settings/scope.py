"""The scope of a command (environment, app, hosts), for commands to suggest. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

TAKES: dict[str, tuple[str, ...]] = {
    "deploy": ("app", "hosts", "skip_host", "batch"),
    "rollback": ("app", "hosts", "skip_host", "batch"),
    "repair": ("app", "hosts", "skip_host", "batch"),
    "restart": ("app", "hosts", "skip_host", "batch"),
    "observe": ("app",),
    "status": ("app",),
    "watch": ("app",),
    "promote": (),
    "abort": (),
    "check": ("app",),
    "logs": ("app", "hosts"),
    "history": (),
    "lock.status": (),
    "lock.break": (),
}
"""The options of each verb that say which part of the environment it is about."""


@dataclass(frozen=True)
class Scope:
    """A command's verb, and its options that say what it is about, each as typed.

    Attributes:
        environment: What `--env` names.
        verb: The task: `deploy`, `lock.status`.
        more: The other words that the same command needs again: `--package 2.0.0`.
        settings: The settings file as typed, or empty where it was searched for.
        app: As `--app` was typed; None where it was not. The same for the next three.
        hosts: Names, comma-separated.
        skip_host: Names, comma-separated.
        batch: A count, a percentage or a ramp.
        program: What was typed: `inv`, or `changeover`.
    """

    environment: str
    verb: str = "deploy"
    more: tuple[str, ...] = ()
    settings: str = ""
    app: str | None = None
    hosts: str | None = None
    skip_host: str | None = None
    batch: str | None = None
    program: str = "inv"

    def again(self) -> str:
        """The same command."""
        return self.command(self.verb, *self.more)

    def command(self, verb: str, *more: str) -> str:
        """Return the command line of a verb for the same part; more: further words."""
        words = [self.program, verb, "--env", self.environment]
        for name in TAKES[verb]:
            value = getattr(self, name)
            if value is not None:
                words += [f"--{name.replace('_', '-')}", value]
        words += more
        return shlex.join([*words, "--settings", self.settings] if self.settings else words)

    def without(self, hosts: Iterable[str]) -> Scope:
        """The same part without these hosts too."""
        given = self.skip_host.split(",") if self.skip_host else []
        names = [*(name.strip() for name in given), *hosts]
        return replace(self, skip_host=",".join(dict.fromkeys(filter(None, names))))

    def only(self, hosts: Iterable[str]) -> Scope:
        """Of the same part these hosts alone."""
        return replace(self, hosts=",".join(hosts), skip_host=None)

    def of_app(self, app: str) -> Scope:
        """The same hosts, and this app alone."""
        return replace(self, app=app)
