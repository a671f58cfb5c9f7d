"""What a look at environments needs: their settings, and who holds their locks."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from deploy.hosts.lock import watch as other_holders
from deploy.hosts.lock.witness import Witness
from deploy.screen.fleet import lock_seen
from deploy.session.arguments import environment_of, read_settings
from deploy.settings import load

if TYPE_CHECKING:
    from deploy.screen.console import Screen
    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.session.arguments import Asked
    from deploy.session.session import Session
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey


def settings_of_each(asked: Asked, screen: Screen) -> dict[str, Environment | DeployError]:
    """The settings of the environment that is named, or of each; where they are wrong, why.

    Raises:
        BadInput: There is no settings file, or those of the environment that is named are wrong.
    """
    if asked.environment:
        return {asked.environment: read_settings(asked, screen)}
    file = load.find(asked.settings)
    if file != Path(load.NAME):
        screen.note(f"Settings: {file}")
    found: dict[str, Environment | DeployError] = {}
    for name in load.environments(file):
        try:
            found[name] = environment_of(file, name, asked.app, asked.batch)
        except DeployError as error:
            found[name] = error
    return found


def scope_of(environment: Environment, asked: Asked) -> Scope:
    """What a look at one of the environments is about."""
    return replace(asked, environment=environment.name).scope("status")


def holders(
    opened: Session, survey: Survey, screen: Screen, *, quiet: bool
) -> tuple[HolderSeen, ...]:
    """Who holds the lock; where a majority shows one, watch its heartbeat, to know if it lives.

    quiet: whether nothing is said meanwhile.
    """
    held = lock_seen.of(survey)
    if not any(each.is_proven for each in held):
        return held
    environment = opened.environment
    watching = f"watching the lock of {environment.name} for its heartbeat"
    with nullcontext() if quiet else screen.busy(watching):
        watched = other_holders.watch(
            environment.name,
            opened.everyone,
            environment.lock_ttl_seconds,
            has_ended=Witness().has_ended,
        )
    return lock_seen.of(survey, watched.life)


def now() -> float:
    """Unix seconds, to say how old things are."""
    return datetime.now(UTC).timestamp()


def unseen(name: str, error: DeployError) -> str:
    """Why an environment could not be looked at, in lines."""
    return f"{name} could not be looked at:\n{error}"
