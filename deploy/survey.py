"""A read-only look at hosts and target groups: queries, parsers, one frozen Survey."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from deploy import commands, retries
from deploy.balancer import GONE, Health, State, Target, TargetGroup
from deploy.errors import BadInput, ConnectionLost, DeployError
from deploy.records import Record

ASK_SECONDS = 30.0
PATIENCE_SECONDS = 15.0

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.balancer import Balancer
    from deploy.errors import CommandResult
    from deploy.inventory import Host
    from deploy.remote import Remote
    from deploy.settings import App, Environment


@dataclass(frozen=True)
class UnitState:
    """What `systemctl show` says; an absent unit is `not-found` and `inactive`."""

    load: str = "not-found"
    active: str = "inactive"
    sub: str = "dead"
    enabled: str = ""
    main_pid: int = 0
    invocation: str = ""
    restarts: int = 0
    result: str = ""
    since: str = ""

    @property
    def is_loaded(self) -> bool:
        """Whether systemd knows the unit."""
        return self.load == "loaded"

    @property
    def is_running(self) -> bool:
        """Whether its processes run or are about to."""
        return self.active in {"active", "activating", "reloading"}


@dataclass(frozen=True)
class Listener:
    """A process that listens on the slot's port, and the unit that it belongs to."""

    pid: int
    unit: str
    process: str

    def __str__(self) -> str:
        return f"{self.unit or self.process} (pid {self.pid}, {self.process})"


@dataclass(frozen=True)
class Slot:
    """One app's slot on one host, as it is.

    What the app has as a whole (releases, history, bad, torn, group) is told by each of its slots.
    link: the release that the slot points to; unit_digest: the unit on disk; running_release,
    running_unit: what the running process itself was started with, by its environment;
    memory_kb: what that process holds; out: our note that its target was taken out; history:
    what was deployed, oldest first; bad: releases that failed here; kept: this slot's units that
    lie here, as Record.kept names them; torn: releases whose upload never ended, with
    the KiB that lie here; group: the service user's group, empty if there is no such user.
    """

    unit: UnitState = UnitState()
    link: str = ""
    unit_sha256: str = ""
    unit_digest: str = ""
    running_release: str = ""
    running_unit: str = ""
    memory_kb: int = 0
    releases: tuple[str, ...] = ()
    out: str = ""
    history: tuple[Record, ...] = ()
    bad: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    torn: dict[str, int] = field(default_factory=dict)
    group: str = ""
    listeners: tuple[Listener, ...] = ()
    replaces: UnitState = UnitState()
    environment_file: str = ""

    @property
    def deployed(self) -> Record | None:
        """What was deployed last, whatever was tried since."""
        return self.history[-1] if self.history else None

    def can_run(self, record: Record) -> bool:
        """Whether all that a record tells of is still here: its release and its unit."""
        return record.release in self.releases and record.kept in self.kept


@dataclass(frozen=True)
class HostFacts:
    """A host as it is.

    free_kb: the space under /srv in KiB; free_memory_kb: what new processes can have; slots:
    each app's slot in use, by the app's name; spares: the other one, of an app with two; ports:
    the port of the slot in use, where it is not the app's first; lock: who holds the environment.
    """

    host: Host
    init: str
    systemd: int
    selinux: str
    free_kb: int
    tools: frozenset[str]
    slots: dict[str, Slot]
    lock: str = ""
    spares: dict[str, Slot] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    free_memory_kb: int = 0

    def at(self, app: App) -> App:
        """The app in the slot that is in use here."""
        return app.at(self.ports.get(app.name, app.ports[0]))

    def slot(self, app: App) -> Slot:
        """The facts of this slot of the app."""
        return self.slots[app.name] if self.at(app).port == app.port else self.spares[app.name]

    def spare(self, app: App) -> App | None:
        """The app in its other slot; None where it has but one."""
        used = self.at(app).port
        return next((app.at(port) for port in app.ports if port != used), None)


@dataclass(frozen=True)
class Survey:
    """Everything a plan is made from: hosts in their order, groups and health by app.

    most_targets: how many targets a load balancer may have; 0 where nobody asked.
    """

    hosts: tuple[HostFacts, ...]
    groups: dict[str, TargetGroup]
    health: dict[str, dict[Target, Health]]
    unreachable: dict[str, str] = field(default_factory=dict)
    """Hosts that could not be read, by name, with the reason (only where that is allowed)."""
    most_targets: int = 0

    @cached_property
    def _facts(self) -> dict[str, HostFacts]:
        return {facts.host.name: facts for facts in self.hosts}

    def target(self, host: Host, app: App) -> Target:
        """The host's target in the app's group: of this slot, or else of the one in use."""
        facts = self._facts.get(host.name)
        bound = facts.at(app) if facts and app.slot is None else app
        return target_of(self.groups[app.name], host, bound)

    def health_of(self, host: Host, app: App) -> Health:
        """The load balancer's word on the host's target."""
        return self.health[app.name].get(self.target(host, app), GONE)


