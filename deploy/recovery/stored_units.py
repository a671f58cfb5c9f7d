"""Makes the unit of an old release for a slot that the app did not have then. Pure.

The release lies on the host with the unit of another slot. Settings of today tell where a unit
names its port: of those lines the new slot's unit has its own. Where a line of the stored unit
names the port in another way, the settings have changed since, and nothing is guessed.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.plan import candidate
from deploy.steps.staging import StageUnits
from deploy.unit import rendering
from deploy.unit.rendering import RenderedUnit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.hosts.records import Record
    from deploy.settings.app import App, AppInSlot
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import SlotOnHost
    from deploy.survey.facts import HostFacts, Survey
    from deploy.survey.slot import Slot

DEFAULT_COMMAND = ("./app",)
"""Stands for a command that follows from the package's name: no port is in one."""


def rendered(environment: Environment, survey: Survey) -> Survey:
    """The survey whose slots know the units that can be made for them."""
    hosts = tuple(_of_host(facts, environment) for facts in survey.hosts)
    return replace(survey, hosts=hosts)


def staged(at: SlotOnHost, record: Record, systemd: int) -> StageUnits | None:
    """The step that brings the units for a record; None where they lie there.

    systemd: the host's version.
    """
    units = at.slot.rendered.get(record.kept, ())
    if record.kept in at.slot.kept or not units:
        return None
    app, path = at.app.settings, f"/srv/{at.app.name}/releases/{record.release}"
    checks = tuple(rendering.for_verification(unit, path, systemd) for unit in units)
    tries = app.rehearse != "sandbox"
    trials = (rendering.for_rehearsal(unit, path, checks_program=tries) for unit in units)
    return StageUnits(at.host, at.app, record.release, units, checks, tuple(dict.fromkeys(trials)))


def _of_host(facts: HostFacts, environment: Environment) -> HostFacts:
    slots, spares = dict(facts.slots), dict(facts.spares)
    for app in environment.apps:
        units = _units(app, slots[app.name], environment, facts)
        if units:
            slots[app.name] = replace(slots[app.name], rendered=units)
            if app.name in spares:
                spares[app.name] = replace(spares[app.name], rendered=units)
    return replace(facts, slots=slots, spares=spares)


def _units(
    app: App, slot: Slot, environment: Environment, facts: HostFacts
) -> dict[str, tuple[RenderedUnit, ...]]:
    found: dict[str, tuple[RenderedUnit, ...]] = {}
    for kept, texts in slot.stored.items():
        release, _, digest = kept.rpartition(".")
        if not _is_as_stored(texts.values(), digest):
            continue  # the host would refuse it, too: it was changed
        for name, text in texts.items():
            old = app.at(int(name.removesuffix(".service").rpartition("@")[2]))
            same = _Lines(app, environment, old, slot.group or app.service_user, facts)
            try:
                made = [same.moved(text, release, digest, each) for each in app.slots]
            except (BadInput, ValueError):
                continue  # settings of today make no unit
            whole = [each for each in made if each is not None]
            if len(whole) == len(app.slots):
                found[kept] = _with_digest(whole, digest, app)
                break
    return found


def _is_as_stored(texts: Iterable[str], digest: str) -> bool:
    """Whether a digest is that of one of these texts, or of two, as `switch_release` asks."""
    blanks = [text.replace(digest, "") for text in texts]
    return any(
        hashlib.sha256("".join(each).encode()).hexdigest()[: len(digest)] == digest
        for count in (1, 2)
        for each in permutations(blanks, count)
    )


def _with_digest(texts: list[str], old: str, app: App) -> tuple[RenderedUnit, ...]:
    """The units with the digest of them all in place of the old one."""
    blanks = "".join(text.replace(old, "") for text in texts)
    digest = hashlib.sha256(blanks.encode()).hexdigest()
    return tuple(
        RenderedUnit(slot.unit_name, text.replace(old, digest), digest)
        for slot, text in zip(app.slots, texts, strict=True)
    )


class _Lines:
    """What settings of today write for one slot of an app, to be found in a stored unit."""

    def __init__(
        self, app: App, environment: Environment, old: AppInSlot, group: str, facts: HostFacts
    ) -> None:
        self._old, self._group, self._facts = old, group, facts
        self._template = environment.path(app.template) if app.template else None
        self._words = tuple(shlex.split(app.command)) if app.command else DEFAULT_COMMAND

    def moved(self, text: str, release: str, digest: str, new: AppInSlot) -> str | None:
        """The stored text for another slot; None where that is not sure."""
        if new.port == self._old.port:
            return text
        own: dict[str, str] = {}
        for in_package in (True, False):
            for line, its in self._pairs(release, digest, new, in_package=in_package):
                if own.setdefault(line, its) != its:
                    return None
        lines, port = text.split("\n"), str(self._old.port)
        if any(port in line and line not in own for line in lines):
            return None  # be it in another number: a setting may have been `{port}0`
        return "\n".join(own.get(line, line) for line in lines)

    def _pairs(
        self, release: str, digest: str, new: AppInSlot, *, in_package: bool
    ) -> list[tuple[str, str]]:
        """The lines of the old slot's unit, each with the one that the new slot has in its place.

        Raises ValueError where one has lines that the other has not.
        """
        first = self._words[0].removeprefix("./") if in_package else self._words[0]
        words = (first, *self._words[1:])
        found: list[list[str]] = []
        for slot in (self._old, new):
            unit = candidate.unit_spec(
                slot, release, words, self._group, self._facts, in_package=in_package
            )
            try:
                text = rendering.filled(self._template, unit, self._facts.systemd, digest)
            except BadInput:
                return []  # such a command is none of a package, or none of the host
            found.append(text.split("\n"))
        return list(zip(*found, strict=True))
