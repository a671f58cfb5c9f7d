"""Steps that record on the host how its part ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.hosts import records
from deploy.hosts.marks import Mark
from deploy.hosts.notes import Note
from deploy.hosts.records import Kind, Record
from deploy.hosts.scripts import history
from deploy.steps.base import OnHost, Phase

if TYPE_CHECKING:
    from deploy.steps.fleet import Fleet


@dataclass(frozen=True)
class RecordDeployed(OnHost):
    """Write down what was deployed, when, by whom, in which run, and whether it was to go back."""

    phase = Phase.RECORD
    is_entry = True

    release: str
    unit_digest: str
    kind: Kind = Kind.DEPLOY

    def run(self, fleet: Fleet) -> None:
        """The note that the target is out is removed with it, and an earlier bad mark."""
        _record(self, self.kind, fleet)

    def __str__(self) -> str:
        return f"record {self.app.name} {self.release}"


@dataclass(frozen=True)
class RecordRestarted(RecordDeployed):
    """The release that was deployed last serves again: the note that its target is out is removed.

    The history stays as it is: it says what was deployed, and has place for few lines.
    """

    def run(self, fleet: Fleet) -> None:
        """Remove the note alone."""
        script = history.forget_out(self.app.name, self.app.port)
        fleet.remote(self.host).change(self.app.name, script)

    def __str__(self) -> str:
        return f"clear the note on {self.app.unit_name}: {self.release} serves again"


@dataclass(frozen=True)
class NoteOut(OnHost):
    """Write down that a worker is about to stop, as it is of a target that goes out."""

    phase = Phase.SWITCH

    def run(self, fleet: Fleet) -> None:
        """On the host, before anything is changed there."""
        note = Note("", self.app.unit_name, records.now(), fleet.author, fleet.run).as_line()
        script = history.record_out(self.app.name, self.app.port, note)
        fleet.remote(self.host).change(self.app.name, script)

    def __str__(self) -> str:
        return f"note that {self.app.unit_name} is to stop"


@dataclass(frozen=True)
class ForgetOut(OnHost):
    """The app is back on its previous release, or its slot at rest: the note is removed."""

    phase = Phase.RECORD
    is_entry = True

    def run(self, fleet: Fleet) -> None:
        """Remove the note alone."""
        script = history.forget_out(self.app.name, self.app.port)
        fleet.remote(self.host).change(self.app.name, script)

    def __str__(self) -> str:
        return f"clear the note on {self.app.unit_name}"


@dataclass(frozen=True)
class RecordReturned(ForgetOut):
    """The app is back on an older release than it went out with: that is written down, and said.

    It is no deploy, so the app does not count as deployed.
    """

    release: str
    unit_digest: str

    def run(self, fleet: Fleet) -> None:
        """The note is removed with it."""
        _record(self, Kind.ROLLBACK, fleet)
        text = f"it runs {self.release} now, which is older than what it ran before this"
        fleet.remark(self.host.name, f"{self.app.unit_name}: {text}")

    def __str__(self) -> str:
        return f"record {self.app.name} {self.release}"


def _record(step: RecordDeployed | RecordReturned, kind: Kind, fleet: Fleet) -> None:
    """Write a step's release down as what the host runs from now on, and why."""
    at, by = records.now(), fleet.author
    record = Record(step.release, step.unit_digest, at, by, fleet.run, kind)
    script = history.record_deployed(step.app.name, step.app.port, record.as_line(), step.release)
    fleet.remote(step.host).change(step.app.name, script)


@dataclass(frozen=True)
class MarkBad(OnHost):
    """Write down that a release failed here: no default picks it again.

    unit_digest: that of the unit that it ran under; why: what failed, for who is refused it.
    """

    phase = Phase.RECORD

    release: str
    unit_digest: str = ""
    why: str = field(default="", repr=False)

    def run(self, fleet: Fleet) -> None:
        """The mark falls when the release is deployed after all."""
        at, by = records.now(), fleet.author
        mark = Mark(self.release, self.unit_digest, at, by, fleet.run, self.why)
        script = history.mark_bad(self.app.name, self.release, mark.as_line())
        fleet.remote(self.host).change(self.app.name, script)

    def __str__(self) -> str:
        return f"mark {self.release} bad"
