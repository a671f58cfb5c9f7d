"""Whether the surveyed hosts and groups can take what is offered; refused before any change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import lanes
from deploy.errors import BadInput
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.facts import HostFacts, Slot, Survey
    from deploy.offers import Offer, Opened
    from deploy.settings import App, Environment

NEEDED = ("flock", "ss", "tar", "gzip", "xargs", "sha256sum", "b2sum", "systemd-analyze", "useradd")
PACKAGE_OF = {
    "ss": "iproute2",
    "flock": "util-linux",
    "useradd": "passwd (shadow-utils)",
    "xargs": "findutils",
}
OLDEST_SYSTEMD = 240
SPARE_KIB = 64 * 1024
BLOCK_BYTES = 4096
TARGET_TYPES = ("instance", "ip")


def refuse_unfit(apps: tuple[App, ...], survey: Survey) -> None:
    """Raise BadInput with one line for everything on the hosts that forbids a deploy."""
    problems: list[str] = []
    for app in apps:
        group = survey.groups[app.name]
        if group.target_type not in TARGET_TYPES:
            problems.append(
                f"target group {group.name} has targets of type {group.target_type!r}; hosts can "
                "be deployed in groups of type instance or ip"
            )
    for facts in survey.hosts:
        problems += _host(facts)
        for app in apps:
            problems += _slot(facts, app, survey)
    if problems:
        raise BadInput(*problems)


def refuse_surge(environment: Environment, survey: Survey) -> None:
    """Raise BadInput for what keeps two releases of an app from running side by side."""
    if environment.rollout.strategy != "surge":
        return
    problems: list[str] = []
    for app in environment.apps:
        group = survey.groups[app.name]
        if group.health_port not in {"traffic-port", ""}:
            problems.append(
                f"target group {group.name} checks every target's port {group.health_port}, so one "
                "slot would vouch for the other; set its health check port to `traffic-port`, or "
                "`strategy: rolling`"
            )
        due = [f for f in survey.hosts if lanes.surges(f, app, environment)]
        most, count = survey.most_targets, len(survey.health[app.name]) + len(due)
        if most and count > most:
            problems.append(
                f"target group {group.name} would have {count} targets, and the account's quota is "
                f"{most}; raise it at AWS, or set `strategy: rolling`"
            )
        for facts in due:
            used, free = facts.slots[app.name].memory_kb, facts.free_memory_kb
            if used > free:
                problems.append(
                    f"{facts.host}: no memory for two of {app.name}: it holds {used // 1024} MiB, "
                    f"{free // 1024} MiB are free; set `strategy: rolling`, or take larger hosts"
                )
    if problems:
        raise BadInput(*problems)


def refuse_too_large(offers: tuple[Offer, ...], survey: Survey) -> None:
    """Raise BadInput for hosts without the space for the unpacked releases.

    A package is unpacked as it arrives, and each file takes whole blocks. What torn uploads hold
    is free as well: it is removed first, or gone on with.
    """
    problems: list[str] = []
    for facts in survey.hosts:
        new = [
            offer.package.release
            for offer in offers
            if offer.package.release.id not in facts.slots[offer.app.name].releases
        ]
        torn = sum(sum(facts.slots[offer.app.name].torn.values()) for offer in offers)
        free = facts.free_kb + torn
        needed = sum(r.size_bytes + r.files * BLOCK_BYTES for r in new) // 1024 + SPARE_KIB
        if new and free < needed:
            problems.append(
                f"{facts.host}: no space for the release: {free // 1024} MiB free under "
                f"/srv, {needed // 1024} MiB needed; make room there"
            )
    if problems:
        raise BadInput(*problems)


def refuse_marked(opened: Iterable[Opened], survey: Survey) -> None:
    """Raise BadInput where the package that was chosen for lack of a name failed here before."""
    problems: list[str] = []
    for each in opened:
        release, name = each.package.release, each.app.name
        hosts = [f.host.name for f in survey.hosts if release.id in f.slots[name].bad]
        if hosts:
            problems.append(
                f"{name} {release.id} is the newest package, and it failed before on "
                f"{', '.join(hosts)}; build a better one, or name it to try it again: "
                f"--app {name} --package {release.version}"
            )
    if problems:
        raise BadInput(*problems)


def _host(facts: HostFacts) -> Iterator[str]:
    if facts.init != "systemd":
        yield f"{facts.host}: has no systemd (process 1 is {visible(facts.init) or 'unknown'})"
        return
    if facts.systemd < OLDEST_SYSTEMD:
        yield (
            f"{facts.host}: systemd {facts.systemd} is too old; {OLDEST_SYSTEMD} or newer is "
            "needed (Amazon Linux 2023, Debian 11, Ubuntu 20.04)"
        )
    for tool in NEEDED:
        if tool not in facts.tools:
            package = PACKAGE_OF.get(tool, tool)
            yield f"{facts.host}: has no `{tool}`; install the package {package}"


def _slot(facts: HostFacts, app: App, survey: Survey) -> Iterator[str]:
    slot, group, host = facts.slots[app.name], survey.groups[app.name], facts.host
    target, health = survey.target(host, app), survey.health_of(host, app)
    if health.reason == "Target.NotRegistered" and not slot.out:
        yield (
            f"{host}: is no target of group {group.name}; register it first: aws elbv2 "
            f"register-targets --target-group-arn {group.arn} "
            f"--targets Id={target.id},Port={target.port}"
        )
    elif health.is_hopeless:
        yield f"{host}: target {target} of {group.name} is {health}: {visible(health.description)}"
    yield from _listeners(facts, facts.at(app), slot)
    spare = facts.spare(app)
    if spare:
        yield from _listeners(facts, spare, facts.spares[app.name])
    if app.environment_file:
        yield from _environment_file(facts, app, slot)


def _listeners(facts: HostFacts, app: App, slot: Slot) -> Iterator[str]:
    for listener in slot.listeners:
        if listener.unit not in {app.unit, app.replaces}:
            yield (
                f"{facts.host}: port {app.port} of {app.name} is held by {listener}; stop it, "
                "choose another port, or name its unit under `replaces:`"
            )


def _environment_file(facts: HostFacts, app: App, slot: Slot) -> Iterator[str]:
    mode = slot.environment_file.partition(" ")[0]
    if not mode:
        yield f"{facts.host}: environment_file {app.environment_file} does not exist"
    elif int(mode, 8) & 0o077:
        yield (
            f"{facts.host}: environment_file {app.environment_file} has mode {mode}, so others "
            f"can read its secrets; run there: sudo chmod 600 {app.environment_file}"
        )