def target_of(group: TargetGroup, host: Host, app: App) -> Target:
    """The target of the host's slot in a group: by instance, or by address for `ip` groups."""
    address = host.private_address or host.address
    return Target(address if group.target_type == "ip" else host.instance_id, app.port)


def gather(
    environment: Environment,
    remotes: Mapping[str, Remote],
    balancer: Balancer,
    groups: dict[str, TargetGroup],
    *,
    allow_unreachable: bool = False,
    settled: bool = False,
) -> Survey:
    """Read every host and every group, in parallel.

    settled: wait first until no command of a deploy that was cut off runs there any more.
    Raises BadInput naming every host that cannot be read, unless `allow_unreachable`.
    """
    surges = environment.rollout.strategy == "surge"
    with ThreadPoolExecutor(max_workers=min(32, len(remotes) + len(groups) + 1)) as pool:
        limit = pool.submit(balancer.most_targets) if surges else None
        health = {name: pool.submit(balancer.health, group) for name, group in groups.items()}
        looks = {
            name: pool.submit(look, remotes[name], environment, settled=settled) for name in remotes
        }
        facts: list[HostFacts] = []
        refused: dict[str, str] = {}
        for name, future in looks.items():
            try:
                facts.append(future.result())
            except DeployError as error:
                refused[name] = str(error)
        if refused and not allow_unreachable:
            raise BadInput("\n".join(refused.values()))
        found = {name: future.result() for name, future in health.items()}
    seen = Survey(tuple(facts), groups, found, refused, limit.result() if limit else 0)
    return replace(seen, hosts=tuple(settle(each, environment.apps, seen) for each in facts))


def settle(facts: HostFacts, apps: Iterable[App], seen: Survey) -> HostFacts:
    """The host's facts with each app's slot in use told from its spare.

    At rest one of two runs. After a deploy that was cut off both may: then it is the one that
    is healthy, and of two healthy ones the one that runs what was deployed last.
    """
    slots, spares, ports = dict(facts.slots), dict(facts.spares), dict(facts.ports)
    for app in apps:
        other = facts.spare(app)
        if other is None:
            continue

        def rank(slot: Slot, bound: App) -> tuple[bool, ...]:
            last = slot.deployed
            return (
                seen.health_of(facts.host, bound).state is State.HEALTHY,
                slot.unit.is_running or slot.replaces.is_running,
                last is not None and last.release == slot.running_release,
                last is not None and last.release == slot.link,
                slot.unit.enabled == "enabled",
            )

        first, second = facts.slots[app.name], facts.spares[app.name]
        if rank(second, other) > rank(first, facts.at(app)):
            slots[app.name], spares[app.name] = second, first
            ports[app.name] = other.port
    return replace(facts, slots=slots, spares=spares, ports=ports)


def look(remote: Remote, environment: Environment, *, settled: bool = False) -> HostFacts:
    """One host's facts in one command; BadInput where it is not fit to be asked."""
    parts = [commands.wait_idle(app.name) for app in environment.apps] if settled else []
    parts.append(commands.survey_host(environment.name))
    for app in environment.apps:
        name = app.name
        own = commands.survey_app(name, app.service_user, app.replaces, app.environment_file)
        slots = [commands.survey_slot(name, port, app.at(port).unit) for port in app.ports]
        parts += [own, *slots]
    limit = ASK_SECONDS + commands.IDLE_SECONDS * len(environment.apps) * settled
    script = "\n".join([*parts, "true"])

    def ask() -> CommandResult:
        return remote.ask(script, "survey", limit)

    try:
        result = ask()
    except ConnectionLost:
        # A host that was there a moment ago; one that never answered is refused at once.
        result = retries.patiently(ask, lambda _: None, PATIENCE_SECONDS)
    if result.exit_code == commands.LOCK_BUSY:
        raise BadInput(
            f"{remote.host}: a command of a deploy that was cut off still runs there after "
            f"{commands.IDLE_SECONDS} s: {' '.join(result.stderr.split())}; wait for it, or end it"
        )
    if result.exit_code:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        why = said[-1].strip() if said else f"exit code {result.exit_code}"
        raise BadInput(
            f"{remote.host}: sudo without a password does not work for the SSH user: {why}; "
            "allow it in /etc/sudoers.d, for example `ec2-user ALL=(ALL) NOPASSWD: ALL`"
        )
    return parse_host(remote.host, result.stdout, environment.apps)


