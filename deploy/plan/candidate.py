"""From a build's package and an app's settings to what one deploy offers each host."""

from __future__ import annotations

import fnmatch
import shlex
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.package import opening, verification
from deploy.package.release import parse_name
from deploy.settings.base import expanded
from deploy.unit import lint, rendering, spec, start_trial

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.package.opening import Package
    from deploy.settings.app import App, AppInSlot
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import SlotOnHost
    from deploy.survey.facts import Survey
    from deploy.unit.rendering import RenderedUnit

MEBIBYTE = 1024 * 1024
LOWEST_PORT, PORTS = 20_000, 9_000
"""Where a port for a rehearsal is chosen: below those that Linux gives to clients."""
TRIAL_SECONDS = 60
"""How long a rehearsal may take beside the start, before systemd ends it."""


@dataclass(frozen=True)
class Opened:
    """An app's package, opened and normalised, and the words of the app's command."""

    app: App
    package: Package
    words: tuple[str, ...]


@dataclass(frozen=True)
class Offer:
    """One app's part of a deploy: its package and, by host name and port, the units for it.

    checks: the same units as they are verified on the host, before anything is switched;
    trials: units that run /bin/true in the sandboxes of these; starts: by host name, units that
    start the release on other ports.
    """

    app: App
    package: Package
    units: dict[tuple[str, int], RenderedUnit] = field(repr=False)
    checks: dict[tuple[str, int], str] = field(default_factory=dict, repr=False)
    trials: dict[tuple[str, int], str] = field(default_factory=dict, repr=False)
    starts: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()

    def unit(self, at: SlotOnHost) -> RenderedUnit:
        """The unit for the app's slot on a host."""
        return self.units[at.host.name, at.app.port]


def choose(environment: Environment, app: App, wanted: str | None) -> Path:
    """The package to deploy: a path, a version, or else the newest that `package:` matches.

    Raises BadInput when nothing matches or two tie.
    """
    if wanted is None:
        return opening.choose(app.package, environment.root)
    for path in (expanded(wanted), environment.path(wanted)):
        if path.exists():
            _refuse_anothers(environment, app, path, wanted)
            return path.resolve()
    if "/" not in wanted and wanted[:1].isdigit():
        found = opening.of_version(app.package, environment.root, wanted)
        if len(found) == 1:
            return found[0]
        state = "several packages have" if found else "no package has"
        raise BadInput(
            f"--package {wanted}: {state} this version among {app.package}; give a path instead"
        )
    raise BadInput(f"--package {wanted}: no such file or folder; {app.package} is where builds go")


def _refuse_anothers(environment: Environment, app: App, path: Path, wanted: str) -> None:
    """Refuse a package that is named for another app, unless `package:` matches it."""
    name = parse_name(path.name)[0].lower()
    others = [each.name for each in (*environment.apps, *environment.other_apps)]
    owner = next((other for other in others if other.lower() == name), app.name)
    if owner == app.name or fnmatch.fnmatch(path.name, PurePath(app.package).name):
        return
    raise BadInput(
        f"--package {wanted}: it is named for the app {owner}, and this is {app.name}: deploy it "
        f"with --app {owner}; if it is meant for {app.name}, let its `package:` match {path.name}"
    )


def prepare(environment: Environment, app: App, path: Path, workspace: Path) -> Opened:
    """Verify and open the package at `path` for the app, its archive written into `workspace`.

    Raises BadInput for a package that is not what `verify:` asks for, or for one or a command
    that cannot be run.
    """

    def executables(files: frozenset[str]) -> tuple[str, ...]:
        first = _words(app, path, files)[0]
        local = first.removeprefix("./")
        is_ours = local in files or ("/" in first and not first.startswith("/"))
        check = {word.removeprefix("./") for word in app.health.words[:1]} & files
        return (*app.executables, *check, *([local] if is_ours else []))

    rules = environment.verification(app)
    with verification.verified(path, rules, environment.path, workspace) as safe:
        opened = opening.open_package(
            safe,
            executables=executables,
            max_unpacked_bytes=app.max_unpacked_mb * MEBIBYTE,
            workspace=workspace,
        )
    opened = replace(opened, path=path)
    words = _words(app, path, opened.files)
    for word in app.health.words[:1]:
        if "/" in word and word[0] != "/" and word.removeprefix("./") not in opened.files:
            raise BadInput(
                f"{app.name}: health.command: {word} is no file of {path.name}; name one of its "
                "files, or a program on the host's PATH"
            )
    first = words[0].removeprefix("./")
    return Opened(app, opened, (first, *words[1:]) if first in opened.files else words)


