"""P10: other ways by which requests reach a host are named; a host's word counts for itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import HEALTHY

from deploy.aws.other_groups import OtherGroup
from deploy.aws.targets import Health, State, Target
from deploy.command_result import CommandResult
from deploy.errors import Unreachable
from deploy.survey import other_targets

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.hosts.scripts.script import Script
    from deploy.hosts.ssh.remote import Remote
    from deploy.survey.other_targets import OtherTarget

WEB = builders.app("web", 5000, 5001)
FIRST, SECOND = (builders.host(number).instance_id for number in (1, 2))
NGINX = "7 6e67696e78 /system.slice/nginx.service"


def found(*targets: Target, own: Iterable[Target] = ()) -> tuple[OtherTarget, ...]:
    """Two hosts; another group has these targets, and web's own group some besides."""
    seen = builders.survey([builders.facts(1), builders.facts(2)], apps=[WEB])
    for (group,) in seen.groups.values():
        seen.health[group.arn] |= dict.fromkeys(own, HEALTHY)
    return other_targets.find(seen, [WEB], [OtherGroup("edge", frozenset(targets))])


class PaperHost:
    """A host that answers with these facts, or not at all."""

    def __init__(self, *facts: str, is_gone: bool = False) -> None:
        self.facts, self.is_gone = facts, is_gone

    def ask(self, script: Script[Any], seconds: float) -> Any:
        del seconds
        if self.is_gone:
            raise Unreachable("host-1: no answer")
        text = "".join(f"{fact}\n" for fact in self.facts)
        return script.parse(CommandResult(str(script), 0, text, "", facts=self.facts))


def on(*facts: str, **more: Any) -> dict[str, Remote]:
    """Both hosts, of which each answers so."""
    return dict.fromkeys(("host-1", "host-2"), cast("Remote", PaperHost(*facts, **more)))


@pytest.mark.parametrize("port", [5000, 5001])
def test_p10_a_group_that_is_not_named_and_has_an_apps_port(port: int) -> None:
    (other,) = found(Target(FIRST, port), Target("i-of-somebody-else", port))
    assert other.problem.startswith(
        f"host-1: {FIRST}:{port} is a target of edge, which `target_groups:` of web does not name"
    )
    assert "`other_groups: ignore`" in other.problem


def test_p10_a_target_by_address_is_the_host_too() -> None:
    (other,) = found(Target("10.0.0.2", 5000))
    assert other.problem.startswith("host-2: 10.0.0.2:5000 is a target of edge")


def test_p10_the_own_group_has_another_port_of_the_host() -> None:
    (other,) = found(own=[Target(FIRST, 9000), Target("i-of-somebody-else", 9000)])
    assert "target of web-lab, and the port is none of web's (:5000, :5001)" in other.problem
    assert other.problem.endswith("accept that its requests may fail with `other_ports: [9000]`")
    assert "other_groups" not in other.problem


def test_p10_a_target_of_the_own_group_on_a_port_that_the_settings_accept_is_named() -> None:
    seen = builders.survey([builders.facts(1), builders.facts(2)], apps=[WEB])
    for (group,) in seen.groups.values():
        seen.health[group.arn] |= {Target(id_, 9000): HEALTHY for id_ in (FIRST, SECOND)}
    others = other_targets.find(seen, [WEB], [], accepted=(9000,))
    # No host is asked: what listens there is its owner's concern.
    told = other_targets.seen(others, on(is_gone=True))
    assert [each.problem for each in told] == ["", ""]
    assert other_targets.notes(told) == (
        "host-1, host-2: also in target group web-lab, with port 9000; that is not drained, and "
        "`other_ports:` accepts it",
    )
    refused = other_targets.find(seen, [WEB], [], accepted=(9001,))
    assert all(each.problem for each in refused)


