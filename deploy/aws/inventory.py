"""The hosts of an environment, listed or found by EC2 tags, each with its instance id."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from deploy.aws import instances, listed
from deploy.aws.instances import RUNNING
from deploy.aws.typed_names import TypedNames
from deploy.errors import BadInput, nearest
from deploy.folding import DETAIL, folded
from deploy.foreign_text import visible
from deploy.settings.environment import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from deploy.aws.api.account import Account
    from deploy.aws.instances import Instance
    from deploy.settings.environment import Environment

MOST_NAMED = 5
"""How many instances that do not run a message names."""
_ENDS_WITH_AN_ID = re.compile(r"(.*/)?i-[0-9a-f]+", re.DOTALL)


@dataclass(frozen=True, order=True)
class Host:
    """A machine that we reach by SSH.

    Attributes:
        name: What people call it, and what the settings list or the Name tag has.
        address: Where SSH goes, which may be public.
        instance_id: The EC2 instance; empty for a listed machine for which none was found.
        zone: Its availability zone.
        private_address: The address by which load balancers know it.
        scaling_group: The Auto Scaling group that it belongs to; empty for none.
        vpc: The id of its VPC.
        addresses: All its addresses there, secondary ones and IPv6 ones too.
        state: The instance's state, in EC2's own words.
    """

    name: str
    address: str
    instance_id: str
    zone: str = ""
    private_address: str = ""
    scaling_group: str = ""
    vpc: str = ""
    addresses: frozenset[str] = frozenset()
    state: str = RUNNING

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
        """The name that a command takes for it: its id if its name has a comma."""
        return self.instance_id if "," in self.name else self.name

    def __str__(self) -> str:
        return self.name


class Found(NamedTuple):
    """The machines of an environment, and what is wrong with those that are no hosts.

    Attributes:
        hosts: The hosts, by name.
        problems: By the name of a listed machine, why it is none; it begins with that name.
        places: The addresses of listed machines that are no hosts, by name, where they are known.
    """

    hosts: tuple[Host, ...]
    problems: dict[str, str]
    places: dict[str, str]


def find(
    environment: Environment,
    account: Account,
    resolve: Callable[[str], str],
    vpcs: Callable[[], Collection[str]] = tuple,
) -> tuple[Host, ...]:
    """All hosts of the environment, by name.

    Args:
        environment: Its settings.
        account: Where EC2 is asked.
        resolve: Turns a listed name into an address.
        vpcs: Gives the VPCs of the target groups, to decide between instances of one address.

    Raises:
        BadInput: A listed name has no instance, no running instance carries the tags, or a host
            is in an Auto Scaling group (which may replace it at any moment) and
            `auto_scaling:` is `refuse`.
    """
    found = look(environment, account, resolve, vpcs)
    if found.problems:
        raise BadInput(*folded({name: (why,) for name, why in found.problems.items()}))
    return found.hosts


def look(
    environment: Environment,
    account: Account,
    resolve: Callable[[str], str],
    vpcs: Callable[[], Collection[str]] = tuple,
) -> Found:
    """Find the hosts as `find` does, with what is wrong with single listed machines as data.

    Raises:
        BadInput: Something is wrong with all of them, or with the settings.
    """
    if isinstance(environment.hosts, Hosts):
        found = Found(_tagged(environment, environment.hosts.tags, account), {}, {})
    else:
        named, problems, places = listed.find(environment, account, resolve, vpcs)
        hosts = tuple(_host(each, name, address) for name, (each, address) in named.items())
        found = Found(hosts, problems, places)
    if environment.auto_scaling == "refuse":
        _refuse_auto_scaling(found.hosts)
    return found


def select(
    hosts: Sequence[Host], only: Iterable[str] = (), skip: Iterable[str] = ()
) -> tuple[Host, ...]:
    """The hosts that `--hosts` and `--skip-host` leave.

    Args:
        hosts: Those of the environment.
        only: What `--hosts` names, split at its commas; a name may hold commas itself, so parts of
            one count together. Empty for all hosts.
        skip: What `--skip-host` names, likewise.

    Raises:
        BadInput: A name is no host's and no instance id, can be read in two ways, or none is left.
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
        others = instances.tagged(account, tags, in_any_state=True)
        there = [f"{DETAIL}{listed.described(each)} carries them" for each in others[:MOST_NAMED]]
        raise BadInput(
            f"{environment.name}: no running EC2 instance in region {account.region} carries the "
            f"tags {wanted}; check `hosts: tags:` and the region under `aws:`",
            *there,
        )
    which = environment.ssh.address
    named = zip(found, _names(found), strict=True)
    return tuple(sorted(_host(each, name, each.address_for(which, name)) for each, name in named))


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
        instance.state,
    )


def _refuse_auto_scaling(hosts: Sequence[Host]) -> None:
    problems = {
        host.name: (
            f"{host} belongs to the Auto Scaling group {host.scaling_group!r}, which may "
            "replace it in the middle of a deploy; suspend its processes and set "
            "`auto_scaling: ignore` to go on regardless",
        )
        for host in hosts
        if host.scaling_group
    }
    if problems:
        raise BadInput(*folded(problems))
