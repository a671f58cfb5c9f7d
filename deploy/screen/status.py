"""A survey as rows for people, JSON for scripts, and one exit code. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from deploy.folding import folded
from deploy.foreign_text import json_text
from deploy.natural_order import natural
from deploy.recovery import half_adopted
from deploy.recovery.history import Past
from deploy.run.report import ExitCode
from deploy.screen.fleet import advice, in_service, lock_seen
from deploy.screen.fleet.row import IN_SERVICE, of_host, of_unread
from deploy.settings.scope import Scope
from deploy.survey import foreign_targets
from deploy.survey.app_on_host import is_mixed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.screen.fleet.in_service import Service
    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.screen.fleet.row import Row
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey

SEVERITY = (
    ExitCode.DONE,
    ExitCode.FAILED,
    ExitCode.MIXED,
    ExitCode.BAD_INPUT,
    ExitCode.OUT_OF_SERVICE,
)
"""The codes of a status from the best to the worst; one that could not be looked at may be worse
than what is known to serve, and hosts that are known to be out are worse than that.
"""


@dataclass(frozen=True)
class Overview:
    """The rows of an environment, hosts in their order, apps within.

    Attributes:
        environment: By name.
        rows: An app on a host each.
        is_mixed: Whether an app is seen to run in more than one release.
        lock: Who holds it, in words; empty where it is free.
        foreign: Targets that are no hosts, in words.
        has_unknown: Whether the settings accept none of them, so that it is not known what runs
            there.
        notes: What else was seen, such as hosts that rest, and targets that are no hosts and get
            no requests now.
        unread: Why hosts cannot be read, in lines.
        services: How many targets of each app serve, by group and zone.
        holders: Who holds the lock, and whether that deploy lives.
        at: When the look was over, unix seconds; 0 where that does not matter.
        next: What to type, and why; empty where nothing is left to do.
    """

    environment: str
    rows: tuple[Row, ...]
    is_mixed: bool = False
    lock: str = ""
    foreign: tuple[str, ...] = ()
    has_unknown: bool = False
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()
    holders: tuple[HolderSeen, ...] = ()
    at: float = 0.0
    next: str = ""

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

    def running(self) -> dict[str, dict[str, int]]:
        """By app, on how many hosts each release runs, the one on most hosts first."""
        found: dict[str, dict[str, int]] = {}
        for row in self.rows:
            counts = found.setdefault(row.app, {})
            if name := row.release or (row.beside if row.is_before_first else ""):
                counts[name] = counts.get(name, 0) + 1
        return {
            app: dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
            for app, counts in found.items()
        }

    def expected(self) -> dict[str, str]:
        """By app, the release that the fleet is on; empty where its records do not agree."""
        return {row.app: row.expected for row in self.rows if row.is_readable}

    def age_seconds(self, row: Row) -> float | None:
        """How long a row's unit has been active; None where that is not known."""
        if row.started is None or not self.at:
            return None
        return max(0.0, self.at - row.started)

    def body(self) -> dict[str, object]:
        """Return the status for scripts: the rows, and the verdict on them."""
        return {
            "environment": self.environment,
            "well": self.exit_code is ExitCode.DONE,
            "mixed": self.is_mixed,
            "lock": self.lock,
            "holders": [each.as_json() for each in self.holders],
            "foreign_targets": list(self.foreign),
            "notes": list(self.notes),
            "exit_code": int(self.exit_code),
            "expected": self.expected(),
            "running": self.running(),
            "in_service": [each.as_json() for each in self.services],
            "next": self.next,
            "hosts": [self._as_json(row) for row in self.rows],
        }

    def as_json(self) -> str:
        """The same as text."""
        return json_text(self.body())

    def _as_json(self, row: Row) -> dict[str, object]:
        """A row under the keys that scripts rely on."""
        renamed = {"unit_state": "unit", "is_readable": "readable"}
        left_out = {"is_out_by_hand", "is_new", "is_unproven", "started"}
        shown = {renamed.get(k, k): value for k, value in asdict(row).items() if k not in left_out}
        return shown | {"age_seconds": self.age_seconds(row)}


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The worst of several environments' codes."""
    return max(codes, key=SEVERITY.index, default=ExitCode.DONE)


def overview(
    environment: Environment,
    survey: Survey,
    scope: Scope | None = None,
    *,
    holders: tuple[HolderSeen, ...] | None = None,
    at: float = 0.0,
) -> Overview:
    """A survey, host by host; hosts that could not be read are rows too.

    Args:
        environment: Its settings.
        survey: The look.
        scope: What the command was asked for, for the commands that it suggests.
        holders: Who holds the lock, where that was watched; by default as the survey has it.
        at: When the look was over, unix seconds.
    """
    scope = scope or Scope(environment.name, "status")
    expected = {app.name: _expected(app, environment, survey) for app in environment.apps}
    rows = [
        of_host(survey.on(facts.host, app), facts.unknown, survey, expected[app.name])
        for facts in survey.hosts
        for app in environment.apps
    ]
    hosts = {host.name: host for host in survey.asked}
    rows += [
        of_unread(survey, name, hosts.get(name), app, why)
        for name, why in survey.unreachable.items()
        for app in environment.apps
    ]
    ordered = tuple(sorted(rows, key=lambda each: (natural(each.host), each.app)))
    mixed = any(is_mixed(survey.everywhere(app)) for app in environment.apps)
    others = foreign_targets.find(survey, environment.apps)
    foreign = tuple(str(each) for each in others if each.is_unknown)
    is_refused = bool(foreign) and environment.foreign_targets == "refuse"
    known = (str(each) for each in others if not each.is_unknown)
    held = lock_seen.of(survey) if holders is None else holders
    return Overview(
        environment=environment.name,
        rows=ordered,
        is_mixed=mixed,
        lock="; ".join(map(str, held)),
        foreign=foreign,
        has_unknown=is_refused,
        notes=(*survey.notes, *known, *half_adopted.notes(environment, survey, scope)),
        unread=folded({name: (why,) for name, why in sorted(survey.unreachable.items())}),
        services=in_service.of(environment.apps, survey),
        holders=held,
        at=at,
        next=advice.next_step(scope, ordered, held, is_mixed=mixed, has_unknown=is_refused),
    )


def _expected(app: App, environment: Environment, survey: Survey) -> str:
    """The release that the fleet is on: the newest by its records; empty where they disagree."""
    if not survey.hosts:
        return ""
    newest = Past.of(app, environment, survey).newest
    return newest[0] if len(newest) == 1 else ""