@pytest.mark.parametrize("address", ["10.0.0.99", "2001:db8::1"])
def test_p10_a_target_by_any_address_of_the_host_reaches_it(address: str) -> None:
    """Secondary and IPv6 addresses, which our own targets never have."""
    facts = builders.facts(1)
    host = replace(facts.host, addresses=frozenset({"10.0.0.1", address}))
    seen = builders.survey([replace(facts, host=host)], apps=[WEB], target_type="ip")
    for (group,) in seen.groups.values():
        seen.health[group.arn] = {Target("10.0.0.1", 5000): HEALTHY}
    assert other_targets.find(seen, [WEB], []) == ()
    (other,) = other_targets.find(
        seen, [WEB], [OtherGroup("edge", frozenset({Target(address, 5000)}))]
    )
    assert other.problem.startswith(f"host-1: {Target(address, 5000)} is a target of edge, which")
    for (group,) in seen.groups.values():
        seen.health[group.arn][Target(address, 5000)] = HEALTHY
    (own,) = other_targets.find(seen, [WEB], [])
    assert "target of web-lab, and the host's own target there has another address" in own.problem


def test_an_ipv6_target_is_shown_with_brackets() -> None:
    assert str(Target("2001:db8::1", 80)) == "[2001:db8::1]:80"


def test_p10_behind_a_proxy_the_proxys_port_is_the_own_one_and_the_apps_is_not() -> None:
    web = builders.app(target_port=80)
    seen = builders.survey([builders.facts(1)], apps=[web])
    assert other_targets.find(seen, [web], []) == ()
    for (group,) in seen.groups.values():
        seen.health[group.arn][Target(FIRST, 5000)] = HEALTHY
    (other,) = other_targets.find(seen, [web], [])
    assert "and the port is none of web's (:80)" in other.problem
    (same,) = other_targets.find(
        builders.survey([builders.facts(1)], apps=[web]),
        [web],
        [OtherGroup("edge", frozenset({Target(FIRST, 80)}))],
    )
    assert "which `target_groups:` of web does not name" in same.problem


def behind_nginx(*own: Target, **settings: Any) -> tuple[OtherTarget, ...]:
    """A fleet of one whose group has it on these ports alone."""
    web = builders.app("web", 5000, **settings)
    seen = builders.survey([builders.facts(1)], apps=[web])
    for (group,) in seen.groups.values():
        seen.health[group.arn] = dict.fromkeys(own, HEALTHY)
    return other_targets.find(seen, [web], [])


def test_p1_the_only_target_is_never_to_be_deregistered_and_its_port_is_named() -> None:
    (other,) = behind_nginx(Target(FIRST, 80))
    assert other.problem == (
        f"host-1: {FIRST}:80 is a target of web-lab, and the port is none of web's (:5000): set "
        "`target_port: 80` for web if a proxy there passes requests on to the app, or else have "
        f"{FIRST}:5000 registered and healthy before you deregister it"
    )


def test_p1_a_proxy_in_the_own_group_is_looked_for() -> None:
    facts = f"port.listener={NGINX}", "client=7"
    (other,) = other_targets.seen(behind_nginx(Target(FIRST, 80)), on(*facts))
    assert other.problem.endswith(
        "and nginx.service (pid 7, nginx) listens there and has connections to the app: set "
        "`target_port: 80` for web"
    )
    (both,) = other_targets.seen(behind_nginx(Target(FIRST, 80), Target(FIRST, 5000)), on(*facts))
    assert "listens there and has connections to the app: requests that it gets" in both.problem


def test_p10_a_rule_of_the_kernel_that_leads_to_the_app_is_another_way() -> None:
    """Tomcat and Node on port 80 without root: nothing listens there, and requests come."""
    (other,) = other_targets.seen(found(Target(FIRST, 80)), on("forwarded=5000"))
    assert other.problem.startswith(
        f"host-1: {FIRST}:80 is a target of edge, and a rule of its kernel (iptables, nftables) "
        "sends its requests to :5000: they would go on while the app is stopped"
    )
    assert "target_port" not in other.problem, "the host's own questions take another way"


def test_p1_a_rule_of_the_kernel_in_the_own_group_is_no_proxy() -> None:
    (other,) = other_targets.seen(behind_nginx(Target(FIRST, 80)), on("forwarded=5000"))
    assert other.problem.endswith(
        f"sends its requests to :5000: have {FIRST}:5000 registered and healthy before you "
        "deregister it"
    )


