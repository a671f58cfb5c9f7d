"""What runs where: a survey as rows for people, JSON for machines, and one exit code. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from deploy.aws.targets import State
from deploy.folding import folded
from deploy.foreign_text import json_text
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.view import View
from deploy.recovery import half_adopted
from deploy.run.report import ExitCode
from deploy.screen import row_notes
from deploy.settings.scope import Scope
from deploy.survey import foreign_targets
from deploy.survey.app_on_host import is_mixed
from deploy.survey.slot import WorkerState

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot

UNREAD = "unknown"
IN_SERVICE = frozenset({str(State.HEALTHY), str(WorkerState.RUNNING)})


@dataclass(frozen=True)
class Row:
    """One app on one host, in the slot that is in use.

    current: it runs what was deployed last, also at boot, and the other slot is at rest;
    beside: what else runs: in the other slot, where a deploy left it, or the previous unit;
    is_readable: whether the host itself was read: of others AWS alone reports the target's state.
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

    @property
    def is_out(self) -> bool:
        """Whether its target is known not to be in service, or a worker not to run."""
        return self.state not in {*IN_SERVICE, UNREAD}

    @property
    def is_before_first(self) -> bool:
        """Whether the previous unit alone serves, as before a first deploy."""
        return bool(self.beside) and not self.release and self.state in IN_SERVICE

    @property
    def is_well(self) -> bool:
        """In service, running, and what was last deployed."""
        return self.state in IN_SERVICE and self.unit_state == "active" and self.current


@dataclass(frozen=True)
class Overview:
    """The rows of an environment, hosts in their order, apps within.

    is_mixed: whether an app is seen to run in more than one release; lock: who holds it; foreign:
    targets that are no hosts, in words; has_unknown: whether the settings accept none of them, so
    that it is not known what runs there; notes: what else was seen, such as hosts that rest, and
    targets that are no hosts and get no requests now; unread: why hosts cannot be read, in lines.
    """

    environment: str
    rows: tuple[Row, ...]
    is_mixed: bool = False
    lock: str = ""
    foreign: tuple[str, ...] = ()
    has_unknown: bool = False
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_whole_look(self) -> bool:
        """Whether every host could be read."""
        return all(row.is_readable for row in self.rows)

    @property
    def serves(self) -> bool:
        """Whether all targets are in service as far as AWS knows, and all workers run."""
        return all(row.state in IN_SERVICE for row in self.rows)

    @property
    def exit_code(self) -> ExitCode:
        """DONE only when all is well; otherwise what is worst.

        A host that cannot be read may not serve, whatever AWS finds: what runs there is not known.
        """
        if not (self.serves and self.is_whole_look):
            return ExitCode.OUT_OF_SERVICE
        if self.is_mixed or self.has_unknown:
            return ExitCode.MIXED
        return ExitCode.DONE if all(row.is_well for row in self.rows) else ExitCode.FAILED

    def versions(self) -> dict[str, str]:
        """The version that most of an app's hosts run, by app; empty where none runs."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            if row.release:
                version = row.release.rpartition("-")[0] or row.release
                found.setdefault(row.app, []).append(version)
        return {app: max(versions, key=versions.count) for app, versions in found.items()}

    def as_json(self) -> str:
        """For scripts: the rows, and what they come to."""
        body = {
            "environment": self.environment,
            "well": self.exit_code is ExitCode.DONE,
            "mixed": self.is_mixed,
            "lock": self.lock,
            "foreign_targets": list(self.foreign),
            "notes": list(self.notes),
            "exit_code": int(self.exit_code),
            "hosts": [_as_json(row) for row in self.rows],
        }
        return json_text(body)


def overview(environment: Environment, survey: Survey, scope: Scope | None = None) -> Overview:
    """A survey, host by host; hosts that could not be read are rows too.

    scope: what the command was asked for, for the commands that a note suggests.
    """
    rows = [
        _row(survey.on(facts.host, app), facts.unknown, survey)
        for facts in survey.hosts
        for app in environment.apps
    ]
    hosts = {host.name: host for host in survey.asked}
    rows += [
        _unread_row(survey, name, hosts.get(name), app, why)
        for name, why in survey.unreachable.items()
        for app in environment.apps
    ]
    ordered = tuple(sorted(rows, key=lambda row: (row.host, row.app)))
    mixed = any(is_mixed(survey.everywhere(app)) for app in environment.apps)
    others = foreign_targets.find(survey, environment.apps)
    foreign = tuple(str(each) for each in others if each.is_unknown)
    is_refused = bool(foreign) and environment.foreign_targets == "refuse"
    known = (str(each) for each in others if not each.is_unknown)
    half = half_adopted.notes(environment, survey, scope or Scope(environment.name))
    lock, notes = _lock(survey), (*survey.notes, *known, *half)
    unread = folded({name: (why,) for name, why in sorted(survey.unreachable.items())})
    return Overview(environment.name, ordered, mixed, lock, foreign, is_refused, notes, unread)


def _unread_row(survey: Survey, name: str, host: Host | None, app: App, why: str) -> Row:
    """A host that could not be read, with its target as AWS has it; why: in lines."""
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
    )


def _lock(survey: Survey) -> str:
    """Describe who holds the lock; a holder that fewer than half of the hosts show is named so."""
    parsed = {facts.host.name: Holder.parse(facts.lock) for facts in survey.hosts}
    view = View(
        len(survey.hosts) + len(survey.unreachable),
        {name: holder for name, holder in parsed.items() if holder},
    )
    return "; ".join(
        str(holder) if view.is_proven(holder.token) else f"only on {', '.join(hosts)}: {holder}"
        for holder, hosts in view.each()
    )


def _as_json(row: Row) -> dict[str, object]:
    """A row under the keys that scripts rely on."""
    renamed = {"unit_state": "unit", "is_readable": "readable"}
    return {renamed.get(key, key): value for key, value in asdict(row).items()}


def _unit_state(slot: Slot) -> str:
    """The state of the slot's own unit, or of the previous one where that was returned to."""
    if slot.runs_deployed and slot.runs_previous:
        return slot.replaces.active
    return slot.unit_state.active if slot.unit_state.is_loaded else "absent"


def _row(on: AppOnHost, unknown: tuple[str, ...], survey: Survey) -> Row:
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
    )
