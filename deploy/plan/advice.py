"""Warnings that the operator should read before answering yes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.aws.targets import GONE, State
from deploy.foreign_text import visible
from deploy.hosts import replaced_unit
from deploy.steps import shorter_drain
from deploy.survey import foreign_targets
from deploy.survey.app_on_host import target_of
from deploy.unit import command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.targets import TargetGroup
    from deploy.plan.candidate import Offer
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey

LATE_SECONDS = 120
"""How long it may take until a sick target is noticed: minutes are too long."""


def warnings(environment: Environment, apps: tuple[App, ...], survey: Survey) -> tuple[str, ...]:
    """What the operator should know before saying yes."""
    found = [*survey.notes, *map(str, foreign_targets.find(survey, apps))]
    for app in apps:
        if app.sandbox_removed:
            found.append(
                f"{app.name}: its sandbox goes without {', '.join(app.sandbox_removed)}, by the "
                "setting `sandbox:`"
            )
        found += [
            f"{app.name}: environment.{name} holds {notation}, which nothing here replaces: the "
            "service is given these characters, and has to replace them itself"
            for name, value in sorted(app.environment.items())
            if (notation := command.unreplaced(value))
        ]
        for group in survey.groups[app.name]:
            found += _of_group(app, group, survey)
    if environment.rollout.drain == "quiet":
        found += shorter_drain.refusals(apps, survey)
    enforcing = [f.host.name for f in survey.hosts if f.selinux.lower() == "enforcing"]
    if enforcing:
        found.append(
            f"SELinux is enforcing on {', '.join(enforcing)}: a release's executables get the type "
            "bin_t, or what a rule of the host's own says (semanage fcontext); whatever else a "
            "service may not do is in the audit log"
        )
    found += [text for app in apps if app.is_worker for text in _shells(app, survey)]
    found += _drift(apps, survey)
    return tuple(found)


def replaced(offers: Iterable[Offer], survey: Survey) -> list[str]:
    """For each previous unit that serves, a line with what it sets and the new unit does not."""
    lines: list[str] = []
    for offer in offers:
        hosts: dict[tuple[str, ...], list[str]] = {}
        for on in survey.everywhere(offer.app):
            if on.previous_unit and on.running_name == on.previous_unit:
                found = replaced_unit.differences(on.slot.previous_settings, offer.unit(on).text)
                hosts.setdefault(found, []).append(on.host.name)
        for found, names in hosts.items():
            where = "" if len(names) == len(survey.hosts) else f" on {', '.join(names)}"
            lines += [
                f"{offer.app.name}: {offer.app.replaces} sets what the new unit does not{where}: "
                f"{'; '.join(found)}. What the service needs goes into `user:`, `environment:`, "
                "`environment_file:`, `limits:` or `template:`"
            ] * bool(found)
    return lines


def short_delay(app: App, group: TargetGroup) -> str:
    """Say that the deregistration delay is under twice the longest request; empty where it is not.

    So the post has it that this tool began with: a request may begin just before, and take as long.
    """
    least = 2 * app.longest_request_seconds
    if group.delay_seconds >= least:
        return ""
    return (
        f"{group.name}: the deregistration delay of {group.delay_seconds:g} s is under "
        f"twice the longest request of {app.name} ({least:g} s); requests may be cut"
    )


def no_healthy(group: TargetGroup) -> str:
    """Say that a group has no healthy target."""
    return f"{group.name}: no target is healthy now, so nothing guards capacity"


def late_notice(group: TargetGroup) -> str:
    """Say that failed checks are noticed late; empty where they are not."""
    seconds = group.interval_seconds * group.unhealthy_threshold
    if seconds <= LATE_SECONDS:
        return ""
    return f"{group.name}: a sick target is noticed only after {seconds:g} s of failed checks"


def _of_group(app: App, group: TargetGroup, survey: Survey) -> list[str]:
    """What to know of one of the app's target groups."""
    health = survey.health[group.arn]
    found = [short_delay(app, group)]
    if not any(each.state is State.HEALTHY for each in health.values()):
        found.append(no_healthy(group))
    targets = {on.host: target_of(group, on.host, on.app) for on in survey.everywhere(app)}
    shifted = [host for host, its in targets.items() if health.get(its, GONE).is_shifted]
    if shifted:
        zones = ", ".join(sorted({host.zone or "unknown" for host in shifted}))
        found.append(
            f"{group.name}: traffic is shifted away from zone {zones}, so {len(shifted)} of "
            "its targets get no requests: they are not counted as capacity, and go first"
        )
    found.append(late_notice(group))
    return [text for text in found if text]


def _shells(app: App, survey: Survey) -> list[str]:
    """The worker's hosts on which systemd would stop a shell in the worker's place.

    Of a service the same is found by its listener, and lengthens its drains (`shorter_drain`).
    """
    shells: dict[str, list[str]] = {}
    for on in survey.everywhere(app):
        if on.slot.wrapper:
            shells.setdefault(on.slot.wrapper, []).append(on.host.name)
    return [
        f"{app.name}: SIGTERM goes to a shell ({visible(shell)}) on {', '.join(names)}, which does "
        "not pass it on: what it has started is killed at a stop, whatever work is under way; let "
        "it end with `exec`"
        for shell, names in shells.items()
    ]


def _drift(apps: tuple[App, ...], survey: Survey) -> list[str]:
    """What hosts report that is not as a deploy leaves it."""
    found: list[str] = []
    for facts in survey.hosts:
        if facts.unknown:
            found.append(
                f"{facts.host}: not understood, and not used: {', '.join(facts.unknown)}; look at "
                "the host, its answer is not what a deploy leaves there"
            )
        for app in apps:
            on = survey.on(facts.host, app)
            if on.slot.unit_state.has_drop_ins:
                name = on.unit_name
                found.append(
                    f"{facts.host}: drop-ins change {name}, so it is never current; put their "
                    f"settings into the template and remove them: systemctl revert {name}"
                )
    return found
