"""Which hosts an environment has: from a list or from EC2 tags, each with its instance id."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy import values
from deploy.aws.answers import Answer
from deploy.errors import BadInput, nearest
from deploy.settings.environment import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from deploy.aws.account import Account
    from deploy.settings.environment import Environment

SCALING_TAG = "aws:autoscaling:groupName"
"""Put on each instance that is launched by or attached to a group, removed when it is detached;
no other principal can write it (Auto Scaling user guide, "Tag Auto Scaling groups and
instances")."""

INSTANCES_IN_A_PAGE = 250
"""An answer must stay below the limit of bytes of `transport`."""


@dataclass(frozen=True, order=True)
class Host:
    """A machine that we reach by SSH; `name` is what people call it.

    address: where SSH goes, which may be public; private_address: the load balancer's view;
    scaling_group: the Auto Scaling group that it belongs to, if any.
    """

    name: str
    address: str
    instance_id: str
    zone: str = ""
    private_address: str = ""
    scaling_group: str = ""

    def __str__(self) -> str:
        return self.name


def find(
    environment: Environment, account: Account, resolve: Callable[[str], str]
) -> tuple[Host, ...]:
    """All hosts of the environment, by name.

    `resolve` turns a listed name into an address. Raises BadInput for a name without an
    instance, for tags that no running instance carries, and for hosts of an Auto Scaling group
    (which may be replaced at any moment) unless `auto_scaling: ignore`.
    """
    if isinstance(environment.hosts, Hosts):
        hosts = _tagged(environment, environment.hosts.tags, account)
    else:
        hosts = _listed(environment, environment.hosts, account, resolve)
    if environment.auto_scaling == "refuse":
        _refuse_auto_scaling(hosts)
    return hosts


def select(
    hosts: Sequence[Host], only: Iterable[str] = (), skip: Iterable[str] = ()
) -> tuple[Host, ...]:
    """The hosts that `--hosts` and `--skip-host` leave; a name that is none is refused."""
    names = [host.name for host in hosts]
    only, skip = tuple(only), tuple(skip)
    for name in (*only, *skip):
        if name not in names:
            hint = nearest(name, names) or f"; known: {', '.join(names)}"
            raise BadInput(f"no host {name!r} in this environment{hint}")
    chosen = tuple(h for h in hosts if (not only or h.name in only) and h.name not in skip)
    if not chosen:
        raise BadInput("--hosts and --skip-host leave no host to deploy to")
    return chosen


def _tagged(environment: Environment, tags: dict[str, str], account: Account) -> tuple[Host, ...]:
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    filters.append({"Name": "instance-state-name", "Values": ["running"]})
    which = environment.ssh.address
    found = [_tagged_host(item, which) for item in _instances(account, filters)]
    if not found:
        wanted = ", ".join(f"{key}={value}" for key, value in tags.items())
        raise BadInput(
            f"{environment.name}: no running EC2 instance in region {account.region} carries the "
            f"tags {wanted}; check `hosts: tags:` and the region under `aws:`"
        )
    names = [host.name for host in found]
    for name in names:
        if names.count(name) > 1:
            raise BadInput(
                f"{environment.name}: {names.count(name)} instances have the Name tag {name!r}; "
                "give each its own, so that messages are unambiguous"
            )
    return tuple(sorted(found))


def _listed(
    environment: Environment,
    names: Sequence[str],
    account: Account,
    resolve: Callable[[str], str],
) -> tuple[Host, ...]:
    if not names:
        raise BadInput(f"{environment.name}: hosts: is empty; list names, or give `tags:`")
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{environment.name}: hosts: {name!r} is listed twice")
    addresses = {name: resolve(name) for name in names}
    # A network may use public addresses inside, so that every one is looked for as private too.
    everywhere = set(addresses.values())
    by_address: dict[str, Answer] = {}
    for filter_name, wanted in (
        ("private-ip-address", everywhere),
        ("ip-address", {a for a in everywhere if ipaddress.ip_address(a).is_global}),
    ):
        if wanted:
            filters = [{"Name": filter_name, "Values": sorted(wanted)}]
            for item in _instances(account, filters):
                by_address[item.text("PrivateIpAddress", "")] = item
                by_address[item.text("PublicIpAddress", "")] = item
    missing = [name for name in names if addresses[name] not in by_address]
    if missing:
        listed = ", ".join(f"{name} ({addresses[name]})" for name in missing)
        raise BadInput(
            f"{environment.name}: no EC2 instance in region {account.region} has the address of "
            f"{listed}; check the name, the region and the account"
        )
    return tuple(_host(by_address[addresses[name]], name, addresses[name]) for name in names)


def _instances(account: Account, filters: list[dict[str, Any]]) -> list[Answer]:
    paging = {"PageSize": INSTANCES_IN_A_PAGE}
    reservations = account.items(
        "ec2", "describe_instances", "Reservations", Filters=filters, PaginationConfig=paging
    )
    return [
        instance
        for reservation in reservations
        for instance in Answer("DescribeInstances.Reservations", reservation).parts("Instances")
    ]


def _tagged_host(item: Answer, which: str) -> Host:
    address = item.text("PublicIpAddress" if which == "public" else "PrivateIpAddress", "")
    name = _tags(item).get("Name") or item.text("InstanceId")
    if not address:
        raise BadInput(f"{name} ({item.text('InstanceId')}) has no {which} address to connect to")
    return _host(item, name, address)


def _host(item: Answer, name: str, address: str) -> Host:
    instance_id = item.text("InstanceId")
    if values.instance_id(instance_id) is None:
        raise BadInput(f"EC2 gives an instance the id {instance_id!r}, which is none; check `aws:`")
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise BadInput(
            f"{instance_id}: EC2 gives the address {address!r}, which is none; check `aws:`"
        ) from error
    return Host(
        name,
        address,
        instance_id,
        item.part("Placement").text("AvailabilityZone", ""),
        item.text("PrivateIpAddress", ""),
        _tags(item).get(SCALING_TAG, ""),
    )


def _tags(item: Answer) -> dict[str, str]:
    return {t.text("Key"): t.text("Value", "") for t in item.parts("Tags", may_be_absent=True)}


def _refuse_auto_scaling(hosts: Sequence[Host]) -> None:
    for host in hosts:
        if host.scaling_group:
            raise BadInput(
                f"{host} belongs to the Auto Scaling group {host.scaling_group!r}, which may "
                "replace it in the middle of a deploy; suspend its processes and set "
                "`auto_scaling: ignore` to go on regardless"
            )
