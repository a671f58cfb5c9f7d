"""One slot of an app as its host reports it: the unit, the release, the records."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import values
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.marks import Mark
    from deploy.hosts.records import Record
    from deploy.unit.rendering import RenderedUnit


@dataclass(frozen=True)
class UnitState:
    """A unit's state as `systemctl show` reports it; an absent unit is `not-found` and `inactive`.

    Attributes:
        started: When its main process started, in seconds since 1970; None where unknown.
        fragment: The path of the unit file that systemd has loaded.
        needs_reload: Whether a file of the unit has changed since systemd loaded it.
        has_drop_ins: Whether files beside ours change this unit.
        is_sealed: Whether its processes may not make user namespaces.
        exit_status: What its last main process ended with; 0 while none has.
        stopped_with: Other units that systemd stops with it, and does not start with it again.
        started_by: Other units that may start it, such as a timer.
    """

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    enabled: str = ""
    main_pid: int = 0
    invocation: str = ""
    restarts: int = 0
    result: str = ""
    since: str = ""
    started: int | None = None
    fragment: str = ""
    needs_reload: bool = False
    has_drop_ins: bool = False
    is_sealed: bool = False
    exit_status: int = 0
    stopped_with: tuple[str, ...] = ()
    started_by: tuple[str, ...] = ()

    @property
    def is_loaded(self) -> bool:
        """Whether systemd knows the unit."""
        return self.load == "loaded"

    @property
    def is_running(self) -> bool:
        """Whether its processes run or are about to."""
        return self.active in {"active", "activating", "reloading"}


class WorkerState(enum.StrEnum):
    """The state of a worker, in place of a target's state."""

    RUNNING = "running"
    STOPPED = "stopped"

    @classmethod
    def of(cls, *, is_up: bool) -> WorkerState:
        """The state of one that runs, or does not."""
        return cls.RUNNING if is_up else cls.STOPPED


@dataclass(frozen=True)
class Listener:
    """A process that listens on the slot's port, and the unit that it belongs to."""

    pid: int
    unit_name: str
    process: str

    def __str__(self) -> str:
        unit_name, process = visible(self.unit_name), visible(self.process)
        return f"{unit_name or process} (pid {self.pid}, {process})"