@pytest.mark.parametrize("answers", [on(is_gone=True), on("port.listener=7")])
def test_p1_where_a_proxy_cannot_be_looked_for_the_port_is_named_too(
    answers: dict[str, Remote],
) -> None:
    (other,) = other_targets.seen(behind_nginx(Target(FIRST, 80)), answers)
    assert "set `target_port: 80` for web if a proxy there passes requests on" in other.problem


def test_p1_a_target_that_is_not_healthy_serves_in_no_ones_place() -> None:
    web = builders.app()
    seen = builders.survey([builders.facts(1)], {"host-1": builders.UNHEALTHY}, [web])
    for (group,) in seen.groups.values():
        seen.health[group.arn][Target(FIRST, 80)] = HEALTHY
    (other,) = other_targets.find(seen, [web], [])
    assert f"have {FIRST}:5000 registered and healthy before" in other.problem


def test_p10_the_apps_own_port_is_no_proxys() -> None:
    (other,) = behind_nginx(Target(FIRST, 5000), target_port=80)
    assert "but its own: leave out `target_port:` of web, or have" in other.problem
    assert other_targets.seen([other], on(is_gone=True)) == (other,)


def test_p10_a_target_that_leaves_the_own_group_is_none() -> None:
    seen = builders.survey([builders.facts(1)], apps=[WEB])
    for (group,) in seen.groups.values():
        seen.health[group.arn][Target(FIRST, 9000)] = Health(State.DRAINING)
    assert other_targets.find(seen, [WEB], []) == ()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ((f"port.listener={NGINX}", "client=7"), "nginx.service (pid 7, nginx) listens there"),
        ((f"port.listener={NGINX}", "client=8"), ""),
        ((f"port.listener={NGINX}",), ""),
        (("client=7",), ""),
        (("port.listener=7", "client=x"), "who listens there cannot be read"),
        ((f"port.listener={NGINX}", "client=x"), ""),
        ((f"port.listener={NGINX}", "ended=3"), "nginx.service (pid 7, nginx) listens there, and"),
        ((f"port.listener={NGINX}", "client=8", "ended=3"), "nginx.service (pid 7, nginx) listens"),
        ((f"port.listener={NGINX}", "client=8", "ended=0"), ""),
        ((f"port.listener={NGINX}", "ended=x"), ""),
        (("ended=3",), ""),
        ((), ""),
    ],
)
def test_p10_a_proxy_is_who_listens_there_and_connects_to_the_app(
    facts: tuple[str, ...], said: str
) -> None:
    (other,) = other_targets.seen(found(Target(FIRST, 80)), on(*facts))
    assert other.proxy.startswith(said)
    assert bool(other.problem) is bool(said)
    if said:
        assert "requests would come by that way while the app is stopped" in other.problem


def test_p10_a_host_that_cannot_show_what_has_ended_is_said_to() -> None:
    others = other_targets.seen(
        found(*(Target(id_, 80) for id_ in (FIRST, SECOND))),
        on() | {"host-2": on("unwatched=yes", "unwatched=yes")["host-2"]},
    )
    known, blind = other_targets.notes(others)
    assert (known[:7], blind[:7]) == ("host-1:", "host-2:")
    assert "`ss -E` does not work there" in blind
    assert "`ss -E`" not in known


def test_p10_a_host_that_does_not_say_is_no_host_without_a_proxy() -> None:
    (other,) = other_targets.seen(found(Target(FIRST, 80)), on(is_gone=True))
    assert "whether a proxy listens there is not known (host-1: no answer)" in other.problem


def test_p12_a_host_is_asked_only_where_its_answer_decides() -> None:
    others = found(Target(FIRST, 5000), Target(SECOND, 80))
    told = other_targets.seen(others, on(is_gone=True) | {"host-2": on()["host-2"]})
    assert [bool(each.problem) for each in told] == [True, False]


def test_what_is_no_problem_is_one_line_for_each_group_and_port() -> None:
    others = other_targets.seen(found(*(Target(id_, 80) for id_ in (FIRST, SECOND))), on())
    (note,) = other_targets.notes(others)
    assert note == (
        "host-1, host-2: also in target group edge, with port 80; nothing that listens there was "
        "seen to connect to :5000, :5001"
    )
