"""From a build's package and an app's settings to what one deploy offers each host."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import package as packages
from deploy import release as releases
from deploy import units
from deploy.errors import BadInput

if TYPE_CHECKING:
    from deploy.package import Package
    from deploy.settings import App, Environment
    from deploy.survey import Survey
    from deploy.units import RenderedUnit

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Opened:
    """An app's package, opened and normalised, and the words of the app's command."""

    app: App
    package: Package
    words: tuple[str, ...]


@dataclass(frozen=True)
class Offer:
    """One app's part of a deploy: its package and, by host name, the unit rendered for it.

    checks: the same units as they are verified on the host, before anything is switched.
    """

    app: App
    package: Package
    units: dict[str, RenderedUnit] = field(repr=False)
    checks: dict[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


def choose(environment: Environment, app: App, wanted: str | None) -> Path:
    """The package to deploy: a path, a version, or else the newest that `package:` matches.

    Raises BadInput when nothing matches or two tie.
    """
    if wanted is None:
        return packages.choose(app.package, environment.root)
    for path in (Path(wanted).expanduser(), environment.path(wanted)):
        if path.exists():
            return path.resolve()
    if "/" not in wanted and wanted[:1].isdigit():
        found = packages.of_version(app.package, environment.root, wanted)
        if len(found) == 1:
            return found[0]
        state = "several packages have" if found else "no package has"
        raise BadInput(
            f"--package {wanted}: {state} this version among {app.package}; give a path instead"
        )
    raise BadInput(f"--package {wanted}: no such file or folder; {app.package} is where builds go")


def prepare(app: App, path: Path, workspace: Path) -> Opened:
    """Open the package at `path` for the app, its archive written into `workspace`.

    Raises BadInput for a package or a command that cannot be run.
    """

    def executables(files: frozenset[str]) -> tuple[str, ...]:
        first = _words(app, path, files)[0]
        local = first.removeprefix("./")
        is_ours = local in files or ("/" in first and not first.startswith("/"))
        return (*app.executables, local) if is_ours else app.executables

    opened = packages.open_package(
        path,
        executables=executables,
        max_unpacked_bytes=app.max_unpacked_mb * MEBIBYTE,
        workspace=workspace,
    )
    words = _words(app, path, opened.files)
    first = words[0].removeprefix("./")
    return Opened(app, opened, (first, *words[1:]) if first in opened.files else words)


def offer(environment: Environment, opened: Opened, survey: Survey) -> Offer:
    """The offer for every surveyed host: the unit as its own systemd understands it."""
    app, package, words = opened.app, opened.package, opened.words
    template = environment.path(app.template) if app.template else None
    release = package.release.id
    rendered: dict[str, RenderedUnit] = {}
    checks: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    for facts in survey.hosts:
        spec = units.UnitSpec(
            app=app.name,
            port=app.port,
            release=release,
            description=f"{app.name} on port {app.port}",
            command=words,
            executable_in_package=words[0] in package.files,
            user=app.service_user,
            group=facts.slots[app.name].group or app.service_user,
            type=app.type,
            environment=tuple(sorted(app.environment.items())),
            environment_file=app.environment_file,
            stop_timeout_seconds=app.stop_seconds,
            start_timeout_seconds=app.start_timeout_seconds,
            restart_seconds=2.0,
        )
        unit = units.render(template, spec, facts.systemd)
        rendered[facts.host.name] = unit
        staged = f"/srv/{app.name}/releases/{release}"
        checks[facts.host.name] = units.for_verification(unit, staged)
        if template:
            warnings = tuple(
                f"{app.template}: {text}"
                for text in units.lint(unit.text, app.longest_request_seconds)
            )
    return Offer(app, package, rendered, checks, warnings)


def _words(app: App, path: Path, names: frozenset[str]) -> tuple[str, ...]:
    """The command's words with `{port}` filled in; without one, the file named like the package."""
    command = app.command
    if command is None:
        name, _ = releases.parse_name(path.name)
        is_library = name not in names and f"{name}.dll" in names
        command = f"dotnet {name}.dll" if is_library else f"./{name}"
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise BadInput(f"{app.name}: command: {command!r}: {error}; close the quote") from error
    if not words:
        raise BadInput(f"{app.name}: command: is empty; leave it out or name the executable")
    return tuple(word.replace("{port}", str(app.port)) for word in words)
