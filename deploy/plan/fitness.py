"""Why a host cannot take a release: missing tools, space, what is there already. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import visible, word
from deploy.hosts.scripts.read import NEEDED_TOOLS
from deploy.plan import exclusion, host_steps, staging
from deploy.survey.app_on_host import is_outside
from deploy.survey.units import occupied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deploy.aws.inventory import Host
    from deploy.plan.candidate import OpenedPackage
    from deploy.plan.exclusion import Problems
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import HostFacts, Survey

PACKAGE_OF = {
    "ss": "iproute2",
    "flock": "util-linux",
    "useradd": "passwd (shadow-utils)",
    "xargs": "findutils",
}
OLDEST_SYSTEMD = 240
SPARE_KIB = 64 * 1024
BLOCK_BYTES = 4096
SPARE_FILES = 1000
"""For folders, and for what else is written there."""


def unfit(apps: tuple[App, ...], survey: Survey) -> Problems:
    """Everything on hosts that forbids a deploy there, by host name."""
    return exclusion.joined(
        {
            facts.host.name: (
                *lacking(facts),
                *(problem for app in apps for problem in _app(survey.on(facts.host, app))),
            )
            for facts in survey.hosts
        }
    )


def lacking(facts: HostFacts) -> Iterator[str]:
    """What a host itself lacks, whatever is deployed there."""
    if facts.init != "systemd":
        yield f"{facts.host}: has no systemd (process 1 is {visible(facts.init) or 'unknown'})"
        return
    if facts.systemd < OLDEST_SYSTEMD:
        yield (
            f"{facts.host}: systemd {facts.systemd} is too old; {OLDEST_SYSTEMD} or newer is "
            "needed (Amazon Linux 2023, Debian 11, Ubuntu 20.04)"
        )
    for tool in NEEDED_TOOLS:
        if tool not in facts.tools:
            package = PACKAGE_OF.get(tool, tool)
            yield f"{facts.host}: has no `{tool}`; install the package {package}"


def taken_out(apps: tuple[App, ...], survey: Survey) -> Problems:
    """The hosts that are out of a group by hand, which no deploy puts back unasked.

    A host that the group has on another port or address was not taken out: to join it would bring
    the app requests by two ways. `misplaced` has it.
    """
    return exclusion.joined(
        *(
            {
                on.host.name: (
                    f"{on.host}: is no target of {', '.join(g.name for g in on.taken_out)}, though "
                    f"{app.name} serves or was deployed there; put it in with --join, or leave it "
                    f"out with --skip-host {word(on.host.typed)}",
                )
            }
            for app in apps
            for on in survey.everywhere(app)
            if on.taken_out and not survey.elsewhere(on.host, app)
        )
    )


def misplaced(survey: Survey, app: App, host: Host) -> str:
    """What to say of a host that is in the app's groups on another port or address alone."""
    if not survey.on(host, app).taken_out:
        return ""
    where = ", ".join(f"{group.name} ({target})" for group, target in survey.elsewhere(host, app))
    if not where:
        return ""
    return (
        f"{host}: {app.name} is in {where}, and not on its own port there: name a proxy's port "
        "under `target_port:`, or have its own target registered and healthy first"
    )


def without_zone(apps: tuple[App, ...], survey: Survey) -> Problems:
    """The hosts whose targets AWS would not take without a zone, where none is known."""
    return exclusion.joined(
        *(
            {
                on.host.name: (
                    f"{on.host}: {target} is outside of the VPC of {group.name}, whose cross-zone "
                    "balancing is off: AWS requires one of the group's zones for it. Register it "
                    f"once by hand: aws elbv2 register-targets --target-group-arn {group.arn} "
                    f"--targets Id={target.id},Port={target.port},AvailabilityZone=ZONE",
                )
            }
            for app in apps
            for on in survey.everywhere(app)
            for group, target, _ in on.memberships
            if group.target_type == "ip" and is_outside(group, on.host) and not target.zone
        )
    )


