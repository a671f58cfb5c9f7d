"""Which hosts an environment has: listed or by EC2 tags, each with its instance id."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import values
from deploy.aws import instances
from deploy.aws.typed_names import TypedNames
from deploy.errors import BadInput, nearest
from deploy.foreign_text import visible
from deploy.settings.environment import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from deploy.aws.api.account import Account
    from deploy.aws.instances import Instance
    from deploy.settings.environment import Environment

_ENDS_WITH_AN_ID = re.compile(r"(.*/)?i-[0-9a-f]+", re.DOTALL)


@dataclass(frozen=True, order=True)
class Host:
    """A machine that we reach by SSH; `name` is what people call it.

    address: where SSH goes, which may be public; private_address: the load balancer's view;
    scaling_group: the Auto Scaling group that it belongs to, if any; vpc: the id of its VPC;
    addresses: all that it has there, secondary ones and IPv6 ones too.
    """

    name: str
    address: str
    instance_id: str
    zone: str = ""
    private_address: str = ""
    scaling_group: str = ""
    vpc: str = ""
    addresses: frozenset[str] = frozenset()

    @property
    def target_ids(self) -> frozenset[str]:
        """The ids of the targets that we register: its instance, or its address."""
        return frozenset({self.instance_id, self.private_address or self.address})

    @property
    def reached_by(self) -> frozenset[str]:
        """The ids of all targets whose requests reach it: other groups may use any address."""
        return self.target_ids | self.addresses

    @property
    def typed(self) -> str:
        """What a command names it by: its id where its name has a comma, which parts names."""
        return self.instance_id if "," in self.name else self.name

    def __str__(self) -> str:
        return self.name


def find(
    environment: Environment,
    account: Account,
    resolve: Callable[[str], str],
    vpcs: Callable[[], Collection[str]] = tuple,
) -> tuple[Host, ...]:
    """All hosts of the environment, by name.

    `resolve` turns a listed name into an address; `vpcs` gives the VPCs of the target groups, to
    decide between instances of one address. Raises BadInput for a name without an instance, for
    tags that no running instance carries, and for hosts of an Auto Scaling group (which may be
    replaced at any moment) unless `auto_scaling: ignore`.
    """
    if isinstance(environment.hosts, Hosts):
        hosts = _tagged(environment, environment.hosts.tags, account)
    else:
        hosts = _listed(environment, environment.hosts, account, resolve, vpcs)
    if environment.auto_scaling == "refuse":
        _refuse_auto_scaling(hosts)
    return hosts


def select(
    hosts: Sequence[Host], only: Iterable[str] = (), skip: Iterable[str] = ()
) -> tuple[Host, ...]:
    """The hosts that `--hosts` and `--skip-host` leave; a name that is none is refused.

    only, skip: what was typed, split at its commas: names, which may hold some, or instance ids.
    """
    names = [host.name for host in hosts]
    typed = TypedNames((host.name, host.instance_id) for host in hosts)
    only, skip = typed.names(only), typed.names(skip)
    for name in (*only, *skip):
        if name not in names:
            hint = nearest(name, names) or f"; known: {', '.join(names)}"
            raise BadInput(f"no host {name!r} in this environment{hint}")
    chosen = tuple(h for h in hosts if (not only or h.name in only) and h.name not in skip)
    if not chosen:
        raise BadInput("--hosts and --skip-host leave no host to deploy to")
    return chosen


def _tagged(environment: Environment, tags: dict[str, str], account: Account) -> tuple[Host, ...]:
    found = instances.tagged(account, tags)
    if not found:
        wanted = ", ".join(f"{key}={value}" for key, value in tags.items())
        raise BadInput(
            f"{environment.name}: no running EC2 instance in region {account.region} carries the "
            f"tags {wanted}; check `hosts: tags:` and the region under `aws:`"
        )
    named = zip(found, _names(found), strict=True)
    return tuple(
        sorted(_host(each, name, _connected(environment, each, name)) for each, name in named)
    )


def _names(found: Sequence[Instance]) -> list[str]:
    """What instances are called: by the Name tag, and by the id too where that alone is unclear.

    All instances of an Auto Scaling group have one Name tag. One that ends with an id could be
    taken for another instance.
    """
    shown = ["".join(c if visible(c) == c else "_" for c in each.name.strip()) for each in found]
    count = Counter(shown)
    return [
        f"{name}/{each.id}"
        if name and name != each.id and (count[name] > 1 or _ENDS_WITH_AN_ID.fullmatch(name))
        else name or each.id
        for each, name in zip(found, shown, strict=True)
    ]


def _listed(
    environment: Environment,
    names: Sequence[str],
    account: Account,
    resolve: Callable[[str], str],
    vpcs: Callable[[], Collection[str]],
) -> tuple[Host, ...]:
    if not names:
        raise BadInput(f"{environment.name}: hosts: is empty; list names, or give `tags:`")
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{environment.name}: hosts: {name!r} is listed twice")
    ids = [name for name in names if values.instance_id(name)]
    found = _by_id(environment, ids, account) | _by_address(
        environment, [name for name in names if name not in ids], account, resolve, vpcs
    )
    hosts: dict[str, Host] = {}
    for name in names:
        instance, address = found[name]
        if instance.id in hosts:
            raise BadInput(
                f"{environment.name}: hosts: {hosts[instance.id]!s} and {name} are one instance, "
                f"{instance.id}; list it once"
            )
        hosts[instance.id] = _host(instance, name, address)
    return tuple(hosts.values())


def _by_id(
    environment: Environment, ids: Sequence[str], account: Account
) -> dict[str, tuple[Instance, str]]:
    """The instances that the settings list by their ids, each with the address to connect to."""
    found = instances.running(account, ids)
    if missing := [each for each in ids if each not in found]:
        raise BadInput(
            f"{environment.name}: hosts: no running EC2 instance in region {account.region} has "
            f"the id {', '.join(missing)}; check the id, the region and the account"
        )
    return {each: (found[each], _connected(environment, found[each], each)) for each in ids}


def _by_address(
    environment: Environment,
    names: Sequence[str],
    account: Account,
    resolve: Callable[[str], str],
    vpcs: Callable[[], Collection[str]],
) -> dict[str, tuple[Instance, str]]:
    """The instances at the addresses of listed names, each with that address."""
    addresses = {name: resolve(name) for name in names}
    by_address = instances.at(account, addresses.values())
    missing = [name for name in names if not by_address[addresses[name]]]
    if missing:
        listed = ", ".join(f"{name} ({addresses[name]})" for name in missing)
        raise BadInput(
            f"{environment.name}: no EC2 instance in region {account.region} has the address of "
            f"{listed}; check the name, the region and the account"
        )
    return {
        name: (_the_one(environment, name, by_address[address], vpcs), address)
        for name, address in addresses.items()
    }


def _connected(environment: Environment, instance: Instance, name: str) -> str:
    """Which of an instance's addresses is connected to; BadInput where it has none of the kind."""
    which = environment.ssh.address
    address = instance.public_address if which == "public" else instance.private_address
    if not address:
        raise BadInput(f"{name} ({instance.id}) has no {which} address to connect to")
    return address


