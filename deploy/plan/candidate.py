"""What a deploy brings each host: an app's opened package and its rendered unit."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.package import runnable, verification
from deploy.package.cache import cached_opening
from deploy.package.cache.cached_opening import NOWHERE
from deploy.package.release import parse_name
from deploy.unit import command, lint, rendering, spec, staged

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.package.cache.cached_opening import Folders
    from deploy.package.opening import Package
    from deploy.settings.app import App, AppInSlot
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import SlotOnHost
    from deploy.survey.facts import HostFacts, Survey
    from deploy.unit.rendering import RenderedUnit

MEBIBYTE = 1024 * 1024
LOWEST_PORT, PORTS = 20_000, 9_000
"""Where a port for a rehearsal is chosen: below those that Linux gives to clients."""
TRIAL_SECONDS = 60
"""How long a rehearsal may take beside the start, before systemd ends it."""


@dataclass(frozen=True)
class OpenedPackage:
    """An app's package, opened and normalised, and the words of the app's command."""

    app: App
    package: Package
    words: tuple[str, ...]

    @property
    def needs(self) -> dict[str, str]:
        """The programs that each host must have, and for what; unknown with an own template."""
        if self.app.template:
            return {}
        has_own_path = "PATH" in self.app.environment or self.app.environment_file is not None
        found = runnable.on_host(self.app.name, self.words, self.package, has_own_path=has_own_path)
        bare = {
            word: f"{key.replace('.', ': ')}:"
            for key, word in _programs(self.app)
            if word not in self.package.files and ("/" not in word or word[0] == "/")
        }
        return bare | found


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


def prepare(
    environment: Environment, app: App, path: Path, workspace: Path, folders: Folders = NOWHERE
) -> OpenedPackage:
    """Verify and open the package at `path` for the app, its archive written into `workspace`.

    folders: where an earlier command may have kept what it made of the same bytes.

    Raises BadInput for a package that is not what `verify:` asks for, or for one or a command
    that cannot be run.
    """

    def executables(files: frozenset[str]) -> tuple[str, ...]:
        words = _words(app, path, files)
        first, (started, _) = words[0], command.program_and_script(words)
        own = {first} if first.removeprefix("./") in files else set[str]()
        # A wrapper, such as tini, finds a program of the package by its path alone, and a template
        # of one's own may start it in another folder.
        paths = (first,) if app.template else (first, started)
        own |= {each for each in paths if "/" in each and each[0] != "/"}
        others = {word.removeprefix("./") for _, word in _programs(app)} & files
        return (*app.executables, *others, *(each.removeprefix("./") for each in sorted(own)))

    rules = environment.verification(app)
    with verification.verified(path, rules, environment.path, workspace) as safe:
        opened = cached_opening.open_package(
            safe,
            executables=executables,
            max_unpacked_bytes=app.max_unpacked_mb * MEBIBYTE,
            workspace=workspace,
            folders=folders,
        )
    opened = replace(opened, path=path)
    words = _words(app, path, opened.files)
    for key, word in _programs(app):
        if "/" in word and word[0] != "/" and word.removeprefix("./") not in opened.files:
            raise BadInput(
                f"{app.name}: {key}: {word} is no file of {path.name}; name one of its files, or a "
                "program on the host's PATH"
            )
    first = words[0].removeprefix("./")
    words = (first, *words[1:]) if first in opened.files else words
    if not app.template:  # which may start it in another folder
        runnable.refuse_missing(app.name, words, opened)
        if once := tuple(shlex.split(app.run_once or "")):
            runnable.refuse_missing(app.name, once, opened, "run_once")
    return OpenedPackage(app, opened, words)


def offer(environment: Environment, opened: OpenedPackage, survey: Survey) -> Offer:
    """The offer for every surveyed host: the units as its own systemd understands them."""
    app, staged = opened.app, f"/srv/{opened.app.name}/releases/{opened.package.release.id}"
    template = environment.path(app.template) if app.template else None
    made: dict[tuple[str, int, bool, int], RenderedUnit] = {}
    offered = Offer(app, opened.package, {})
    for facts in survey.hosts:
        group = facts.slots[app.name].group or app.service_user
        for port in (each.port for each in app.slots):
            kind = (group, facts.systemd, facts.has_ipv6, port)
            key = (facts.host.name, port)
            if kind not in made:
                specs = {each.port: _spec(each, opened, group, facts) for each in app.slots}
                every = tuple(specs.values())
                made[kind] = rendering.render(template, specs[port], facts.systemd, every)
            offered.units[key] = unit = made[kind]
            offered.checks[key] = rendering.for_verification(unit, staged, facts.systemd)
            checks = app.rehearse != "sandbox"
            offered.trials[key] = rendering.for_rehearsal(unit, staged, checks_program=checks)
        if app.rehearse == "start":
            offered.starts[facts.host.name] = _starts(opened, group, template, facts)
    found = [
        f"{app.template}: {text}"
        for unit in made.values()
        for text in lint.lint(unit.text, app.longest_request_seconds)
        if template
    ]
    found += runnable.unmarked(opened.package.path.name, opened.package.unmarked)
    return replace(offered, warnings=tuple(dict.fromkeys(found)))


def _starts(
    opened: OpenedPackage, group: str, template: Path | None, facts: HostFacts
) -> tuple[tuple[int, str], ...]:
    """The units that start the release on ports that are likely to be free."""
    app, release = opened.app, opened.package.release
    at = f"/srv/{app.name}/releases/{release.id}"
    seconds = app.start_timeout_seconds + TRIAL_SECONDS
    first = LOWEST_PORT + int(release.digest[:8], 16) % PORTS
    found: list[tuple[int, str]] = []
    for port in (first, first + 1, first + 2):
        own = _spec(app.at(port), opened, group, facts)
        unit = rendering.render(template, own, facts.systemd, (own,))
        found.append((port, staged.started(unit, at, seconds)))
    return tuple(found)


def _spec(slot: AppInSlot, opened: OpenedPackage, group: str, facts: HostFacts) -> spec.UnitSpec:
    """What the unit of one of the app's slots says; group: the service user's on its host."""
    words, release = opened.words, opened.package.release.id
    in_package = words[0] in opened.package.files
    return unit_spec(slot, release, words, group, facts, in_package=in_package)


def unit_spec(
    slot: AppInSlot,
    release: str,
    command: tuple[str, ...],
    group: str,
    facts: HostFacts,
    *,
    in_package: bool,
) -> spec.UnitSpec:
    """What the unit of a release says, by the app's settings of today.

    command: its words, `{port}` still in them; group: the service user's on the host; in_package:
    whether the first is a file of the package.
    """
    app, port = slot.settings, str(slot.port)
    words = tuple(word.replace("{port}", port) for word in command)
    return spec.UnitSpec(
        app=app.name,
        port=slot.port,
        release=release,
        description=f"{app.name}, a worker" if app.is_worker else f"{app.name} on port {port}",
        command=words,
        executable_in_package=in_package,
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
        has_ipv6=facts.has_ipv6,
        limits=tuple(sorted(app.limits.items())),
    )


def _programs(app: App) -> tuple[tuple[str, str], ...]:
    """The programs that the app's other commands begin with, each after its setting."""
    once = ("run_once", *shlex.split(app.run_once or "")[:1])
    check = ("health.command", *app.health.words[:1])
    return tuple((key, word) for key, *words in (check, once) for word in words)


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
