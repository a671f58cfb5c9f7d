"""Hosts from a list or from tags, each with the instance id that nobody types."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.aws import inventory
from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.aws.account import Account
    from deploy.aws.inventory import Host


class PaperAccount:
    """Instances and scaling groups on paper, asked with EC2's own filters."""

    region = "eu-west-1"

    def __init__(self) -> None:
        self.instances: list[dict[str, Any]] = []

    def items(
        self, service: str, operation: str, key: str, **arguments: Any
    ) -> Iterator[dict[str, Any]]:
        assert (service, operation, key) == ("ec2", "describe_instances", "Reservations")
        for one in self.instances:
            if all(self._value(one, f["Name"]) in f["Values"] for f in arguments["Filters"]):
                yield {"Instances": [one]}

    @staticmethod
    def _value(one: dict[str, Any], name: str) -> str:
        tags = {f"tag:{tag['Key']}": tag["Value"] for tag in one["Tags"]}
        own = {
            "instance-state-name": one["State"]["Name"],
            "private-ip-address": one["PrivateIpAddress"],
            "ip-address": one.get("PublicIpAddress", ""),
        }
        return str((own | tags).get(name, ""))

    def launch(self, name: str | None, state: str = "running", **tags: str) -> dict[str, Any]:
        """An instance as EC2 describes it."""
        number = len(self.instances) + 1
        given = tags | ({"Name": name} if name else {})
        one = {
            "InstanceId": f"i-{number:017x}",
            "PrivateIpAddress": f"10.0.0.{number}",
            "PublicIpAddress": f"54.0.0.{number}",
            "State": {"Name": state},
            "Placement": {"AvailabilityZone": "eu-west-1a"},
            "Tags": [{"Key": key, "Value": value} for key, value in given.items()],
        }
        self.instances.append(one)
        return one


@pytest.fixture
def account() -> PaperAccount:
    return PaperAccount()


def found(
    account: PaperAccount, hosts: Any, addresses: dict[str, str] | None = None, **settings: Any
) -> tuple[Host, ...]:
    own = builders.environment(hosts=hosts, **settings)
    return inventory.find(own, cast("Account", account), lambda name: (addresses or {})[name])


TAGGED = {"tags": {"Environment": "lab", "Role": "web"}}


def test_tags_find_the_running_instances_that_carry_all_of_them(account: PaperAccount) -> None:
    two = account.launch("two", Environment="lab", Role="web")
    one = account.launch("one", Environment="lab", Role="web")
    account.launch("other", Environment="lab")
    account.launch("gone", "stopped", Environment="lab", Role="web")
    hosts = found(account, TAGGED)
    assert [host.name for host in hosts] == ["one", "two"]
    assert [host.instance_id for host in hosts] == [one["InstanceId"], two["InstanceId"]]
    assert hosts[0].address == one["PrivateIpAddress"]
    assert hosts[0].zone == one["Placement"]["AvailabilityZone"]


def test_the_public_address_is_taken_where_the_settings_say_so(account: PaperAccount) -> None:
    one = account.launch("one", Environment="lab", Role="web")
    hosts = found(account, TAGGED, ssh={"address": "public"})
    assert hosts[0].address == one["PublicIpAddress"]


def test_an_instance_without_a_name_goes_by_its_id(account: PaperAccount) -> None:
    one = account.launch(None, Environment="lab", Role="web")
    assert found(account, TAGGED)[0].name == one["InstanceId"]


def test_tags_that_nothing_carries_are_named_with_the_region(account: PaperAccount) -> None:
    with pytest.raises(BadInput) as refused:
        found(account, TAGGED)
    assert str(refused.value) == (
        "lab: no running EC2 instance in region eu-west-1 carries the tags Environment=lab, "
        "Role=web; check `hosts: tags:` and the region under `aws:`"
    )


def test_two_instances_of_one_name_are_refused(account: PaperAccount) -> None:
    for _ in range(2):
        account.launch("one", Environment="lab", Role="web")
    with pytest.raises(BadInput, match="2 instances have the Name tag 'one'"):
        found(account, TAGGED)


def test_listed_names_get_their_instance_by_address(
    account: PaperAccount,
) -> None:
    one, two = account.launch("a"), account.launch("b")
    addresses = {"web-2": two["PublicIpAddress"], "web-1": one["PrivateIpAddress"]}
    assert not ipaddress.ip_address(two["PublicIpAddress"]).is_private
    hosts = found(account, ["web-2", "web-1"], addresses)
    assert [(host.name, host.instance_id) for host in hosts] == [
        ("web-2", two["InstanceId"]),
        ("web-1", one["InstanceId"]),
    ]


