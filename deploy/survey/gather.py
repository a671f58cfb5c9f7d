"""A read-only look at hosts and target groups, all at once, as one frozen Survey."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from deploy import retry
from deploy.aws.instances import RUNNING
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import BadInput, ConnectionLost, DeployError, Unreachable
from deploy.foreign_text import visible
from deploy.hosts import instance_identity, notes, ownership
from deploy.hosts.refusals import not_run
from deploy.hosts.scripts import base, read
from deploy.hosts.scripts.script import Script, program
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.parse import parse_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from concurrent.futures import Future

    from deploy.aws.inventory import Host
    from deploy.aws.target_groups import Balancer
    from deploy.aws.targets import TargetGroup
    from deploy.command_result import CommandResult
    from deploy.hosts.scripts.script import Program
    from deploy.hosts.ssh.remote import Remote
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.survey.app_on_host import SlotOnHost

ASK_SECONDS = 30.0
PATIENCE_SECONDS = 15.0
MOST_WORDS = 200
SLOW_START_SECONDS = 3.0
"""From how long on it is reported that commands are slow to begin; a name that does not resolve
takes sudo 5 s and more (resolv.conf(5), timeout).
"""


def gather(
    environment: Environment,
    remotes: Mapping[str, Remote],
    balancer: Balancer,
    groups: dict[str, tuple[TargetGroup, ...]],
    *,
    settled: bool = False,
    for_plan: bool = True,
) -> Survey:
    """Read every host and every group, in parallel.

    settled: wait until no command of a deploy that was cut off runs there; for_plan: see `look`.
    A host that cannot be read is named with the reason, and keeps no other from being read:
    what that means is decided where it is known what the command is for.
    """
    surges = environment.rollout.strategy == "surge"
    every_group = {group.arn: group for each in groups.values() for group in each}.values()
    threads = min(MOST_HOSTS_AT_ONCE, len(remotes) + len(every_group) + 1)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        limit = pool.submit(balancer.most_targets) if surges else None
        health = {group.arn: pool.submit(balancer.health, group) for group in every_group}
        each = partial(look, environment=environment, settled=settled, for_plan=for_plan)
        looks = {name: pool.submit(each, remotes[name]) for name in remotes}
        facts, refused = _read_all(looks)
        found = {arn: future.result() for arn, future in health.items()}
    most, asked = limit.result() if limit else 0, tuple(each.host for each in remotes.values())
    partners = {
        app.name: tuple(other.name for other in environment.partners(app))
        for app in environment.apps
    }
    seen = Survey(tuple(facts), groups, found, refused, most, asked, partners=partners)
    seen = replace(seen, notes=slow_starts(facts))
    return replace(seen, hosts=tuple(settle(each, environment.apps, seen) for each in facts))


def slow_starts(facts: Iterable[HostFacts]) -> tuple[str, ...]:
    """What to say of hosts on which each command is slow to begin: one line for all of them."""
    slow = [each for each in facts if each.start_seconds >= SLOW_START_SECONDS]
    if not slow:
        return ()
    longest = max(each.start_seconds for each in slow)
    said = next((f"{each.host} says: {each.start_words}" for each in slow if each.start_words), "")
    return (
        f"{', '.join(each.host.name for each in slow)}: each command takes up to {longest:.0f} s "
        "to begin, so this takes long; "
        f"{said or 'look there at sudo, PAM and the start-up files of the login shell'}",
    )


def ports_in_danger(facts: Iterable[HostFacts], apps: Iterable[App]) -> tuple[str, ...]:
    """What to say of the apps' ports that hosts give to outgoing connections: one line for each.

    A connection may have such a port when the service is to start there: with one slot that is
    when it was stopped, and the other slot's port is free for days.
    """
    hosts, found = tuple(facts), dict[tuple[str, tuple[str, ...]], list[int]]()
    for app in apps:
        for port in app.ports:
            if names := tuple(each.host.name for each in hosts if each.may_give(port)):
                found.setdefault((app.name, names), []).append(port)
    return tuple(
        f"{', '.join(names)}: port {' and '.join(map(str, ports))} of {app}: the kernel gives such "
        "to outgoing connections, so that it may be taken when the service starts: add "
        f"{','.join(map(str, ports))} to net.ipv4.ip_local_reserved_ports in /etc/sysctl.d, or "
        "choose ports below that range"
        for (app, names), ports in found.items()
    )


def read_hosts(
    environment: Environment, remotes: Mapping[str, Remote]
) -> tuple[tuple[HostFacts, ...], dict[str, str]]:
    """The facts of hosts alone, and by name why others cannot be read."""
    with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
        return _read_all({name: pool.submit(look, remotes[name], environment) for name in remotes})


def _read_all(
    looks: Mapping[str, Future[HostFacts]],
) -> tuple[tuple[HostFacts, ...], dict[str, str]]:
    facts: list[HostFacts] = []
    refused: dict[str, str] = {}
    for name, future in looks.items():
        try:
            facts.append(future.result())
        except DeployError as error:
            refused[name] = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a host answers is its own failure
            why = f"{type(error).__name__}: {visible(error)}"
            refused[name] = f"{name}: its answer cannot be read: {why}"
    return tuple(facts), refused


def settle(facts: HostFacts, apps: Iterable[App], seen: Survey) -> HostFacts:
    """The host's facts with each app's slot in use distinguished from its spare.

    At rest one of two runs. After a deploy that was cut off both may: then it is the one that
    is healthy, or else the one in the load balancer, which fails open where all are unhealthy;
    of two such, the one that runs what was deployed last.
    """
    slots, spares, ports = dict(facts.slots), dict(facts.spares), dict(facts.ports)
    for app in apps:
        first = seen.on(facts.host, app)
        second = first.spare
        if second and _rank(second) > _rank(first):
            slots[app.name], spares[app.name] = second.slot, first.slot
            ports[app.name] = second.app.port
    return replace(facts, slots=slots, spares=spares, ports=ports)


def _rank(at: SlotOnHost) -> tuple[bool, ...]:
    slot, last = at.slot, at.slot.deployed
    return (
        at.is_healthy,
        at.may_receive,
        slot.unit_state.is_running or slot.replaces.is_running,
        last is not None and last.release == at.running_name,
        last is not None and last.unit_digest == slot.running_unit_digest,
        last is not None and last.release == slot.link,
        slot.unit_state.enabled == "enabled",
    )


def look(
    remote: Remote, environment: Environment, *, settled: bool = False, for_plan: bool = True
) -> HostFacts:
    """One host's facts in one command; BadInput where it is not fit to be asked.

    for_plan: ask also what only a plan shows: tied units, and variables of environment files.
    """
    programs = _programs(environment, settled=settled, for_plan=for_plan)
    script = Script("survey", programs, partial(_read, remote.host, environment))
    limit = ASK_SECONDS + base.IDLE_SECONDS * len(environment.apps) * settled
    try:
        return remote.ask(script, limit)
    except ConnectionLost:
        # A host that was there a moment ago; one that never answered is refused at once.
        return retry.patiently(lambda: remote.ask(script, limit), lambda _: None, PATIENCE_SECONDS)
    except Unreachable as error:
        if why := down(remote.host):
            raise Unreachable(why) from error
        raise


def down(host: Host) -> str:
    """Return why a host cannot be reached whose instance does not run; empty where it runs."""
    if host.state in {RUNNING, ""}:
        return ""
    return (
        f"{host}: its instance {host.instance_id} is {visible(host.state)}; start it, or take it "
        "out of `hosts:`"
    )


def _programs(environment: Environment, *, settled: bool, for_plan: bool) -> tuple[Program, ...]:
    """What a survey runs on a host."""
    programs = [base.wait_idle(app.name) for app in environment.apps] if settled else []
    programs += [*read.survey_host(environment.name), *instance_identity.question()]
    for app in environment.apps:
        name, user, file = app.name, app.service_user, app.environment_file
        units = [slot.unit_name for slot in app.slots]
        programs.append(read.survey_app(name, user, app.replaces, file, units))
        programs += [read.survey_previous(name, app.replaces)] if app.replaces else []
        if file and for_plan:
            programs.append(read.survey_variables(name, file, app.ports, app.environment))
        programs += ownership.look(name, user, file)
    slots = [slot for app in environment.apps for slot in app.slots]
    programs += read.survey_slots([(slot.name, slot.port, slot.unit_name) for slot in slots])
    if for_plan:
        tied = [(f"{each.name}.{each.port}.show", each.unit_name) for each in slots]
        tied += [(f"{app.name}.replaces", app.replaces) for app in environment.apps if app.replaces]
        programs.append(read.survey_ties(tied))
    return (*programs, program("end_with_zero"))


def _read(host: Host, environment: Environment, result: CommandResult) -> HostFacts:
    """What a host answered; BadInput where it is not fit to be asked."""
    if result.exit_code == base.LOCK_BUSY:
        raise BadInput(
            f"{host}: a command of a deploy that was cut off still runs there after "
            f"{base.IDLE_SECONDS} s: {' '.join(result.stderr.split())}; wait for it, or end it"
        )
    if not result.has_begun:
        user = environment.ssh.user or ""
        printed = result.stdout, result.stderr
        raise BadInput(*not_run.refusal(str(host), user, result.exit_code, *printed))
    if result.exit_code:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        why = f": {visible(said[-1].strip())}" if said else ""
        raise BadInput(f"{host}: looking at it ended with exit code {result.exit_code}{why}")
    instance_identity.refuse_other(host, result.stdout, environment.aws.endpoint_url)
    ownership.refuse_wrong(host, environment.apps, result.stdout)
    try:
        facts = parse_host(host, result.facts, environment.apps)
        for slot in (*facts.slots.values(), *facts.spares.values()):
            notes.Note.parse(slot.out)
    except BadInput as error:
        raise BadInput(f"{host}: {str(error).removeprefix(f'{host}: ')}") from error
    return replace(facts, start_seconds=result.start_seconds, start_words=_sudos(result.around))


def _sudos(printed: str) -> str:
    """The first line that sudo printed, or else the first one at all."""
    lines = [" ".join(line.split()) for line in printed.splitlines() if line.strip()]
    own = next((line for line in lines if line.startswith("sudo:")), next(iter(lines), ""))
    return visible(own[:MOST_WORDS])
