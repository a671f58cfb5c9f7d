"""Hosts from a list or from tags, each with the instance id that nobody types."""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.aws import inventory, listed
from deploy.errors import BadInput
from deploy.foreign_text import word
from deploy.session import arguments
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.aws.api.account import Account
    from deploy.aws.inventory import Host


PARTS = re.compile(r"\\.|.", re.DOTALL)
WILD = {"*": ".*", "?": ".", r"\*": r"\*", r"\?": r"\?", r"\\": r"\\"}


class PaperAccount:
    """Instances and scaling groups on paper, asked with EC2's own filters."""

    region = "eu-west-1"

    def __init__(self) -> None:
        self.instances: list[dict[str, Any]] = []

    def items(
        self, service: str, operation: str, key: str, **arguments: Any
    ) -> Iterator[dict[str, Any]]:
        assert (service, operation, key) == ("ec2", "describe_instances", "Reservations")
        assert all(len(f["Values"]) <= 200 for f in arguments["Filters"])
        for one in self.instances:
            if all(self._matches(one, f["Name"], f["Values"]) for f in arguments["Filters"]):
                yield {"Instances": [one]}

    def _matches(self, one: dict[str, Any], name: str, wanted: list[str]) -> bool:
        """By EC2's wildcards, which a backslash makes literal."""
        escaped = ("".join(WILD.get(part, re.escape(part)) for part in PARTS.findall(each))
                   for each in wanted)  # fmt: skip
        own = self._value(one, name.replace("\\", ""))
        return any(re.fullmatch(each, own, re.DOTALL) for each in escaped)

    @staticmethod
    def _value(one: dict[str, Any], name: str) -> str:
        tags = {f"tag:{tag['Key']}": tag["Value"] for tag in one["Tags"]}
        own = {
            "instance-state-name": one["State"]["Name"],
            "instance-id": one["InstanceId"],
            "private-ip-address": one.get("PrivateIpAddress", ""),
            "ip-address": one.get("PublicIpAddress", ""),
        }
        return str((own | tags).get(name, ""))

    def launch(self, name: str | None, state: str = "running", **tags: str) -> dict[str, Any]:
        """An instance as EC2 describes it."""
        number = len(self.instances) + 1
        given = tags | ({"Name": name} if name else {})
        one = {
            "InstanceId": f"i-{number:017x}",
            "PrivateIpAddress": f"10.0.{number // 250}.{number % 250}",
            "PublicIpAddress": f"54.0.{number // 250}.{number % 250}",
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


def test_instances_of_one_name_are_told_apart_by_their_ids(account: PaperAccount) -> None:
    """As those of an Auto Scaling group are; also where a tag looks like another one's name."""
    ids = [
        account.launch(name, Environment="lab", Role="web")["InstanceId"]
        for name in ("web", "web", "one", None, f"i-{1:017x}", f"web/i-{2:017x}")
    ]
    names = {host.instance_id: host.name for host in found(account, TAGGED)}
    assert [names[each] for each in ids] == [
        f"web/{ids[0]}",
        f"web/{ids[1]}",
        "one",
        ids[3],
        f"{ids[0]}/{ids[4]}",
        f"web/{ids[1]}/{ids[5]}",
    ]


def test_a_name_holds_nothing_that_a_terminal_would_not_show(account: PaperAccount) -> None:
    one = account.launch("web\n[red]1", Environment="lab", Role="web")
    account.launch("\x1b[2J", Environment="lab", Role="web")
    hosts = found(account, TAGGED)
    assert [host.name for host in hosts] == ["_[2J", "web_[red]1"]
    assert inventory.select(hosts, ["web_[red]1"]) == (hosts[1],)
    assert inventory.select(hosts, [one["InstanceId"]]) == (hosts[1],)


def test_a_name_with_commas_can_be_typed(account: PaperAccount) -> None:
    for name in ("web, blue", "web", "db"):
        account.launch(name, Environment="lab", Role="web")
    hosts = found(account, TAGGED)
    typed = ("web,blue", "db,web, blue", "web,db")
    chosen = [
        [host.name for host in inventory.select(hosts, [part.strip() for part in text.split(",")])]
        for text in typed
    ]
    assert chosen == [["web, blue"], ["db", "web, blue"], ["db", "web"]]


def named(*names: str) -> tuple[inventory.Host, ...]:
    return tuple(replace(builders.host(n), name=name) for n, name in enumerate(names, start=1))


@pytest.mark.parametrize(
    ("names", "typed"),
    [
        (("web", "blue", "web, blue"), "web,blue"),
        (("web", "blue", "db", "web, blue"), "db,web,blue"),
        (("a,b", "b,c", "a", "c"), "a,b,c"),
        (("web, blue", "web,blue"), "web,blue"),
    ],
)
def test_p12_names_that_can_be_read_in_two_ways_are_refused_with_the_ids(
    names: tuple[str, ...], typed: str
) -> None:
    """To leave out one host must never mean to deploy to two others."""
    hosts = named(*names, "last")
    with pytest.raises(BadInput, match="can be read in several ways") as refused:
        inventory.select(hosts, (), typed.split(","))
    for host in hosts:
        is_meant = host.name in {"db", *names}
        assert (f"{host.instance_id} ({host.name!r})" in str(refused.value)) is is_meant
    by_id = inventory.select(hosts, (), [hosts[0].instance_id])
    assert by_id == hosts[1:]


def test_names_are_read_in_the_one_way_in_which_all_are_hosts() -> None:
    """Not the longest first, where something is left then."""
    hosts = named("a, b", "a", "b, c")
    assert inventory.select(hosts, ["a", "b", "c"]) == hosts[1:]


@pytest.mark.parametrize("name", ["web 1", "web, blue", "web[1]", "web'1", "$(id)"])
def test_a_command_names_a_host_so_that_it_can_be_typed(name: str) -> None:
    hosts = named(name, "web", "blue")
    scope = Scope("prod", "deploy").without([hosts[0].typed])
    text = shlex.split(scope.again())[-1]
    assert inventory.select(hosts, (), arguments.split(text, "--skip-host")) == hosts[1:]
    assert shlex.split(f"--skip-host {word(hosts[0].typed)}") == ["--skip-host", text]


def test_a_tags_value_means_itself(account: PaperAccount) -> None:
    for role in ("web*", "web-internal", "web?"):
        account.launch(role, Environment="lab", Role=role)
    hosts = found(account, {"tags": {"Role": "web*"}})
    assert [host.name for host in hosts] == ["web*"]


def test_of_two_vpcs_with_one_address_that_of_the_target_group_is_meant(
    account: PaperAccount,
) -> None:
    for vpc in ("vpc-a", "vpc-b", "vpc-c"):
        one = account.launch("web")
        one["PrivateIpAddress"], one["VpcId"] = "10.0.0.9", vpc
    own = builders.environment(hosts=["web"])

    def of(*vpcs: str) -> Host:
        (host,) = inventory.find(own, cast("Account", account), lambda _: "10.0.0.9", lambda: vpcs)
        return host

    assert of("vpc-b").instance_id == f"i-{2:017x}"
    for unclear in ((), ("vpc-a", "vpc-b"), ("vpc-z",)):
        with pytest.raises(BadInput, match="several EC2 instances have its address"):
            of(*unclear)


def test_instances_are_listed_by_id_beside_names(account: PaperAccount) -> None:
    one, two = account.launch("a"), account.launch("b")
    names = [two["InstanceId"], "web-1"]
    hosts = found(account, names, {"web-1": one["PrivateIpAddress"]})
    assert [(host.name, host.address, host.instance_id) for host in hosts] == [
        (two["InstanceId"], two["PrivateIpAddress"], two["InstanceId"]),
        ("web-1", one["PrivateIpAddress"], one["InstanceId"]),
    ]
    (host,) = found(account, [two["InstanceId"]], {}, ssh={"address": "public"})
    assert host.address == two["PublicIpAddress"]


def test_ids_without_a_running_instance_are_named_with_what_is_there(
    account: PaperAccount,
) -> None:
    one, stopped = account.launch("a"), account.launch("b", "stopped")
    absent = f"i-{9:017x}"
    with pytest.raises(BadInput) as refused:
        found(account, [absent, one["InstanceId"], stopped["InstanceId"]], {})
    own = stopped["InstanceId"]
    assert str(refused.value).split("\n") == [
        f"2 hosts ({absent}, {own}): no running EC2 instance in region eu-west-1 has this id; "
        "check the id, the region and the account",
        f"  there is {own} (stopped, {stopped['PrivateIpAddress']} in no VPC)",
    ]


def test_an_id_is_no_place_to_look_at_without_aws(account: PaperAccount) -> None:
    one = account.launch("a", "stopped")
    own = builders.environment(hosts=[one["InstanceId"], "web-1"])
    addresses, problems = listed.addresses(own, lambda name: {"web-1": "10.9.9.9"}[name])
    assert (addresses, problems) == ({"web-1": "10.9.9.9"}, {})
    seen = inventory.look(own, cast("Account", account), lambda _: "10.9.9.9")
    assert seen.places == {"web-1": "10.9.9.9"}
    assert seen.problems.keys() == {one["InstanceId"], "web-1"}


def test_an_id_without_an_address_to_connect_to_hides_no_other_problem(
    account: PaperAccount,
) -> None:
    one = account.launch("a")
    del one["PublicIpAddress"]
    with pytest.raises(BadInput) as refused:
        found(account, [one["InstanceId"], f"i-{9:017x}"], {}, ssh={"address": "public"})
    first, second = str(refused.value).split("\n")
    own = one["InstanceId"]
    assert first.startswith(f"i-{9:017x}: no running EC2 instance") or second.startswith("i-")
    assert f"{own} ({own}) has no public address to connect to" in {first, second}


def test_an_instance_listed_by_id_and_by_name_is_refused(account: PaperAccount) -> None:
    one = account.launch("a")
    with pytest.raises(BadInput, match=r"i-0*1 and web are one instance, i-0*1; list it once"):
        found(account, [one["InstanceId"], "web"], {"web": one["PrivateIpAddress"]})


def test_one_instance_under_two_listed_names_is_refused(account: PaperAccount) -> None:
    one = account.launch("web")
    addresses = {"a": one["PrivateIpAddress"], "b": one["PublicIpAddress"]}
    with pytest.raises(BadInput, match=r"hosts: a and b are one instance, i-0*1; list it once"):
        found(account, ["a", "b"], addresses)


def test_many_listed_hosts_are_asked_for_in_requests_that_ec2_takes(account: PaperAccount) -> None:
    made = [account.launch(f"web-{number}") for number in range(450)]
    for number, one in enumerate(made):
        one["PrivateIpAddress"] = f"10.1.{number // 200}.{number % 200 + 1}"
    addresses = {f"web-{number}": one["PrivateIpAddress"] for number, one in enumerate(made)}
    assert len(found(account, list(addresses), addresses)) == 450


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
    assert str(refused.value).split("\n") == [
        "2 hosts (x, y): no EC2 instance in region eu-west-1 has its address; check the name, the "
        "region and the account",
        "  x has the address 10.9.9.9",
        "  y has the address 10.9.9.8",
    ]


def test_a_name_whose_instance_is_elsewhere_is_told_where_it_is(account: PaperAccount) -> None:
    """A terminated instance has no address any more; a replaced one has another."""
    gone, moved = account.launch("web-1", "terminated"), account.launch("web-1", "stopped")
    del gone["PrivateIpAddress"], gone["PublicIpAddress"]
    moved["VpcId"] = "vpc-b"
    with pytest.raises(BadInput) as refused:
        found(account, ["web-1"], {"web-1": "10.9.9.9"})
    _, *there = str(refused.value).split("\n")
    assert there == [
        "  web-1 has the address 10.9.9.9",
        f"  an instance named web-1 is {gone['InstanceId']} (terminated, no address in no VPC)",
        f"  an instance named web-1 is {moved['InstanceId']} (stopped, "
        f"{moved['PrivateIpAddress']} in vpc-b)",
    ]


def test_hosts_that_are_found_are_known_whatever_is_wrong_with_others(
    account: PaperAccount,
) -> None:
    one = account.launch("web-1", "stopped")
    own_address = str(one["PrivateIpAddress"])
    addresses = {"web-1": own_address, "x": "10.9.9.9", "again": own_address}

    def resolve(name: str) -> str:
        if name == "nowhere":
            raise BadInput(f"host {name!r} has no address")
        return addresses[name]

    own = builders.environment(hosts=["web-1", "x", "nowhere", "again"])
    seen = inventory.look(own, cast("Account", account), resolve)
    assert [(host.name, host.state) for host in seen.hosts] == [("web-1", "stopped")]
    assert seen.problems.keys() == {"x", "nowhere", "again"}
    assert seen.places == {"x": "10.9.9.9", "again": own_address}


def test_tags_that_only_instances_carry_that_do_not_run_name_them(account: PaperAccount) -> None:
    one = account.launch("one", "stopped", Environment="lab", Role="web")
    with pytest.raises(BadInput, match=rf"\n  {one['InstanceId']} \(stopped, .*\) carries them"):
        found(account, TAGGED)


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