@pytest.mark.parametrize("address", ["100.64.1.2", "54.1.2.3"], ids=["carrier-grade", "public"])
def test_a_vpc_may_use_any_addresses_inside(account: PaperAccount, address: str) -> None:
    one = account.launch("a")
    one["PrivateIpAddress"] = address
    (host,) = found(account, ["web"], {"web": address})
    assert (host.instance_id, host.private_address) == (one["InstanceId"], address)


def test_names_without_an_instance_are_all_told(account: PaperAccount) -> None:
    one = account.launch("a")
    addresses = {"x": "10.9.9.9", "web": one["PrivateIpAddress"], "y": "10.9.9.8"}
    with pytest.raises(BadInput) as refused:
        found(account, ["x", "web", "y"], addresses)
    assert "the address of x (10.9.9.9), y (10.9.9.8); check the name" in str(refused.value)


def test_a_name_listed_twice_is_refused(account: PaperAccount) -> None:
    with pytest.raises(BadInput, match="lab: hosts: 'web' is listed twice"):
        found(account, ["web", "web"], {"web": "10.0.0.1"})


@pytest.mark.parametrize("hosts", [TAGGED, ["one"]], ids=["by tags", "by name"])
def test_a_host_of_a_scaling_group_is_refused_unless_ignored(
    account: PaperAccount, hosts: Any
) -> None:
    tags = {"Environment": "lab", "Role": "web", "aws:autoscaling:groupName": "fleet"}
    member = account.launch("one", **tags)
    addresses = {"one": member["PrivateIpAddress"]}
    with pytest.raises(BadInput) as refused:
        found(account, hosts, addresses)
    assert "one belongs to the Auto Scaling group 'fleet'" in str(refused.value)
    assert "`auto_scaling: ignore`" in str(refused.value)
    (host,) = found(account, hosts, addresses, auto_scaling="ignore")
    assert host.instance_id == member["InstanceId"]


HOSTS = tuple(builders.host(number) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("only", "skip", "expected"),
    [
        ((), (), [1, 2, 3]),
        (("host-2",), (), [2]),
        ((), ("host-2",), [1, 3]),
        (("host-3", "host-1"), ("host-1",), [3]),
    ],
)
def test_hosts_are_chosen_and_left_out_by_name(
    only: tuple[str, ...], skip: tuple[str, ...], expected: list[int]
) -> None:
    chosen = inventory.select(HOSTS, only, skip)
    assert [host.name for host in chosen] == [f"host-{number}" for number in expected]


@pytest.mark.parametrize(
    ("only", "skip", "expected"),
    [
        (("hots-2",), (), "no host 'hots-2' in this environment; did you mean 'host-2'?"),
        (
            (),
            ("zzz",),
            "no host 'zzz' in this environment; known: host-1, host-2, host-3",
        ),
        (("host-1",), ("host-1",), "--hosts and --skip-host leave no host to deploy to"),
    ],
)
def test_a_choice_of_nobody_or_of_strangers_is_refused(
    only: tuple[str, ...], skip: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(BadInput) as refused:
        inventory.select(HOSTS, only, skip)
    assert str(refused.value) == expected


def test_an_instance_without_an_address_of_the_wanted_kind_is_named(account: PaperAccount) -> None:
    del account.launch("one", Environment="lab", Role="web")["PublicIpAddress"]
    with pytest.raises(BadInput, match=r"one .* has no public address to connect to"):
        found(account, TAGGED, ssh={"address": "public"})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("InstanceId", "i-1; reboot", "an instance the id 'i-1; reboot', which is none"),
        ("InstanceId", "i-0000000000000000z", "which is none"),
        ("PrivateIpAddress", "-oProxyCommand=id", "the address '-oProxyCommand=id', which is none"),
        ("PrivateIpAddress", "web.example.com", "the address 'web.example.com', which is none"),
    ],
)
def test_an_answer_of_ec2_that_is_no_id_or_address_is_refused(
    account: PaperAccount, key: str, value: str, said: str
) -> None:
    account.launch("one", Environment="lab", Role="web")[key] = value
    with pytest.raises(BadInput, match=said):
        found(account, TAGGED)