def parse_host(host: Host, text: str, apps: Iterable[App]) -> HostFacts:
    """The survey's `key=value` lines; lines that are none are passed over."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            values.setdefault(key, []).append(value.strip())

    def first(key: str) -> str:
        return values.get(key, [""])[0]

    words = first("systemd").split()
    served = tuple(apps)
    return HostFacts(
        host=host,
        init=first("init"),
        systemd=number(words[1]) if len(words) > 1 else 0,
        selinux=first("selinux"),
        free_kb=number(first("free_kb")),
        tools=frozenset(values.get("tool", [])),
        slots={app.name: _parse_slot(app.at(app.ports[0]), values) for app in served},
        lock=first("lock"),
        spares={
            app.name: _parse_slot(app.at(port), values) for app in served for port in app.ports[1:]
        },
        free_memory_kb=number(first("free_memory_kb")),
    )


def _parse_slot(app: App, values: dict[str, list[str]]) -> Slot:
    name, port = app.name, app.port

    def all_of(key: str) -> list[str]:
        return values.get(f"{name}.{key}", [])

    def first(key: str) -> str:
        return (all_of(key) or [""])[0]

    def shown(part: str) -> UnitState:
        prefix = f"{name}.{part}."
        return parse_unit(
            {
                key.removeprefix(prefix): found[0]
                for key, found in values.items()
                if key.startswith(prefix)
            }
        )

    return Slot(
        unit=shown(f"{port}.show"),
        link=first(f"{port}.link").rpartition("/")[2],
        unit_sha256=first(f"{port}.unit_sha256"),
        unit_digest=first(f"{port}.unit_digest"),
        running_release=first(f"{port}.running.RELEASE"),
        running_unit=first(f"{port}.running.UNIT"),
        memory_kb=number(first(f"{port}.memory_kb")),
        releases=tuple(all_of("release")),
        out=first(f"{port}.out"),
        history=tuple(record for line in all_of("history") if (record := Record.parse(line))),
        bad=frozenset(all_of("bad")),
        kept=frozenset(
            file.removesuffix(f".{app.unit}")
            for file in all_of("kept")
            if file.endswith(f".{app.unit}")
        ),
        torn=dict(_parse_torn(line) for line in all_of("torn")),
        group=first("group"),
        listeners=parse_listeners(all_of(f"{port}.listener")),
        replaces=shown("replaces"),
        environment_file=first("environment_file"),
    )


def _parse_torn(line: str) -> tuple[str, int]:
    """A release's id and KiB, of what `du -k` says of its part."""
    size, _, path = line.partition("\t")
    return path.rpartition("/")[2].removeprefix(".").removesuffix(".part"), number(size)


def parse_unit(shown: Mapping[str, str]) -> UnitState:
    """`systemctl show`'s pairs; older systemds leave some out (NRestarts before 235)."""
    return UnitState(
        load=shown.get("LoadState", "not-found"),
        active=shown.get("ActiveState", "inactive"),
        sub=shown.get("SubState", "dead"),
        enabled=shown.get("UnitFileState", ""),
        main_pid=number(shown.get("MainPID", "")),
        invocation=shown.get("InvocationID", ""),
        restarts=number(shown.get("NRestarts", "")),
        result=shown.get("Result", ""),
        since=shown.get("ActiveEnterTimestamp", ""),
    )


def parse_show(text: str) -> UnitState:
    """`systemctl show`'s output as printed."""
    return parse_unit(dict(line.split("=", 1) for line in text.splitlines() if "=" in line))


def parse_listeners(lines: list[str]) -> tuple[Listener, ...]:
    """`<pid> <unit> <process>` lines; a process outside any unit has two words."""
    found: list[Listener] = []
    for line in lines:
        words = line.split()
        if words and words[0].isdigit():
            unit = words[1] if len(words) > 2 else ""  # noqa: PLR2004 - pid, unit, process
            found.append(Listener(int(words[0]), unit, words[-1] if len(words) > 1 else ""))
    return tuple(found)


def number(text: str) -> int:
    """Leading digits as a number; 0 where there are none."""
    digits = ""
    for character in text.strip():
        if not character.isdigit():
            break
        digits += character
    return int(digits or 0)
