"""What a command works with: settings, account, hosts and connections, opened and closed as one."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.aws import group_settings, instances, inventory
from deploy.aws.api.account import Account
from deploy.aws.health_poller import HealthPoller
from deploy.aws.members import Members
from deploy.aws.registrar import Registrar
from deploy.aws.target_groups import Balancer
from deploy.cli import scaling, vetting
from deploy.clock import CLOCK
from deploy.errors import BadInput, Unreachable
from deploy.hosts import records
from deploy.hosts.lock.holder import Holder
from deploy.hosts.lock.lease import Lease
from deploy.hosts.ssh import connect, fabric_keys, remote
from deploy.hosts.ssh.remote import MOST_AT_ONCE
from deploy.plan import assembly, candidate, preflight
from deploy.steps.fleet import Fleet
from deploy.survey import gather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from deploy.aws.api.lifetime import Lifetime
    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.ssh.remote import Remote
    from deploy.plan.candidate import Opened
    from deploy.plan.exclusion import Problems
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey


class Session:
    """One environment, verified and connected: credentials, groups and hosts are known good.

    scope: what the command was asked for; run: the command's id, for the records that it leaves;
    hosts, remotes: those that were asked for; everyone: a connection to each of the
    environment's hosts, which its lock needs. Opening raises BadInput for whatever is wrong,
    before anything is changed.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        only: Iterable[str] = (),
        skip: Iterable[str] = (),
        scope: Scope,
    ) -> None:
        self.environment = environment
        self.scope = scope
        self.run = records.new_run()
        self._only, self._skip = tuple(only), tuple(skip)
        self._stack = ExitStack()
        self.hosts: tuple[Host, ...] = ()
        self.groups: dict[str, tuple[TargetGroup, ...]] = {}
        self.remotes: dict[str, Remote] = {}
        self.everyone: dict[str, Remote] = {}
        self._zones: dict[tuple[str, str], str] = {}
        self._poller: HealthPoller | None = None
        self._held: Lease | None = None

    def __enter__(self) -> Self:
        environment = self.environment
        fabric_keys.check(environment)
        connect.read_key_files(environment)
        account = self._account = Account(environment)
        self.balancer = Balancer(account)
        account.log_in()  # a code is asked for here, while nothing else runs
        with ThreadPoolExecutor(max_workers=4) as pool:
            caller = pool.submit(account.verify)
            groups = {
                app.name: [pool.submit(self.balancer.group, name) for name in app.group_names]
                for app in environment.apps
            }
            resolve = partial(connect.resolve, environment)
            vpcs = partial(_vpcs, groups)
            find = pool.submit(inventory.find, environment, account, resolve, vpcs)
            self.caller = caller.result()  # what is wrong with the credentials is reported first
            found_groups = {
                app.name: dict(zip(app.group_names, (each.result() for each in own), strict=True))
                for app, own in zip(environment.apps, groups.values(), strict=True)
            }
            self.groups = group_settings.distinct(environment.apps, found_groups)
            group_settings.refuse_expect(environment.apps, self.groups)
            found = find.result()
        self._resting, self._notes = scaling.resting(account, found)
        chosen = inventory.select(found, self._only, self._skip)
        self.hosts = tuple(host for host in chosen if host not in self._resting)
        if not self.hosts:
            raise BadInput(f"{environment.name}: none of these hosts is in service", *self._notes)
        found = tuple(host for host in found if host not in self._resting)
        self._stack.callback(self._disconnect)
        connect.ask_ahead(environment, found)
        self.everyone |= {host.name: remote.Remote(host, environment) for host in found}
        self.remotes = {host.name: self.everyone[host.name] for host in self.hosts}
        made = tempfile.TemporaryDirectory(prefix="changeover-", ignore_cleanup_errors=True)
        self.workspace = Path(self._stack.enter_context(made))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _greet(self) -> None:
        """Begin to connect to all hosts; a host's first command waits for that host alone."""
        pool = self._stack.enter_context(ThreadPoolExecutor(max_workers=MOST_AT_ONCE))
        for connection in self.everyone.values():
            pool.submit(connection.greet)

    def _disconnect(self) -> None:
        """All at once: behind a proxy, the end of one takes paramiko a tenth of a second."""
        with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
            for connection in self.everyone.values():
                pool.submit(connection.close)

    @contextmanager
    def lease(self, what: str, wait_seconds: float, tell: Callable[[str], None]) -> Iterator[Lease]:
        """Hold the environment's lock; it guards every change of hosts and groups meanwhile.

        Raises Locked when another deploy holds it for longer than `wait_seconds`.
        """
        self._greet()  # the lock asks one host first, and then all others
        holder = Holder.of_this_process(records.author(), what, self.environment.lock_ttl_seconds)
        with Lease(self.scope, self.everyone, holder, has_ended=self._has_ended) as held:
            try:
                held.take(wait_seconds, tell)
            except Unreachable:
                unread = self.survey().unreachable
                if unread:  # which says of each host what is wrong with it
                    lines = [line for why in unread.values() for line in why.split("\n")]
                    raise BadInput(*lines) from None
                raise
            for each in self.remotes.values():
                each.guard = held
            self._account.confirm = held.confirm
            self._held = held
            yield held

    def _has_ended(self, name: str) -> bool:
        return instances.has_ended(self._account, self.everyone[name].host.instance_id)

    def survey(self, *, settled: bool = False) -> Survey:
        """Look at every host and group; settled: once no command of a deploy runs there.

        Hosts that cannot be read are named in it.
        """
        found = gather.gather(
            self.environment, self.remotes, self.balancer, self.groups, settled=settled
        )
        others = (each.host for name, each in self.everyone.items() if name not in self.remotes)
        found = replace(found, other_hosts=tuple(others), resting=self._resting, notes=self._notes)
        self._zones |= found.zones
        if self._held and settled:
            self._held.widen()  # who answers now may not have when the lock was taken
        return found

    def look(self, wanted: str | None, *, settled: bool) -> tuple[Survey, tuple[Opened, ...]]:
        """Hosts, groups and packages, all at once; `wanted` as `--package` gives it."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            reading = pool.submit(self._open_packages, wanted)
            seen = self.survey(settled=settled)
            return seen, reading.result()

    def _open_packages(self, wanted: str | None) -> tuple[Opened, ...]:
        apps = self.environment.asked_apps
        if wanted is not None and len(apps) > 1:
            names = ", ".join(app.name for app in apps)
            raise BadInput(f"--package is for one app: say which with --app ({names})")
        found: list[Opened] = []
        for app in apps:
            path = candidate.choose(self.environment, app, wanted)
            found.append(candidate.prepare(self.environment, app, path, self.workspace))
        return tuple(found)

    def plan(
        self,
        seen: Survey,
        opened: tuple[Opened, ...],
        *,
        is_default: bool,
        allow_downtime: bool = False,
        join: bool = False,
    ) -> Plan:
        """From a survey and packages to a plan; BadInput for what cannot go well.

        is_default: whether the packages were chosen by default; join: see `vetted`.
        """
        seen, problems = self.vetted(seen, join=join)
        fit = preflight.check(
            self.environment, seen, opened, self.scope, problems, is_default=is_default
        )
        offered = tuple(candidate.offer(self.environment, each, fit) for each in opened)
        return assembly.make(self.environment, offered, fit, allow_downtime=allow_downtime)

    def vetted(self, seen: Survey, *, join: bool) -> tuple[Survey, Problems]:
        """What speaks against taking hosts out; see `vetting`."""
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
            tick_seconds = self.environment.poll_seconds
            groups = {group.arn: group for each in self.groups.values() for group in each}
            poller = HealthPoller(self.balancer, groups.values(), tick_seconds)
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


def _vpcs(groups: Mapping[str, Sequence[Future[TargetGroup]]]) -> frozenset[str]:
    """The VPCs of the target groups, once they are known."""
    return frozenset(group.result().vpc for each in groups.values() for group in each)
