"""One app on one host: what lies there, what runs there, and its target."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.inventory import Host
    from deploy.records import Record
    from deploy.settings import App
    from simulated.builds import Build


@dataclass(eq=False)
class Process:
    """What runs on a slot's port: which build, from which release's files.

    build: None for the unit that the app replaces; began: in the clock's seconds; proven: whether
    a proof passed for it.
    """

    build: Build | None
    files: str
    began: float
    proven: bool = False
    pid: int = field(default_factory=itertools.count(100).__next__)

    @property
    def is_legacy(self) -> bool:
        return self.build is None


NOBODY = Process(None, "", 0.0)
"""No place's process: what `Place.left` is where nothing was left running."""


@dataclass(eq=False)
class Place:
    """One app on one host: its slot, its process and its target.

    kept: units by release and digest; torn: releases of which half an upload
    lies there, in KiB; legacy: the host has the
    unit that the app replaces. In the clock's seconds: since, the registration; drained and busy,
    the end of the drain and of the last request in it; sick, until when it does not answer.
    left: what ran when this command took the target out, for as long as it was not stopped.
    """

    app: App
    host: Host
    releases: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    link: str = ""
    unit: str = ""
    enabled: bool = False
    failed: bool = False
    process: Process | None = None
    history: list[Record] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    out: str = ""
    torn: dict[str, int] = field(default_factory=dict)
    legacy: bool = False
    legacy_enabled: bool = False
    registered: bool = True
    since: float = 0.0
    drained: float = 0.0
    busy: float = 0.0
    sick: float = 0.0
    left: Process | None = None

    def __str__(self) -> str:
        return f"{self.host.name}: {self.app.name}"

    @property
    def listener(self) -> str:
        """The unit whose process has the port; nothing where there is none."""
        if self.process is None:
            return ""
        return self.app.replaces or "" if self.process.is_legacy else self.app.unit

    def put(self, **values: Any) -> bool:
        """Change what lies there; True, as a command ends that worked."""
        for name, value in values.items():
            setattr(self, name, value)
        return True
