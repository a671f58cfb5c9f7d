"""What a command works with: account, hosts and connections, opened and closed as one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.aws import instances, inventory
from deploy.aws.health_poller import HealthPoller
from deploy.aws.members import Members
from deploy.aws.registrar import Registrar
from deploy.aws.target_groups import Balancer
from deploy.checkup import aws, hosts_and_packages, machines, packages
from deploy.checkup.refusals import Refusals, one_each
from deploy.clock import CLOCK
from deploy.crew import MOST_HOSTS_AT_ONCE
from deploy.errors import BadInput, Unreachable
from deploy.hosts import records
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.lease import Lease
from deploy.hosts.lock.witness import Witness
from deploy.hosts.route.routes import Routes
from deploy.hosts.ssh import connect, remote
from deploy.plan import assembly, candidate, preflight
from deploy.plan.exclusion import Problems
from deploy.session import scaling, scratch, vetting
from deploy.steps.fleet import Fleet
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deploy.aws.api.lifetime import Lifetime
    from deploy.aws.inventory import Found, Host
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.ssh.remote import Remote
    from deploy.plan.candidate import OpenedPackage
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey


class Session:
    """One environment, verified and connected: credentials, groups and hosts are known good.

    scope: what the command was asked for; run: the command's id, for the records that it leaves;
    hosts, remotes: those that were asked for; everyone: a connection to each of the
    environment's hosts, which its lock needs; found: them, and the listed machines that are none.
    Opening raises BadInput for all that is wrong, in one list, before anything is changed. beside:
    what is looked at too where something is wrong already, for the same list; is_partial: whether
    machines that are no hosts are left to the survey, or to the caller, in place of an error.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        only: Iterable[str] = (),
        skip: Iterable[str] = (),
        scope: Scope,
        beside: Callable[[Session], object] = lambda _: None,
        is_partial: bool = False,
    ) -> None:
        self.environment = environment
        self.scope = scope
        self.run = records.new_run()
        self._only, self._skip = tuple(only), tuple(skip)
        self._beside, self._is_partial = beside, is_partial
        self._stack = ExitStack()
        self.hosts: tuple[Host, ...] = ()
        self.groups: dict[str, tuple[TargetGroup, ...]] = {}
        self.remotes: dict[str, Remote] = {}
        self.everyone: dict[str, Remote] = {}
        self._zones: dict[tuple[str, str], str] = {}
        self._resting: dict[Host, str] = {}
        self._notes: tuple[str, ...] = ()
        self._poller: HealthPoller | None = None
        self._held: Lease | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _open(self) -> None:
        """Look at everything that can be wrong before the first error is raised."""
        self.workspace = Path(self._stack.enter_context(scratch.folder()))
        refusals = Refusals()
        in_aws = aws.look(self.environment, refusals)
        account, self.caller, self.groups, found, can_connect = in_aws
        if account:
            self._account, self.balancer = account, Balancer(account)
        self.found = found
        if not self._is_partial:
            refusals.of_hosts(one_each(found.problems))
        if can_connect:
            with refusals.noted():
                self._choose(found)
        if refusals:
            known = [each.host for each in self.everyone.values()] or found.hosts
            hosts = (*known, *machines.at(found.places)) if can_connect else ()
            machines.refuse_all(self.environment, hosts, refusals, partial(self._beside, self))

    def _choose(self, found: Found) -> None:
        """Connect, not yet openly, to the hosts that are in service."""
        if not found.hosts:
            return
        self._resting, self._notes = scaling.resting(self._account, found.hosts)
        chosen = inventory.select(found.hosts, self._only, self._skip)
        self.hosts = tuple(host for host in chosen if host not in self._resting)
        if not self.hosts:
            where = self.environment.name
            raise BadInput(f"{where}: none of these hosts is in service", *self._notes)
        routes = self._stack.enter_context(closing(Routes()))
        self._stack.callback(self._disconnect)
        awake = [host for host in found.hosts if host not in self._resting]
        connect.ask_ahead(self.environment, awake)
        self.everyone = {host.name: remote.Remote(host, self.environment, routes) for host in awake}
        self.remotes = {host.name: self.everyone[host.name] for host in self.hosts}

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _greet(self) -> None:
        """Begin to connect to all hosts; a host's first command waits for that host alone."""
        pool = self._stack.enter_context(ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE))
        for connection in self.everyone.values():
            pool.submit(connection.greet)

    def _disconnect(self) -> None:
        """All at once: behind a proxy, the end of one takes paramiko a tenth of a second."""
        with ThreadPoolExecutor(max_workers=MOST_HOSTS_AT_ONCE) as pool:
            for connection in self.everyone.values():
                pool.submit(connection.close)

    @contextmanager
    def lease(self, what: str, wait_seconds: float, tell: Callable[[str], None]) -> Iterator[Lease]:
        """Hold the environment's lock; Locked where another deploy holds it for longer."""
        self._greet()  # the lock asks one host first, and then all others
        holder = Holder.of_this_process(records.author(), what, self.environment.lock_ttl_seconds)
        with Lease(self.scope, self.everyone, holder, CLOCK, self._has_ended, Witness()) as held:
            try:
                held.take(wait_seconds, tell)
            except Unreachable:
                seen, beside = self.survey(), partial(self._beside, self)
                hosts_and_packages.refuse_unread(self.environment, seen, self.scope.verb, beside)
                raise
            for each in self.remotes.values():
                each.guard = held
            self._account.confirm = held.confirm
            self._held = held
            yield held

    def _has_ended(self, name: str) -> bool:
        return instances.has_ended(self._account, self.everyone[name].host.instance_id)

    def survey(self, *, settled: bool = False, for_plan: bool = True) -> Survey:
        """Look at every host and group.

        settled: once no command of a deploy runs there; for_plan: see `gather.look`.
        """
        parts = (self.environment, self.remotes, self.balancer, self.groups)
        found = gather.gather(*parts, settled=settled, for_plan=for_plan)
        others = (each.host for name, each in self.everyone.items() if name not in self.remotes)
        notes = (*self._notes, *found.notes)
        found = replace(found, other_hosts=tuple(others), resting=self._resting, notes=notes)
        if self.found.problems:
            wrong = machines.misplaced(self.environment, self.found)
            found = replace(found, unreachable=found.unreachable | wrong)
        self._zones |= found.zones
        if self._held and settled:
            self._held.widen()  # who answers now may not have when the lock was taken
        return found

    def look(
        self, wanted: str | None, *, settled: bool
    ) -> tuple[Survey, tuple[OpenedPackage, ...]]:
        """Hosts, groups and packages, all at once; `wanted` as `--package` gives it."""
        survey = partial(self.survey, settled=settled)
        read = partial(packages.opened, self.environment, wanted, self.workspace)
        return hosts_and_packages.with_survey(self.environment, survey, read)

    def plan(
        self,
        seen: Survey,
        opened: tuple[OpenedPackage, ...],
        *,
        is_default: bool,
        allow_downtime: bool = False,
        join: bool = False,
    ) -> Plan:
        """From a survey and packages to a plan; BadInput for what cannot go well.

        is_default: whether the packages were chosen by default; join: see `vetted`.
        """
        refusals, problems = Refusals(), Problems()
        with refusals.noted():
            seen, problems = self.vetted(seen, join=join)
            problems = vetting.with_programs(problems, opened, self.remotes, seen)
        hosts_and_packages.refuse(self.environment, seen, refusals)
        fit = preflight.check(
            self.environment, seen, opened, self.scope, problems, is_default=is_default
        )
        offered = tuple(candidate.offer(self.environment, each, fit) for each in opened)
        return assembly.make(self.environment, offered, fit, allow_downtime=allow_downtime)

    def vetted(self, seen: Survey, *, join: bool) -> tuple[Survey, Problems]:
        """Return the reasons against taking hosts out; see `vetting`."""
        return vetting.vetted(seen, self.environment, self._account, self.remotes, join=join)

    @property
    def credentials(self) -> Lifetime:
        """How long the AWS credentials last."""
        return self._account.lifetime

    @property
    def seconds_left(self) -> float | None:
        """How long the AWS credentials last, where nothing renews them without a person."""
        return self.credentials.seconds_left(datetime.now(UTC))

    def fleet(self) -> Fleet:
        """The seams for an execution; its poller polls until the session ends."""
        if self._poller is None:
            groups = {group.arn: group for each in self.groups.values() for group in each}
            poller = HealthPoller(self.balancer, groups.values(), self.environment.poll_seconds)
            self._poller = self._stack.enter_context(poller)
        left, members = self.seconds_left, Members(self._account, self.hosts)
        return Fleet(
            remotes=self.remotes,
            groups=self.groups,
            zones=self._zones,
            registrar=Registrar(self.balancer),
            poller=self._poller,
            propagation_seconds=self.environment.propagation_seconds,
            ignore_peers=self.environment.ignored_networks,
            credentials_end=None if left is None else CLOCK.monotonic() + left,
            author=records.author(),
            run=self.run,
            ended=members.ended,
            withheld=members.withheld,
        )
