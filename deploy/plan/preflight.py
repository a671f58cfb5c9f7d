"""Whether hosts and groups can take what is to be deployed; decided before any change. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.foreign_text import visible
from deploy.plan import exclusion, host_steps, staging

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.plan.candidate import Opened
    from deploy.plan.exclusion import Problems
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import HostFacts, Slot, Survey

NEEDED = (
    *("flock", "ss", "tar", "gzip", "xargs", "sha256sum", "b2sum", "base64", "od", "awk"),
    *("systemd-analyze", "useradd"),
)
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


def check(
    environment: Environment,
    survey: Survey,
    opened: tuple[Opened, ...],
    scope: Scope,
    *,
    is_default: bool,
) -> Survey:
    """The survey of the hosts that can take these packages; others are left out, each a failure.

    is_default: whether the packages were chosen by default, so that one that failed before is not
    taken.

    Raises:
        BadInput: A group or a package forbids the deploy, or more hosts than may fail.
    """
    refuse_groups(environment, survey)
    marks = marked(opened, survey, scope) if is_default else {}
    problems = exclusion.joined(
        unfit(environment.apps, survey),
        cramped(environment, survey),
        too_small(opened, survey),
        other_contents(opened, survey),
        marks,
    )
    return exclusion.leave_out(environment, survey, problems, scope)


def refuse_groups(environment: Environment, survey: Survey) -> None:
    """Raise BadInput for what is wrong with target groups, whatever the hosts are like."""
    problems: list[str] = []
    for app in environment.apps:
        group = survey.groups[app.name]
        if group.target_type not in TARGET_TYPES:
            problems.append(
                f"target group {group.name} has targets of type {group.target_type!r}; hosts can "
                "be deployed in groups of type instance or ip"
            )
    problems += _surge(environment, survey)
    if problems:
        raise BadInput(*problems)


def refuse_surge(environment: Environment, survey: Survey) -> None:
    """Raise BadInput for what keeps two releases of an app from running side by side."""
    problems = list(_surge(environment, survey))
    if problems:
        raise BadInput(*problems)


def _surge(environment: Environment, survey: Survey) -> Iterator[str]:
    if environment.rollout.strategy != "surge":
        return
    for app in environment.apps:
        group = survey.groups[app.name]
        if group.health_port not in {"traffic-port", ""}:
            yield (
                f"target group {group.name} checks every target's port {group.health_port}, so one "
                "slot would vouch for the other; set its health check port to `traffic-port`, or "
                "`strategy: rolling`"
            )
        due = [f for f in survey.hosts if host_steps.surges(f, app, environment)]
        most, count = survey.most_targets, len(survey.health[app.name]) + len(due)
        if most and count > most:
            yield (
                f"target group {group.name} would have {count} targets, and the account's quota is "
                f"{most}; raise it at AWS, or set `strategy: rolling`"
            )


def unfit(apps: tuple[App, ...], survey: Survey) -> Problems:
    """Everything on hosts that forbids a deploy there, by host name."""
    return exclusion.joined(
        {
            facts.host.name: (
                *_host(facts),
                *(problem for app in apps for problem in _slot(facts, app, survey)),
            )
            for facts in survey.hosts
        }
    )


def cramped(environment: Environment, survey: Survey) -> Problems:
    """The hosts without the memory for two releases of an app, where both are to run at once."""
    problems: list[Problems] = []
    for app in environment.apps:
        for facts in survey.hosts:
            used, free = facts.slots[app.name].memory_kb, facts.free_memory_kb
            if host_steps.surges(facts, app, environment) and used > free:
                why = (
                    f"{facts.host}: no memory for two of {app.name}: it holds {used // 1024} MiB, "
                    f"{free // 1024} MiB are free; set `strategy: rolling`, or take larger hosts"
                )
                problems.append({facts.host.name: (why,)})
    return exclusion.joined(*problems)


def too_small(opened: Iterable[Opened], survey: Survey) -> Problems:
    """The hosts without the space for the unpacked releases.

    A package is unpacked as it arrives, and each file takes whole blocks. What partial uploads hold
    is free as well: it is removed first, or gone on with.
    """
    packages = tuple(opened)
    problems: Problems = {}
    for facts in survey.hosts:
        new = [
            each.package.release
            for each in packages
            if each.package.release.id not in facts.slots[each.app.name].releases
        ]
        partial = sum(sum(facts.slots[each.app.name].partial.values()) for each in packages)
        free = facts.free_kb + partial
        needed = sum(r.size_bytes + r.files * BLOCK_BYTES for r in new) // 1024 + SPARE_KIB
        if new and free < needed:
            problems[facts.host.name] = (
                f"{facts.host}: no space for the release: {free // 1024} MiB free under "
                f"/srv, {needed // 1024} MiB needed; make room there",
            )
    return problems


def other_contents(opened: Iterable[Opened], survey: Survey) -> Problems:
    """The hosts on which another release has a package's id."""
    packages = tuple(opened)
    found = {
        facts.host.name: tuple(
            problem
            for each in packages
            if (problem := staging.differs(each.app, each.package, facts))
        )
        for facts in survey.hosts
    }
    return exclusion.joined(found)


def marked(opened: Iterable[Opened], survey: Survey, scope: Scope) -> Problems:
    """The hosts on which the package that was chosen for lack of a name failed before.

    Raises:
        BadInput: It failed on a majority of the hosts that have it.
    """
    refused: list[str] = []
    problems: list[Problems] = []
    for each in opened:
        release, name = each.package.release, each.app.name
        failed = [f.host.name for f in survey.hosts if release.id in f.slots[name].bad]
        has = [f for f in survey.hosts if _has(f.slots[name], release.id)]
        retry = scope.of_app(name).command("deploy", "--package", release.version)
        if 2 * len(failed) > len(has):
            refused.append(
                f"{name} {release.id} is the newest package, and it failed before on "
                f"{', '.join(failed)}; build a better one, or name it to try it again: {retry}"
            )
        why = f"{name} {release.id} failed there before; name it to try it again: {retry}"
        problems.append({host: (f"{host}: {why}",) for host in failed})
    if refused:
        raise BadInput(*refused)
    return exclusion.joined(*problems)


def _has(slot: Slot, release: str) -> bool:
    """Whether a release lies on a host, was deployed there, or failed there."""
    recorded = {record.release for record in slot.history}
    return release in {*slot.releases, *slot.bad, *recorded}


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
    if app.environment_file and not slot.has_environment_file:
        yield f"{facts.host}: environment_file {app.environment_file} does not exist"


def _listeners(facts: HostFacts, app: App, slot: Slot) -> Iterator[str]:
    for listener in slot.listeners:
        if listener.unit not in {app.unit, app.replaces}:
            yield (
                f"{facts.host}: port {app.port} of {app.name} is held by {listener}; stop it, "
                "choose another port, or name its unit under `replaces:`"
            )