def offer(environment: Environment, opened: Opened, survey: Survey) -> Offer:
    """The offer for every surveyed host: the units as its own systemd understands them."""
    app, staged = opened.app, f"/srv/{opened.app.name}/releases/{opened.package.release.id}"
    template = environment.path(app.template) if app.template else None
    made: dict[tuple[str, int, int], RenderedUnit] = {}
    offered = Offer(app, opened.package, {})
    for facts in survey.hosts:
        group = facts.slots[app.name].group or app.service_user
        for port in (each.port for each in app.slots):
            kind, key = (group, facts.systemd, port), (facts.host.name, port)
            if kind not in made:
                specs = {each.port: _spec(each, opened, group) for each in app.slots}
                every = tuple(specs.values())
                made[kind] = rendering.render(template, specs[port], facts.systemd, every)
            offered.units[key] = unit = made[kind]
            offered.checks[key] = rendering.for_verification(unit, staged, facts.systemd)
            checks = app.rehearse != "sandbox"
            offered.trials[key] = rendering.for_rehearsal(unit, staged, checks_program=checks)
        if app.rehearse == "start":
            offered.starts[facts.host.name] = _starts(opened, group, template, facts.systemd)
    found = [
        f"{app.template}: {text}"
        for unit in made.values()
        for text in lint.lint(unit.text, app.longest_request_seconds)
        if template
    ]
    return replace(offered, warnings=tuple(dict.fromkeys(found)))


def _starts(
    opened: Opened, group: str, template: Path | None, systemd: int
) -> tuple[tuple[int, str], ...]:
    """The units that start the release on ports that are likely to be free."""
    app, release = opened.app, opened.package.release
    staged = f"/srv/{app.name}/releases/{release.id}"
    seconds = app.start_timeout_seconds + TRIAL_SECONDS
    first = LOWEST_PORT + int(release.digest[:8], 16) % PORTS
    found: list[tuple[int, str]] = []
    for port in (first, first + 1, first + 2):
        own = _spec(app.at(port), opened, group)
        unit = rendering.render(template, own, systemd, (own,))
        found.append((port, start_trial.started(unit, staged, seconds)))
    return tuple(found)


def _spec(slot: AppInSlot, opened: Opened, group: str) -> spec.UnitSpec:
    """What the unit of one of the app's slots says; group: the service user's on its host."""
    app, port = slot.settings, str(slot.port)
    words = tuple(word.replace("{port}", port) for word in opened.words)
    return spec.UnitSpec(
        app=app.name,
        port=slot.port,
        release=opened.package.release.id,
        description=f"{app.name}, a worker" if app.is_worker else f"{app.name} on port {port}",
        command=words,
        executable_in_package=words[0] in opened.package.files,
        user=app.service_user,
        group=group,
        type=app.type,
        environment=tuple(
            (name, value if app.is_worker else value.replace("{port}", port))
            for name, value in sorted(app.environment.items())
        ),
        environment_file=app.environment_file,
        stop_timeout_seconds=app.stop_seconds,
        start_timeout_seconds=app.start_timeout_seconds,
        restart_seconds=2.0,
        removed=app.sandbox_removed,
    )


def _words(app: App, path: Path, names: frozenset[str]) -> tuple[str, ...]:
    """The command's words, `{port}` still in them; without one, the file named like the package."""
    command = app.command
    if command is None:
        name, _ = parse_name(path.name)
        is_library = name not in names and f"{name}.dll" in names
        command = f"dotnet {name}.dll" if is_library else f"./{name}"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"{app.name}: command: {command!r}: {error}; close the quote") from error
    if not words:
        raise BadInput(f"{app.name}: command: is empty; leave it out or name the executable")
    return tuple(words)
