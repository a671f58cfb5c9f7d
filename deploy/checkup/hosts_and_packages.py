"""Looks at hosts and packages at once, and reports what is wrong with both in one list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from deploy.checkup.refusals import Refusals
from deploy.plan import fitness
from deploy.survey import foreign_targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.candidate import OpenedPackage
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey

DEPLOY = "deploy"


def refuse(environment: Environment, seen: Survey, refusals: Refusals) -> None:
    """Raise what was noted, if anything was, together with what is wrong with hosts."""
    if refusals:
        refusals.unread(seen)
        refusals.of_hosts(fitness.unfit(environment.apps, seen))
    refusals.raise_all()


def refuse_unread(
    environment: Environment, seen: Survey, verb: str, beside: Callable[[], object]
) -> None:
    """Raise BadInput where hosts could not be read, with why, and with what is wrong beside.

    verb: the command; what a plan would be refused for is listed for a deploy alone.
    """
    if not seen.unreachable:
        return
    refusals = Refusals()
    if verb == DEPLOY:
        with refusals.noted():
            foreign_targets.refuse_other_vpcs(seen)
            foreign_targets.refuse(environment, seen)
        refusals.of_hosts(fitness.unfit(environment.apps, seen))
    refusals.unread(seen)
    with refusals.noted():
        beside()
    refusals.raise_all()


def with_survey(
    environment: Environment,
    survey: Callable[[], Survey],
    read: Callable[[], tuple[OpenedPackage, ...]],
) -> tuple[Survey, tuple[OpenedPackage, ...]]:
    """The hosts and the packages, looked at together.

    read: opens the packages. Raises BadInput for what is wrong with one, and then for the hosts
    too.
    """
    refusals = Refusals()
    found: tuple[OpenedPackage, ...] = ()
    with ThreadPoolExecutor(max_workers=1) as pool:
        reading = pool.submit(read)
        seen = survey()
        with refusals.noted():
            found = reading.result()
    refuse(environment, seen, refusals)
    return seen, found
