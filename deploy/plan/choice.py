"""Chooses the package that an app is deployed with, from the folder where builds go."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from deploy import path_checks
from deploy.errors import BadInput
from deploy.package import release
from deploy.package.entries import refusing
from deploy.package.release import parse_name
from deploy.path_checks import expanded

if TYPE_CHECKING:
    from deploy.settings.app import App
    from deploy.settings.environment import Environment

# As shells, CI systems and Octopus write a variable.
_FOREIGN = re.compile(r"\$\w+|\$?\{+[^}]*\}+|\$\([^)]*\)|#\{[^}]*\}|%\w+%")


def newest(pattern: str, base: Path, name: str | None = None) -> Path:
    """Find the newest package that matches the glob `pattern`, relative to `base`.

    Where `name` is given, packages of other names are passed over. BadInput when none matches,
    when two share the newest version, or when several names match and none was asked for.
    """
    matches = _matching(base, pattern)
    if not matches:
        there = _what_is_there((base / expanded(pattern)).parent)
        raise BadInput(f"package {pattern!r}: nothing in {base} matches; {_hint(pattern)}{there}")
    named = [(path, *parsed) for path in matches if (parsed := _parsed(path))]
    if not named:
        release.parse_name(matches[0].name)
        raise BadInput(
            f"package {pattern!r}: {matches[0].name} in {base} is no package; it must be a .zip, "
            ".nupkg, .tar.gz, .tgz or a folder"
        )
    wanted = [found for found in named if name is None or found[1] == name]
    names = sorted({found[1] for found in named})
    if not wanted:
        raise BadInput(
            f"package {pattern!r}: none of {name!r} in {base}, only of {', '.join(names)}; "
            f"build one called like {name}.1.2.3.zip, or name it with --package",
        )
    if name is None and len(names) > 1:
        raise BadInput(
            f"package {pattern!r}: packages of several names match in {base}: {', '.join(names)}; "
            f"write the pattern for one, like {names[0]}.*",
        )
    key = max(release.version_key(version) for _, _, version in wanted)
    best = [path for path, _, version in wanted if release.version_key(version) == key]
    if len(best) > 1:
        raise BadInput(
            f"package {pattern!r}: {' and '.join(path.name for path in best)} in {best[0].parent} "
            "are of the same version; remove one, or name one with --package",
        )
    _refuse_unclear(pattern, matches, wanted, best[0])
    return best[0]


def of_version(pattern: str, base: Path, version: str) -> list[Path]:
    """The packages that match the glob `pattern` and are of exactly this version."""
    matches = _matching(base, pattern)
    return [path for path in matches if (parsed := _parsed(path)) and parsed[1] == version]


def _matching(base: Path, pattern: str) -> list[Path]:
    """What a glob matches below `base`, whose own name is no pattern: it may hold brackets."""
    wanted = expanded(pattern)
    if path_checks.exists(base / wanted):
        return [base / wanted]
    return [base / found for found in sorted(glob.glob(str(wanted), root_dir=base))]  # noqa: PTH207 - it may be absolute


def _refuse_unclear(
    pattern: str, matches: list[Path], readable: list[tuple[Path, str, str]], best: Path
) -> None:
    """Refuse a choice that a person may have meant otherwise.

    A package whose version cannot be read may be newer than all others; and people count rc9 before
    rc10, where SemVer has the reverse.
    """
    folder, (name, version) = best.parent, release.parse_name(best.name)
    unread = (path.name for path in matches if not _parsed(path))
    if later := next((each for each in unread if release.may_be_newer(each, name)), None):
        raise BadInput(
            f"package {pattern!r}: it is not clear which one in {folder} is the newest: {later} "
            "has a version that cannot be read; remove it, call it like "
            f"{name}.1.2.3-rc.1.zip, or name one with --package"
        )
    likely = max(readable, key=lambda found: release.likely_key(found[2]))
    if release.version_key(likely[2]) != release.version_key(version):
        raise BadInput(
            f"package {pattern!r}: it is not clear which one in {folder} is the newest: by the "
            f"rules of SemVer {best.name}, as people count {likely[0].name}; name one with "
            f"--package, and write a dot before a number, like {name}.1.2.3-rc.10.zip"
        )


def choose(environment: Environment, app: App, wanted: str | None) -> Path:
    """The package to deploy: a path, a version, or else the newest that `package:` matches.

    Raises BadInput when nothing matches or two tie, or for a package of another app.
    """
    path = _chosen(environment, app, wanted)
    if wanted:  # `.` has a name only so; a link keeps its own, which may say more than its target's
        path = Path(os.path.abspath(path))  # noqa: PTH100
    _refuse_anothers(environment, app, path, wanted)
    return path


def _chosen(environment: Environment, app: App, wanted: str | None) -> Path:
    if wanted is None:
        return newest(app.package, environment.root)
    for path in (expanded(wanted), environment.path(wanted)):
        if path_checks.exists(path):
            return path
    if "/" not in wanted and wanted[:1].isdigit():
        found = of_version(app.package, environment.root, wanted)
        if len(found) == 1:
            return found[0]
        state = "several packages have" if found else "no package has"
        raise BadInput(
            f"--package {wanted}: {state} this version among {app.package}; give a path instead"
        )
    raise BadInput(f"--package {wanted}: no such file or folder; {app.package} is where builds go")


def _parsed(path: Path) -> tuple[str, str] | None:
    """Name and version, or None for what only lies beside the packages."""
    if path.is_file() and release.stem(path.name) == path.name:
        return None
    try:
        return release.parse_name(path.name)
    except BadInput:
        return None


def _hint(pattern: str) -> str:
    """What is in a pattern that only another program replaces or understands."""
    if found := _FOREIGN.search(pattern):
        return (
            f"{found[0]} is not replaced here: write * in its place, and name the version with "
            "--package; "
        )
    return "write slashes, not backslashes; " if "\\" in pattern else ""


def _what_is_there(folder: Path) -> str:
    if not path_checks.is_folder(folder):
        return f"there is no folder {folder}; build the package first, or correct the pattern"
    with refusing(folder):
        names = sorted(entry.name for entry in os.scandir(folder))
    if not names:
        return f"{folder} is empty; build the package first, or correct the pattern"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004 - what fits on a line
    return f"{folder} holds {', '.join(names[:5])}{more}; build the package or correct the pattern"


def _refuse_anothers(environment: Environment, app: App, path: Path, wanted: str | None) -> None:
    """Refuse a package that is named for another app, unless `package:` asks for that name.

    A pattern that would match this app's own packages as well, such as `packages/*`, names none.
    """
    name = parse_name(path.name)[0]
    others = [each.name for each in (*environment.apps, *environment.other_apps)]
    owner = next((other for other in others if other.lower() == name.lower()), app.name)
    pattern, own = PurePath(app.package).name, f"{app.name}{path.name[len(name) :]}"
    is_meant = fnmatch.fnmatch(path.name, pattern) and not fnmatch.fnmatch(own, pattern)
    if owner == app.name or is_meant:
        return
    raise BadInput(
        f"{f'--package {wanted}' if wanted else path}: it is named for the app {owner}, and this "
        f"is {app.name}: deploy it with --app {owner}; if it is meant for {app.name}, let its "
        f"`package:` name it: {owner}.*"
    )