def partners_down(
    environment: Environment, survey: Survey, moves: Callable[[AppOnHost], bool]
) -> Problems:
    """The hosts on which an app that shares a target with one that is deployed would not serve.

    The target goes back in for all apps behind the proxy. moves: whether an app on a host is
    deployed, or goes back.
    """
    problems: list[Problems] = []
    for app in environment.apps:
        for on in survey.everywhere(app):
            others = [survey.on(on.host, other) for other in environment.partners(app)]
            if moves(on) or not any(map(moves, others)):
                continue
            is_absent = on.slot.deployed is None and not on.slot.unit_state.is_loaded
            if on.previous_unit or is_absent or (on.slot.runs_deployed and not on.slot.out):
                continue
            problems.append(
                {
                    on.host.name: (
                        f"{on.host}: {app.name}, which shares the target on port "
                        f"{app.target_port}, does not run what was deployed last; repair it first, "
                        "or deploy both",
                    )
                }
            )
    return exclusion.joined(*problems)


def cramped(environment: Environment, survey: Survey) -> Problems:
    """The hosts without the memory for two releases of an app, where both are to run at once."""
    problems: list[Problems] = []
    for app in environment.apps:
        for facts in survey.hosts:
            on, free = survey.on(facts.host, app), facts.free_memory_kb
            used = on.slot.memory_kb
            if used > free and host_steps.surges(on, environment):
                why = (
                    f"{facts.host}: no memory for two of {app.name}: it holds {used // 1024} MiB, "
                    f"{free // 1024} MiB are free; set `strategy: rolling`, or take larger hosts"
                )
                problems.append({facts.host.name: (why,)})
    return exclusion.joined(*problems)


def other_machine(opened: Iterable[OpenedPackage], survey: Survey) -> Problems:
    """The hosts whose processor none of a package's programs is for."""
    packages = tuple(opened)
    found: Problems = {
        facts.host.name: tuple(
            f"{facts.host}: {each.package.path.name} holds {visible(path)} for "
            f"{' or '.join(sorted(machines))}, and this host is {facts.machine}; build the package "
            "for it"
            for each in packages
            for path, machines in each.package.machines.items()
            if facts.machine and facts.machine not in machines
        )
        for facts in survey.hosts
    }
    return exclusion.joined(found)


def too_small(opened: Iterable[OpenedPackage], survey: Survey) -> Problems:
    """The hosts without the space, or the inodes, for the unpacked releases.

    A package is unpacked as it arrives, and each file takes whole blocks. What partial uploads hold
    is free as well: it is removed first, or gone on with.
    """
    packages = tuple(opened)
    problems: Problems = {}
    for facts in survey.hosts:
        slots = facts.slots
        new = [
            each.package.release
            for each in packages
            if each.package.release.id not in slots[each.app.name].releases
        ]
        partial = sum(sum(slots[each.app.name].partial.values()) for each in packages)
        free, files = facts.free_kb + partial, sum(release.files for release in new)
        needed = (sum(r.size_bytes for r in new) + files * BLOCK_BYTES) // 1024 + SPARE_KIB
        lacks = f"{free // 1024} MiB free under /srv, {needed // 1024} MiB needed"
        if free >= needed and facts.free_files is not None:
            # Whatever a partial upload has of them is the lesser part.
            free, needed = facts.free_files, files + SPARE_FILES
            lacks = f"{free:,} inodes free under /srv (`df -i`), {needed:,} needed"
        if new and free < needed:
            why = f"{facts.host}: no space for the release: {lacks}; make room there"
            problems[facts.host.name] = (why,)
    return problems


def other_contents(opened: Iterable[OpenedPackage], survey: Survey) -> Problems:
    """The hosts on which another release has a package's id."""
    packages = tuple(opened)
    found = {
        facts.host.name: tuple(
            problem
            for each in packages
            if (problem := staging.differs(each.package, survey.on(facts.host, each.app)))
        )
        for facts in survey.hosts
    }
    return exclusion.joined(found)


def _app(on: AppOnHost) -> Iterator[str]:
    host, slot = on.host, on.slot
    for group, target, health in on.memberships:
        if health.is_hopeless:
            yield (
                f"{host}: target {target} of {group.name} is {health}: "
                f"{visible(health.description)}"
            )
    for at in (on, on.spare) if on.spare else (on,):
        yield from occupied.problems(at)
    environment_file = on.app.settings.environment_file
    if environment_file and not slot.has_environment_file:
        yield f"{host}: environment_file {environment_file} does not exist"