@dataclass(frozen=True)
class Slot:
    """One app's slot on one host, as it is.

    What belongs to the app (releases, manifests, history, bad, marks, partial, group, rehearsal,
    unlisted, overridden, exported) is the same in each of its slots. Every value matches its
    grammar in `values`.

    Attributes:
        link: The release that the slot points to.
        unit_sha256: The digest of the unit file on disk.
        unit_digest: The unit's digest as that file states it.
        running_release: The release whose folder the running process has mounted, as its kernel
            knows it; empty where none is, or where the process could have forged its mounts.
        running_unit_digest: The digest of the unit that the running process was started with; empty
            where the file has changed since.
        memory_kb: What that process holds, in KiB.
        wrapper: That process's program, where it is a shell that has started others and does not
            catch SIGTERM; empty otherwise.
        releases: The releases that lie here.
        manifests: For each of them, the digest of its stored manifest.
        out: Our note that its target was taken out; `?` for one that cannot be read.
        history: What was deployed, oldest first.
        bad: Releases that failed here.
        marks: What is written down of those that lie here, where it can be read.
        kept: This slot's units that lie here, as Record.kept names them.
        stored: The texts of units that lie here of a release of which another slot has none, by
            Record.kept and the unit's name.
        rendered: Units that can be made of these for all slots, by Record.kept.
        partial: Releases whose upload never ended, with the KiB that lie here.
        group: The service user's group; empty if there is no such user.
        has_rehearsal: Whether a deploy that was cut off left a rehearsal of the app.
        unlisted: Units of the app's that run here, and no port of the settings is theirs.
        previous_name: The unit that the app replaces, as the settings name it; empty for none.
        replaces: That unit's state.
        overridden: Variables of the unit that the app's environment file sets to another value.
        exported: Variables after `export` in that file, which systemd ignores.
        previous_settings: What it sets: directives and values, as `survey_previous.sh` prints them.
    """

    unit_state: UnitState = UnitState()
    link: str = ""
    unit_sha256: str = ""
    unit_digest: str = ""
    running_release: str = ""
    running_unit_digest: str = ""
    memory_kb: int = 0
    wrapper: str = ""
    releases: tuple[str, ...] = ()
    manifests: Mapping[str, str] = field(default_factory=dict)
    out: str = ""
    history: tuple[Record, ...] = ()
    bad: frozenset[str] = frozenset()
    marks: Mapping[str, Mark] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    stored: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rendered: Mapping[str, tuple[RenderedUnit, ...]] = field(default_factory=dict)
    partial: dict[str, int] = field(default_factory=dict)
    group: str = ""
    unlisted: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    replaces: UnitState = UnitState()
    previous_name: str = ""
    previous_settings: tuple[tuple[str, str], ...] = ()
    has_environment_file: bool = False
    has_rehearsal: bool = False
    overridden: tuple[str, ...] = ()
    exported: tuple[str, ...] = ()

    @property
    def deployed(self) -> Record | None:
        """The release that was deployed last, whatever was tried since."""
        return self.history[-1] if self.history else None

    def runs(self, release: str, unit_digest: str) -> bool:
        """Whether link, unit file and process are this release under this unit, also at boot.

        The same of the previous unit, which is named in place of a release.
        """
        if values.service_name(release):
            return release == self.previous_name and self.runs_previous
        return (
            self.unit_state.active == "active"
            and self.unit_state.enabled == "enabled"
            and self.link == release == self.running_release
            and self.running_unit_digest == unit_digest == self.unit_digest
        )

    @property
    def runs_previous(self) -> bool:
        """Whether the previous unit runs, and the slot's own does not, also at boot.

        Before any deploy it may be started by whatever starts it.
        """
        is_ours = self.unit_state.is_running or self.unit_state.enabled == "enabled"
        starts = self.replaces.enabled != "disabled" or not self.history
        return self.replaces.is_running and starts and not is_ours

    @property
    def runs_deployed(self) -> bool:
        """Whether it runs what was deployed last."""
        last = self.deployed
        return last is not None and self.runs(last.release, last.unit_digest)

    @property
    def is_as_deployed(self) -> bool:
        """Whether a deploy left nothing unfinished: no note, and it runs what was deployed last.

        Where nothing was ever deployed, no unit is there either, or the previous one runs in place
        of one that failed.
        """
        if self.out:
            return False
        if self.deployed:
            return self.runs_deployed
        return self.runs_previous or not self.unit_state.is_loaded

    def runs_exactly(self, release: str, unit: RenderedUnit) -> bool:
        """Whether it runs this release under this unit, by the text of the unit file on disk.

        A drop-in is a setting that is not ours, so under one the answer is no.
        """
        return (
            self.runs(release, unit.digest)
            and not self.unit_state.has_drop_ins
            and self.unit_sha256 == hashlib.sha256(unit.text.encode()).hexdigest()
        )

    @property
    def is_steady(self) -> bool:
        """Whether what runs is what would start again: the link's release, the file's unit."""
        return (
            self.unit_state.active == "active"
            and self.link == self.running_release != ""
            and self.running_unit_digest == self.unit_digest
        )

    def can_run(self, record: Record) -> bool:
        """Whether all that a record names is still here: its release and its unit."""
        if record.is_previous:
            return record.release == self.previous_name and self.replaces.is_loaded
        return record.release in self.releases and record.kept in self.kept

    def can_be_given(self, record: Record) -> bool:
        """Whether it can run a record, where need be with a unit that is made for it first."""
        is_made = record.release in self.releases and record.kept in self.rendered
        return is_made or self.can_run(record)
