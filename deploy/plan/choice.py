"""Which package an app is deployed with. Pure, but for what lies where builds go."""

from __future__ import annotations

import fnmatch
from pathlib import PurePath
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.package import opening
from deploy.package.release import parse_name
from deploy.settings.base import expanded

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.settings.app import App
    from deploy.settings.environment import Environment


def choose(environment: Environment, app: App, wanted: str | None) -> Path:
    """The package to deploy: a path, a version, or else the newest that `package:` matches.

    Raises BadInput when nothing matches or two tie, or for a package of another app.
    """
    path = _chosen(environment, app, wanted)
    _refuse_anothers(environment, app, path, wanted)
    return path.resolve() if wanted else path


def _chosen(environment: Environment, app: App, wanted: str | None) -> Path:
    if wanted is None:
        return opening.choose(app.package, environment.root)
    for path in (expanded(wanted), environment.path(wanted)):
        if path.exists():
            return path
    if "/" not in wanted and wanted[:1].isdigit():
        found = opening.of_version(app.package, environment.root, wanted)
        if len(found) == 1:
            return found[0]
        state = "several packages have" if found else "no package has"
        raise BadInput(
            f"--package {wanted}: {state} this version among {app.package}; give a path instead"
        )
    raise BadInput(f"--package {wanted}: no such file or folder; {app.package} is where builds go")


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
