"""EC2 instances by tags, by addresses or by ids, from DescribeInstances."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy import values
from deploy.aws.api.answers import Answer
from deploy.errors import ApiError, BadInput, DeployError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.aws.api.account import Account

SCALING_TAG = "aws:autoscaling:groupName"
"""Put on each instance that is launched by or attached to a group, removed when it is detached;
no other principal can write it (Auto Scaling user guide, "Tag Auto Scaling groups and
instances")."""

RUNNING = "running"
ENDED = ("shutting-down", "terminated")
"""The states from which an instance never comes back (EC2 user guide, "Instance lifecycle")."""
INSTANCES_IN_A_PAGE = 250
"""An answer must stay below the limit of bytes of `transport`."""
MOST_VALUES = 200
"""Of one filter of DescribeInstances (EC2 API reference, "Request filtering")."""


@dataclass(frozen=True)
class Instance:
    """One EC2 instance.

    Attributes:
        id: Its id, `i-…`.
        name: What its Name tag says; empty where it has none.
        zone: Its availability zone.
        vpc: The id of its VPC.
        private_address: Its address within the VPC; empty where it has none.
        public_address: Its address outside; empty where it has none.
        addresses: All its addresses within the VPC: secondary ones and IPv6 ones too.
        scaling_group: The Auto Scaling group that it belongs to, if any.
        tags: All of its tags.
        state: Its state in EC2's own words, such as `running` or `stopped`.
    """

    id: str
    name: str = ""
    zone: str = ""
    vpc: str = ""
    private_address: str = ""
    public_address: str = ""
    addresses: frozenset[str] = frozenset()
    scaling_group: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    state: str = RUNNING

    def address_for(self, ssh_address: str, name: str) -> str:
        """Return the address that is connected to, as `ssh: address:` says.

        Raises BadInput where it has none of the kind; `name` is what the instance is called.
        """
        address = self.public_address if ssh_address == "public" else self.private_address
        if not address:
            raise BadInput(f"{name} ({self.id}) has no {ssh_address} address to connect to")
        return address


def tagged(
    account: Account, tags: Mapping[str, str], *, in_any_state: bool = False
) -> list[Instance]:
    """Return the running instances that carry all of these tags, by the literal values.

    in_any_state: those too that do not run.
    """
    filters = [
        {"Name": f"tag:{_literal(key)}", "Values": [_literal(value)]} for key, value in tags.items()
    ]
    if not in_any_state:
        filters.append({"Name": "instance-state-name", "Values": [RUNNING]})
    return [each for each in _described(account, filters) if tags.items() <= each.tags.items()]


def with_ids(account: Account, ids: Iterable[str]) -> dict[str, Instance]:
    """Return the instances of these ids, in any state, by id; one that is none is left out.

    Asked with a filter: a call with ids fails as a whole where EC2 does not know one.
    """
    return {
        each.id: each
        for chunk in chunks(sorted(ids), MOST_VALUES)
        for each in _described(account, [{"Name": "instance-id", "Values": chunk}])
    }


def named(account: Account, names: Iterable[str]) -> dict[str, list[Instance]]:
    """Return the instances of any state whose Name tag is one of these, by that name."""
    found: dict[str, list[Instance]] = {name: [] for name in names}
    for chunk in chunks(sorted(found), MOST_VALUES):
        values_ = [_literal(name) for name in chunk]
        for each in _described(account, [{"Name": "tag:Name", "Values": values_}]):
            if each.name in found:
                found[each.name].append(each)
    return found


def at(account: Account, addresses: Iterable[str]) -> dict[str, list[Instance]]:
    """Return the instances at these addresses, public or private, by address.

    Two of one private address are of two VPCs, or one of them is not running.
    """
    # A network may use public addresses inside, so that every one is looked for as private too.
    everywhere = set(addresses)
    outside = {each for each in everywhere if ipaddress.ip_address(each).is_global}
    found: dict[str, dict[str, Instance]] = {address: {} for address in everywhere}
    for filter_name, wanted in (("private-ip-address", everywhere), ("ip-address", outside)):
        for chunk in chunks(sorted(wanted), MOST_VALUES):
            for each in _described(account, [{"Name": filter_name, "Values": chunk}]):
                for address in {each.private_address, each.public_address} & everywhere:
                    found[address][each.id] = each
    return {address: [*by_id.values()] for address, by_id in found.items()}


def ended(account: Account, instance_id: str) -> str:
    """Return the state of an instance that never comes back, as EC2 names it; empty where it may.

    EC2 forgets a terminated instance after about an hour.
    """
    try:
        answer = account.call("ec2", "describe_instances", InstanceIds=[instance_id])
    except ApiError as error:
        if error.code == "InvalidInstanceID.NotFound":
            return ENDED[-1]
        raise
    for reservation in Answer("DescribeInstances", answer).parts("Reservations"):
        for item in reservation.parts("Instances"):
            state = item.part("State").text("Name", "")
            return state if state in ENDED else ""
    return ENDED[-1]


def has_ended(account: Account, instance_id: str) -> bool:
    """Whether an instance never comes back; not, where EC2 does not say."""
    try:
        return bool(ended(account, instance_id))
    except DeployError:
        return False


def _literal(text: str) -> str:
    r"""A filter's value that means itself: `*`, `?` and `\` are wildcards without a backslash."""
    return re.sub(r"[*?\\]", r"\\\g<0>", text)


def chunks(wanted: list[str], most: int) -> Iterator[list[str]]:
    """Cut a list into parts of at most so many."""
    for start in range(0, len(wanted), most):
        yield wanted[start : start + most]


def _described(account: Account, filters: list[dict[str, Any]]) -> list[Instance]:
    paging = {"PageSize": INSTANCES_IN_A_PAGE}
    reservations = account.items(
        "ec2", "describe_instances", "Reservations", Filters=filters, PaginationConfig=paging
    )
    return [
        _instance(each)
        for reservation in reservations
        for each in Answer("DescribeInstances.Reservations", reservation).parts("Instances")
    ]


def _instance(item: Answer) -> Instance:
    instance_id = item.text("InstanceId")
    if values.instance_id(instance_id) is None:
        raise BadInput(f"EC2 gives an instance the id {instance_id!r}, which is none; check `aws:`")
    tags = {t.text("Key"): t.text("Value", "") for t in item.parts("Tags", may_be_absent=True)}
    return Instance(
        instance_id,
        tags.get("Name", ""),
        item.part("Placement").text("AvailabilityZone", ""),
        item.text("VpcId", ""),
        _address(instance_id, item.text("PrivateIpAddress", "")),
        _address(instance_id, item.text("PublicIpAddress", "")),
        _addresses(instance_id, item),
        tags.get(SCALING_TAG, ""),
        tags,
        item.part("State").text("Name", ""),
    )


def _addresses(instance_id: str, item: Answer) -> frozenset[str]:
    """The addresses of all its network interfaces."""
    found = [
        each.text(key, "")
        for interface in item.parts("NetworkInterfaces", may_be_absent=True)
        for listed, key in (
            ("PrivateIpAddresses", "PrivateIpAddress"),
            ("Ipv6Addresses", "Ipv6Address"),
        )
        for each in interface.parts(listed, may_be_absent=True)
    ]
    return frozenset(_address(instance_id, text) for text in found if text)


def _address(instance_id: str, text: str) -> str:
    """An address as EC2 gives it; empty for none."""
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError as error:
        raise BadInput(
            f"{instance_id}: EC2 gives the address {text!r}, which is none; check `aws:`"
        ) from error
