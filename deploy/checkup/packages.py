"""Opens and reads the packages of a command's apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from deploy.checkup.refusals import Refusals
from deploy.errors import BadInput
from deploy.package.cache.cached_opening import Folders
from deploy.plan import candidate, choice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.plan.candidate import OpenedPackage
    from deploy.settings.environment import Environment


def opened(
    environment: Environment, wanted: str | None, workspace: Path
) -> tuple[OpenedPackage, ...]:
    """Open the package of each app; wanted: as `--package` gives it.

    Raises BadInput for all packages that cannot be deployed.
    """
    apps = environment.asked_apps
    if wanted is not None and len(apps) > 1:
        names = ", ".join(app.name for app in apps)
        raise BadInput(f"--package is for one app: say which with --app ({names})")
    found: list[OpenedPackage] = []
    refusals, kept = Refusals(), Folders.of_user()
    for app in apps:
        with refusals.noted():
            path = choice.choose(environment, app, wanted)
            found.append(candidate.prepare(environment, app, path, workspace, kept))
    refusals.raise_all()
    return tuple(found)


class Opener(Protocol):
    """The part of a session that opening packages needs."""

    environment: Environment
    workspace: Path


def beside(wanted: str | None) -> Callable[[Opener], object]:
    """The same as a look beside others, for what is wrong alone."""
    return lambda session: opened(session.environment, wanted, session.workspace)