def _the_one(
    environment: Environment,
    name: str,
    found: Sequence[Instance],
    vpcs: Callable[[], Collection[str]],
) -> Instance:
    """The instance that is meant, of several with one address: that in a target group's VPC."""
    if len(found) == 1:
        return found[0]
    near = vpcs()
    meant = [each for each in found if each.vpc in near]
    if len(meant) != 1:
        listed = ", ".join(f"{each.id} in {each.vpc or 'no VPC'}" for each in found)
        raise BadInput(
            f"{environment.name}: hosts: {name}: several EC2 instances have its address: {listed}; "
            f"the target groups are in {', '.join(sorted(near)) or 'no VPC'}, which does not "
            "decide; name hosts by tags (`hosts: tags:`)"
        )
    return meant[0]


def _host(instance: Instance, name: str, address: str) -> Host:
    return Host(
        name,
        address,
        instance.id,
        instance.zone,
        instance.private_address,
        instance.scaling_group,
        instance.vpc,
        instance.addresses,
    )


def _refuse_auto_scaling(hosts: Sequence[Host]) -> None:
    for host in hosts:
        if host.scaling_group:
            raise BadInput(
                f"{host} belongs to the Auto Scaling group {host.scaling_group!r}, which may "
                "replace it in the middle of a deploy; suspend its processes and set "
                "`auto_scaling: ignore` to go on regardless"
            )
