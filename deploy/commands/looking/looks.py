"""What status and watch share: the settings of each environment, and the holders of its lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.clock import CLOCK
from deploy.errors import DeployError
from deploy.hosts.lock import view
from deploy.hosts.lock.watch import BEATS_IN_TTL, Life, Watched
from deploy.hosts.lock.witness import Witness
from deploy.screen.fleet import lock_seen
from deploy.session.arguments import environment_of, read_settings
from deploy.settings import load

if TYPE_CHECKING:
    from deploy.screen.console import Screen
    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.session.arguments import CommandOptions
    from deploy.session.session import Session
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey


MOST_PAUSE_SECONDS = 2.0
"""Between the two looks of a status at a lock, at the most."""


def settings_of_each(asked: CommandOptions, screen: Screen) -> dict[str, Environment | DeployError]:
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


def scope_of(environment: Environment, asked: CommandOptions) -> Scope:
    """Return the scope of a status of one of the environments."""
    return replace(asked, environment=environment.name).scope("status")


def holders(opened: Session, survey: Survey) -> tuple[HolderSeen, ...]:
    """Return the lock's holders, and whether each is alive, as far as 2 s can show it.

    Of a deploy of this machine it is known at once. Of another one the lock is looked at once
    more: a heartbeat in between shows that it lives, and none proves nothing yet.
    """
    held = lock_seen.of(survey, life_here)
    foreign = [each for each in held if each.is_proven and not each.life]
    if not foreign:
        return held
    pause = min(each.holder.ttl_seconds for each in foreign) / BEATS_IN_TTL
    CLOCK.sleep(min(pause, MOST_PAUSE_SECONDS))
    first = lock_seen.view_of(survey)
    then = view.read(opened.environment.name, opened.everyone)
    grown: dict[str, set[str]] = {}
    for name, holder in then.holders.items():
        before = first.holders.get(name)
        if before and before.token == holder.token and before.beat < holder.beat:
            grown.setdefault(holder.token, set()).add(name)
    seen = Watched(then, {token: frozenset(hosts) for token, hosts in grown.items()})

    def life(token: str) -> Life | None:
        is_known = then.answered > view.faulty(then.size)
        found = seen.life(token) if is_known else None
        return life_here(token) or (None if found is Life.DEAD else found)

    return lock_seen.of(survey, life)


def life_here(token: str) -> Life | None:
    """Whether a lock's holder lives, where it runs on this machine, or did; None elsewhere."""
    witness = Witness()
    if witness.is_running(token):
        return Life.ALIVE
    return Life.DEAD if witness.has_ended(token) else None


def now() -> float:
    """Unix seconds, to say how old things are."""
    return datetime.now(UTC).timestamp()


def unseen(name: str, error: DeployError) -> str:
    """Why an environment could not be looked at, in lines."""
    return f"{name} could not be looked at:\n{error}"
