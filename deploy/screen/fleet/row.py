"""One app on one host, as a row of the status. Pure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import values
from deploy.aws.targets import State
from deploy.errors import BadInput
from deploy.hosts.notes import Note
from deploy.screen.fleet import drift, row_notes
from deploy.survey.slot import WorkerState

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot

UNREAD = "unknown"
IN_SERVICE = frozenset({str(State.HEALTHY), str(WorkerState.RUNNING)})


@dataclass(frozen=True)
class Row:
    """One app on one host, in the slot that is in use.

    Attributes:
        host: By name.
        app: By name.
        target: Its target, or its targets, in words; empty for a worker.
        state: Its target's state, or a worker's.
        reason: AWS's reason for it.
        unit_state: As systemd has it.
        release: What runs; empty where nothing is known to run.
        since: When its unit became active, in systemd's words.
        restarts: How often systemd restarted it.
        current: Whether it runs what was deployed last, also at boot, and the other slot rests.
        note: What else was seen, in one line.
        port: Of the slot; 0 for a worker.
        beside: What else runs: in the other slot, where a deploy left it, or the previous unit.
        is_readable: Whether the host itself was read: of others AWS alone reports the target.
        recorded: The release that was deployed here last; empty for none.
        expected: The release that the fleet is on, by its records; empty where they do not agree.
        zone: The availability zone that it is in; empty where that is not known.
        started: When it became active, unix seconds by the host's clock; None where unknown.
        drift: How it differs from what was deployed here last, a line each.
        taken_out: Our note that it was taken out: who did, and when; empty for none.
        is_out_by_hand: Whether it was taken out, and no note of ours says so.
        is_new: Whether nothing was ever deployed here, and there is nothing to return to.
        is_unproven: Whether a unit of ours runs that was never in service.
    """

    host: str
    app: str
    target: str
    state: str
    reason: str
    unit_state: str
    release: str
    since: str
    restarts: int
    current: bool
    note: str = ""
    port: int = 0
    beside: str = ""
    is_readable: bool = True
    recorded: str = ""
    expected: str = ""
    zone: str = ""
    started: int | None = None
    drift: tuple[str, ...] = ()
    taken_out: str = ""
    is_out_by_hand: bool = False
    is_new: bool = False
    is_unproven: bool = False

    @property
    def is_out(self) -> bool:
        """Whether its target is known not to be in service, or a worker not to run."""
        return self.state not in {*IN_SERVICE, UNREAD}

    @property
    def is_in_service(self) -> bool:
        """Whether its target is known to be in service, or a worker to run."""
        return self.state in IN_SERVICE

    @property
    def is_before_first(self) -> bool:
        """Whether the previous unit alone serves, as before a first deploy."""
        return bool(self.beside) and not self.release and self.state in IN_SERVICE

    @property
    def is_well(self) -> bool:
        """In service, running, and what was last deployed."""
        return self.state in IN_SERVICE and self.unit_state == "active" and self.current

    @property
    def is_behind(self) -> bool:
        """Whether it runs what was deployed here, and the fleet has gone on since."""
        return self.current and bool(self.expected) and self.release != self.expected


def of_host(on: AppOnHost, unknown: tuple[str, ...], survey: Survey, expected: str) -> Row:
    """An app on a host that was read.

    Args:
        on: The app there.
        unknown: The keys of the host's answer that were not understood.
        survey: What it is of.
        expected: The release that the fleet is on.
    """
    slot, previous, spare = on.slot, on.previous_unit, on.spare
    notes = row_notes.of_host(survey, on, unknown)
    is_returned = slot.runs_deployed and slot.runs_previous
    state = str(WorkerState.of(is_up=on.is_up) if on.is_worker else on.health.state)
    beside, is_left = previous, False
    if spare:
        # The previous unit has the first slot's port, so it runs beside the second one.
        is_previous = bool(previous) and spare.is_first
        is_left = spare.slot.unit_state.is_running or is_previous or spare.may_receive
        left = previous if is_previous else spare.slot.running_release
        if is_left:
            what = left or "runs nothing"
            notes.append(f"{spare.unit_name} is left beside it ({spare.health}, {what})")
            beside = left or previous
    return Row(
        host=on.host.name,
        app=on.app.name,
        target=", ".join(dict.fromkeys(map(str, on.targets))),
        state=state,
        reason="" if on.is_worker else on.health.reason,
        unit_state=_unit_state(slot),
        release=previous if is_returned else slot.running_release,
        since=slot.unit_state.since,
        restarts=slot.unit_state.restarts,
        current=slot.runs_deployed and not is_left,
        note="; ".join(notes),
        port=on.app.port,
        beside=beside,
        recorded=slot.deployed.release if slot.deployed else "",
        expected=expected,
        zone=zone_of(on.host, on.memberships[0].target.zone if on.memberships else ""),
        started=values.timestamp(slot.unit_state.since),
        drift=drift.of(on),
        taken_out=_taken_out(slot),
        is_out_by_hand=not on.is_worker and bool(on.taken_out),
        is_new=on.is_new or not (slot.deployed or slot.replaces.is_loaded),
        is_unproven=on.is_unproven,
    )


def of_unread(survey: Survey, name: str, host: Host | None, app: App, why: str) -> Row:
    """An app on a host that could not be read, with its target as AWS has it; why: in lines."""
    known = row_notes.best(survey, host, app) if host else None
    notes = [" ".join(line.split()) for line in why.split("\n")]
    notes += row_notes.misplaced(survey, host, app) if host else []
    return Row(
        host=name,
        app=app.name,
        target=known.target if known else "",
        state=known.state if known else UNREAD,
        reason=known.reason if known else "",
        unit_state=UNREAD,
        release="",
        since="",
        restarts=0,
        current=False,
        note="; ".join(notes),
        port=known.port if known else 0,
        is_readable=False,
        zone=zone_of(host, "") if host else "",
    )


def zone_of(host: Host, registered: str) -> str:
    """The zone that a target counts in: what it is registered with, or else its host's."""
    return registered or host.zone


def _unit_state(slot: Slot) -> str:
    """The state of the slot's own unit, or of the previous one where that was returned to."""
    if slot.runs_deployed and slot.runs_previous:
        return slot.replaces.active
    return slot.unit_state.active if slot.unit_state.is_loaded else "absent"


def _taken_out(slot: Slot) -> str:
    """Who took it out, and when, as our note on the host says."""
    if not slot.out:
        return ""
    note = None
    with suppress(BadInput):  # a later version's
        note = Note.parse(slot.out)
    return f"taken out by {note.by or '?'} at {note.at or '?'}" if note else "taken out"
