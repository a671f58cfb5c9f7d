"""The message about a fleet on which some hosts still run the previous unit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.hosts.records import is_previous

if TYPE_CHECKING:
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey


def notes(environment: Environment, survey: Survey, scope: Scope) -> list[str]:
    """A line for each app of which some hosts run a release and others the previous unit.

    It says what to type: to take all hosts forward, or all of them back.
    """
    found: list[str] = []
    for app in environment.apps:
        where: dict[str, list[str]] = {}
        for on in survey.everywhere(app):
            if name := on.running_name:
                where.setdefault(name, []).append(on.host.name)
        releases = [each for each in where if not is_previous(each)]
        if app.replaces not in where or not releases:
            continue
        own = scope.of_app(app.name) if len(environment.apps) > 1 else scope
        most = max(releases, key=lambda each: len(where[each]))
        shown = " and ".join(f"{name} on {', '.join(hosts)}" for name, hosts in where.items())
        found.append(
            f"{app.name} runs {shown}. To take all forward: "
            f"{own.command('deploy', '--package', most.rpartition('-')[0])}; to take all back: "
            f"{own.command('rollback', '--to', app.replaces)}"
        )
    return found
