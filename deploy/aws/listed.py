"""The instances behind the hosts that the settings list, found by address or by id."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from deploy import values
from deploy.aws import instances
from deploy.aws.instances import RUNNING
from deploy.errors import BadInput
from deploy.folding import DETAIL
from deploy.foreign_text import visible
from deploy.settings.environment import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from deploy.aws.api.account import Account
    from deploy.aws.instances import Instance
    from deploy.settings.environment import Environment


class Listed(NamedTuple):
    """The instances and problems that were found for a list of names.

    Attributes:
        named: Each name's instance, with the address that the name stands for.
        problems: By name, why there is no instance; it begins with the name.
        places: The addresses of those names, where they are known.
    """

    named: dict[str, tuple[Instance, str]]
    problems: dict[str, str]
    places: dict[str, str]


def addresses(
    environment: Environment, resolve: Callable[[str], str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Each listed name's address, and the problems of names that have none; no call of AWS.

    An instance id has an address that AWS alone knows, and is in neither. Raises BadInput for a
    list that is empty or has a name twice.
    """
    names = _names(environment)
    if not names:
        raise BadInput(f"{environment.name}: hosts: is empty; list names, or give `tags:`")
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{environment.name}: hosts: {name!r} is listed twice")
    found: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in names:
        if values.instance_id(name):
            continue
        try:
            found[name] = resolve(name)
        except BadInput as error:
            problems[name] = str(error)
    return found, problems


def find(
    environment: Environment,
    account: Account,
    resolve: Callable[[str], str],
    vpcs: Callable[[], Collection[str]],
) -> Listed:
    """Find the instance of each listed name, by its address, and of each listed id.

    resolve: turns a name into an address; vpcs: the VPCs of the target groups, which decide
    between instances of one address. Raises BadInput for what is wrong with the list itself.
    """
    places, problems = addresses(environment, resolve)
    by_address = instances.at(account, places.values())
    missing = [name for name, address in places.items() if not by_address[address]]
    by_id, useless = _by_id(environment, account)
    problems |= _missing(missing, places, account) | useless
    seen = {name: (by_address[address], address) for name, address in places.items()} | by_id
    named: dict[str, tuple[Instance, str]] = {}
    taken: dict[str, str] = {}
    for name in _names(environment):
        found, address = seen.get(name, ([], ""))
        meant = found if len(found) == 1 else [each for each in found if each.vpc in vpcs()]
        if not found:
            continue
        if len(meant) != 1:
            problems[name] = _unclear(environment, name, found, vpcs())
        elif meant[0].id in taken:
            problems[name] = (
                f"{environment.name}: hosts: {taken[meant[0].id]} and {name} are one instance, "
                f"{meant[0].id}; list it once"
            )
        else:
            taken[meant[0].id] = name
            named[name] = meant[0], address
    left = {name: address for name, address in places.items() if name not in named}
    return Listed(named, problems, left)


def _names(environment: Environment) -> Sequence[str]:
    return () if isinstance(environment.hosts, Hosts) else environment.hosts


def _by_id(
    environment: Environment, account: Account
) -> tuple[dict[str, tuple[list[Instance], str]], dict[str, str]]:
    """The running instances that are listed by their ids, each with the address to connect to.

    And by id, why others are of no use.
    """
    ids = [name for name in _names(environment) if values.instance_id(name)]
    there = instances.with_ids(account, ids)
    found: dict[str, tuple[list[Instance], str]] = {}
    problems: dict[str, str] = {}
    for each in ids:
        instance = there.get(each)
        if instance is None or instance.state != RUNNING:
            lines = [
                f"{each}: no running EC2 instance in region {account.region} has this id; check "
                "the id, the region and the account",
                *([f"{DETAIL}there is {described(instance)}"] if instance else []),
            ]
            problems[each] = "\n".join(lines)
            continue
        try:
            found[each] = [instance], instance.address_for(environment.ssh.address, each)
        except BadInput as error:
            problems[each] = str(error)
    return found, problems


def described(instance: Instance) -> str:
    """An instance in a few words: `i-0abc (stopped, 10.0.0.1 in vpc-a)`."""
    address = instance.private_address or instance.public_address
    where = f"{address or 'no address'} in {instance.vpc or 'no VPC'}"
    return f"{instance.id} ({visible(instance.state) or 'in an unknown state'}, {where})"


def _missing(names: Sequence[str], places: Mapping[str, str], account: Account) -> dict[str, str]:
    """Why there is no instance at an address, with what there is of that name.

    A terminated instance has no address any more, so that its Name tag alone finds it.
    """
    if not names:
        return {}
    namesakes = instances.named(account, names)
    return {
        name: "\n".join(
            (
                f"{name}: no EC2 instance in region {account.region} has its address; check the "
                "name, the region and the account",
                f"{DETAIL}{name} has the address {places[name]}",
                *(
                    f"{DETAIL}an instance named {visible(name)} is {described(each)}"
                    for each in namesakes[name]
                ),
            )
        )
        for name in names
    }


def _unclear(
    environment: Environment, name: str, found: Sequence[Instance], near: Collection[str]
) -> str:
    return (
        f"{environment.name}: hosts: {name}: several EC2 instances have its address: "
        f"{', '.join(described(each) for each in found)}; the target groups are in "
        f"{', '.join(sorted(near)) or 'no VPC'}, which does not decide; name hosts by tags "
        "(`hosts: tags:`)"
    )
