"""Capacity is arithmetic: no plan leaves a group, or a zone of it, with nobody in service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, UNHEALTHY
from hypothesis import given
from hypothesis import strategies as st

from deploy.aws.targets import Health, Override, State
from deploy.errors import BadInput
from deploy.plan import advice, assembly, capacity, order
from deploy.settings.rollout import Batch, Rollout, Share
from deploy.survey.app_on_host import target_of
from deploy.survey.slot import Slot

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.survey.facts import Survey

SIZE = st.one_of(st.integers(1, 12), st.integers(1, 100).map(lambda share: f"{share}%"))
WEB = builders.app()
LEAST_ONE = Rollout(min_in_service=Share(text="1"))


@given(ramp=st.lists(SIZE, min_size=1, max_size=4), fleet=st.integers(1, 40), todo=st.integers())
def test_batches_hold_every_host_once_and_in_order(
    ramp: list[int | str], fleet: int, todo: int
) -> None:
    hosts = [builders.facts(number) for number in range(abs(todo) % fleet + 1)]
    cut = order.batches(Rollout(batch=Batch.parse(ramp)), hosts, fleet)
    assert [facts for batch in cut for facts in batch] == hosts
    assert all(cut)
    assert len(cut[0]) <= Batch.parse(ramp).hosts(0, fleet)


def test_a_window_slides_over_all_hosts_as_over_one_batch() -> None:
    hosts = [builders.facts(number) for number in range(5)]
    assert order.batches(Rollout(window=2), hosts, 5) == (tuple(hosts),)
    assert order.batches(Rollout(window=2), [], 5) == ()


def test_a_percentage_is_of_the_whole_fleet_even_where_few_are_left() -> None:
    hosts = [builders.facts(number) for number in range(3)]
    cut = order.batches(Rollout(batch=Batch.parse("25%")), hosts, 8)
    assert [len(batch) for batch in cut] == [2, 1]


@given(
    healthy=st.lists(st.booleans(), min_size=1, max_size=8),
    zones=st.lists(st.sampled_from("ab"), min_size=8, max_size=8),
    size=SIZE,
    zonal=st.booleans(),
    least=st.none() | st.integers(0, 8).map(str) | st.integers(0, 100).map(lambda n: f"{n}%"),
)
def test_a_plan_that_is_not_refused_never_leaves_less_than_the_policy_wants(
    healthy: list[bool], zones: list[str], size: int | str, zonal: bool, least: str | None
) -> None:
    rollout = Rollout(min_in_service=Share(text=least) if least else None)
    hosts = [builders.facts(n, zone=zones[n]) for n in range(len(healthy))]
    health = {f"host-{n}": HEALTHY if well else UNHEALTHY for n, well in enumerate(healthy)}
    seen = builders.survey(hosts, health, zonal=zonal)
    cut = [
        [facts.host for facts in batch]
        for batch in order.batches(Rollout(batch=Batch.parse(size)), hosts, len(hosts))
    ]
    try:
        capacity.refuse_outage(rollout, [(WEB, cut)], seen, allow_downtime=False)
    except BadInput:
        assert len(cut[0]) > 0
        return
    serving = {facts.host for facts, well in zip(hosts, healthy, strict=True) if well}
    for batch in cut:
        left = serving - set(batch)
        assert left or not any(healthy)
        if serving & set(batch):
            assert len(left) >= capacity.minimum(rollout, len(hosts), len(batch))
        if zonal:
            assert {host.zone for host in serving} == {host.zone for host in left} or (
                not any(healthy)
            )
        serving |= set(batch)


def refusal(count: int, size: int | str) -> str:
    hosts = [builders.facts(number) for number in range(1, count + 1)]
    cut = [
        [facts.host for facts in batch]
        for batch in order.batches(Rollout(batch=Batch.parse(size)), hosts, count)
    ]
    seen = builders.survey(hosts)
    with pytest.raises(BadInput) as refused:
        capacity.refuse_outage(Rollout(), [(WEB, cut)], seen, allow_downtime=False)
    return str(refused.value)


def test_one_host_alone_is_refused_with_the_ways_out() -> None:
    assert refusal(1, 1) == (
        "batch 1 (1 of 1 hosts) would leave no target of web-lab in service (1 healthy now); make "
        "`batch` smaller, add a host, or accept the outage with --allow-downtime"
    )


def test_the_whole_fleet_at_once_is_refused() -> None:
    assert refusal(4, "100%").startswith("batch 1 (4 of 4 hosts) would leave no target of web-lab")


def test_a_zone_with_one_host_is_refused_where_zones_stand_alone() -> None:
    hosts = [builders.facts(1), builders.facts(2), builders.facts(3, zone="eu-west-1b")]
    cut = [[facts.host] for facts in hosts]
    seen = builders.survey(hosts)
    capacity.refuse_outage(Rollout(), [(WEB, cut)], seen, allow_downtime=False)
    with pytest.raises(BadInput, match="leave zone eu-west-1b of web-lab without"):
        capacity.refuse_outage(
            Rollout(), [(WEB, cut)], builders.survey(hosts, zonal=True), allow_downtime=False
        )


@pytest.mark.parametrize(
    ("group", "policy", "said"),
    [
        ({"least_healthy": 2}, LEAST_ONE, ""),
        ({"least_healthy": 3}, LEAST_ONE, ""),
        ({"least_healthy": 4}, LEAST_ONE, "would leave 3 targets .* wants 4"),
        ({"least_healthy_percent": 100}, LEAST_ONE, ""),
        ({"least_healthy": 2, "zonal": True}, LEAST_ONE, "zone .* with 1 targets of at least 2"),
        ({"least_healthy_percent": 50, "zonal": True}, LEAST_ONE, ""),
    ],
)
def test_p10_a_batch_that_makes_the_group_fail_open_is_refused(
    group: dict[str, Any], policy: Rollout, said: str
) -> None:
    """Below its own minimum a group sends requests to unhealthy targets too."""
    hosts = [builders.facts(n, zone=f"eu-west-1{'ab'[n % 2]}") for n in range(4)]
    cut = [[facts.host] for facts in hosts]
    seen = builders.survey(hosts, **group)
    if not said:
        capacity.refuse_outage(policy, [(WEB, cut)], seen, allow_downtime=False)
        return
    with pytest.raises(BadInput, match=said):
        capacity.refuse_outage(policy, [(WEB, cut)], seen, allow_downtime=False)


def test_p10_of_several_groups_each_keeps_its_own_minimum() -> None:
    web = builders.app(target_groups=["public", "internal"])
    hosts = [builders.facts(number) for number in (1, 2, 3)]
    cut = [[facts.host] for facts in hosts]
    seen = builders.survey(hosts, apps=[web])
    capacity.refuse_outage(Rollout(), [(web, cut)], seen, allow_downtime=False)
    target = target_of(seen.groups["web"][1], hosts[1].host, web.at(5000))
    seen.health[seen.groups["web"][1].arn][target] = UNHEALTHY
    with pytest.raises(BadInput, match="would leave 1 targets of internal in service"):
        capacity.refuse_outage(Rollout(), [(web, cut)], seen, allow_downtime=False)
    plan = assembly.make(
        builders.environment(web, rollout={"min_in_service": 1}),
        (builders.offer(web, hosts),),
        seen,
    )
    assert plan.minimums[0] == {"public": 1, "internal": 1}


def test_the_outage_can_be_accepted_and_a_dead_group_guards_nothing() -> None:
    hosts = [builders.facts(1)]
    cut = [[hosts[0].host]]
    capacity.refuse_outage(Rollout(), [(WEB, cut)], builders.survey(hosts), allow_downtime=True)
    sick = builders.survey(hosts, {"host-1": UNHEALTHY})
    capacity.refuse_outage(Rollout(), [(WEB, cut)], sick, allow_downtime=False)


def test_an_outage_of_any_app_of_the_batch_is_refused() -> None:
    apps = (WEB, builders.app("admin", 5100))
    hosts = [builders.facts(n, {"web": Slot(), "admin": Slot()}) for n in (1, 2)]
    seen = builders.survey(hosts, apps=apps)
    builders.see(seen, apps[1].at(5100), 2, UNHEALTHY)
    cut = [[facts.host] for facts in hosts]
    switched = [(app, cut) for app in apps]
    with pytest.raises(BadInput, match="no target of admin-lab in service"):
        capacity.refuse_outage(LEAST_ONE, switched, seen, allow_downtime=False)


@pytest.mark.parametrize(
    ("batch", "first"), [(1, "host-3"), (2, "host-3"), ("25%", "host-1"), ([1, "50%"], "host-1")]
)
def test_unhealthy_hosts_go_first_but_a_canary_is_healthy(batch: object, first: str) -> None:
    hosts = [builders.facts(number) for number in (3, 1, 2)]
    seen = builders.survey(hosts, {"host-3": UNHEALTHY})
    rollout = Rollout(batch=Batch.parse(batch))
    ordered = order.order(rollout, hosts, seen, [WEB])
    assert ordered[0].host.name == first
    sick = [not seen.on(facts.host, WEB).is_healthy for facts in ordered]
    assert sick.index(True) == (first != "host-3"), "after the canary, the unhealthy host"


def test_of_several_apps_the_host_with_the_fewest_in_service_goes_first() -> None:
    apps = (WEB, builders.app("admin", 5100))
    hosts = [builders.facts(n, {"web": Slot(), "admin": Slot()}) for n in (1, 2, 3)]
    seen = builders.survey(hosts, {"host-3": UNHEALTHY}, apps)
    builders.see(seen, WEB.at(5000), 2, UNHEALTHY)
    ordered = order.order(Rollout(batch=Batch.parse(1)), hosts, seen, apps)
    assert [facts.host.name for facts in ordered] == ["host-3", "host-2", "host-1"]


def test_an_app_that_is_current_on_a_host_of_the_batch_counts_as_serving_there() -> None:
    hosts = [builders.facts(n) for n in (1, 2)]
    seen = builders.survey(hosts, {"host-2": UNHEALTHY})
    batches = [[], [hosts[1].host]]
    capacity.refuse_outage(Rollout(), [(WEB, batches)], seen, allow_downtime=False)


def fleet(count: int, sick: int) -> tuple[list[list[Host]], Survey]:
    """One host a batch, the last `sick` hosts unhealthy and not part of the plan."""
    hosts = [builders.facts(number) for number in range(1, count + 1)]
    health = {f"host-{number}": UNHEALTHY for number in range(count - sick + 1, count + 1)}
    return [[one.host] for one in hosts[: count - sick]], builders.survey(hosts, health)


@pytest.mark.parametrize(
    ("least", "count", "sick", "is_refused"),
    [
        (None, 4, 0, False),
        (None, 4, 1, True),
        ("3", 4, 0, False),
        ("3", 4, 1, True),
        ("2", 4, 1, False),
        ("100%", 4, 0, True),
        ("75%", 4, 0, False),
        ("76%", 4, 0, False),
        ("0", 2, 0, False),
    ],
)
def test_a_fleet_that_is_short_is_not_made_shorter_than_the_policy_wants(
    least: str | None, count: int, sick: int, is_refused: bool
) -> None:
    rollout = Rollout(min_in_service=Share(text=least) if least else None)
    batches, seen = fleet(count, sick)
    if is_refused:
        with pytest.raises(BadInput, match="and the policy wants") as refused:
            capacity.refuse_outage(rollout, [(WEB, batches)], seen, allow_downtime=False)
        assert "min_in_service" in str(refused.value)
    else:
        capacity.refuse_outage(rollout, [(WEB, batches)], seen, allow_downtime=False)


def test_a_short_fleet_has_no_canary_so_that_the_sick_host_goes_first() -> None:
    hosts = [builders.facts(number) for number in (1, 2, 3)]
    seen = builders.survey(hosts, {"host-3": UNHEALTHY})
    rollout = Rollout(batch=Batch.parse("25%"))
    ordered = order.order(rollout, hosts, seen, [WEB], canary=False)
    assert ordered[0].host.name == "host-3"


def test_nobody_is_left_at_the_least() -> None:
    assert capacity.minimum(Rollout(min_in_service=Share(text="0")), 4, 4) == 1
    assert capacity.minimum(Rollout(), 4, 4) == 1
    assert capacity.minimum(Rollout(), 4, 1) == 3


SHIFTED = Health(State.HEALTHY, override=Override.SHIFTED)


def three_zones(shifted: str = "") -> Survey:
    """Six hosts in zones a, b and c; traffic is shifted away from one of them."""
    hosts = [builders.facts(n, {"web": builders.slot()}, zone="abc"[n % 3]) for n in range(6)]
    health = {f"host-{n}": SHIFTED if "abc"[n % 3] == shifted else HEALTHY for n in range(6)}
    return builders.survey(hosts, health)


def test_a_target_in_a_shifted_zone_is_no_capacity() -> None:
    whole, seen = three_zones(), three_zones("b")
    group = whole.groups["web"][0]
    assert capacity.InService.of(WEB, group, whole).size == 6
    now = capacity.InService.of(WEB, group, seen)
    assert (now.size, len(now.healthy)) == (4, 4)
    assert now.is_complete, "a canary is still wanted"


def test_a_deploy_while_a_zone_is_shifted_away_keeps_the_policy_in_the_others() -> None:
    seen = three_zones("b")
    by_zone = {zone: [f.host for f in seen.hosts if f.host.zone == zone] for zone in "abc"}
    cut = [by_zone["b"], *([host] for host in (*by_zone["a"], *by_zone["c"]))]
    capacity.refuse_outage(LEAST_ONE, [(WEB, cut)], seen, allow_downtime=False)
    capacity.refuse_outage(Rollout(), [(WEB, cut[:2])], seen, allow_downtime=False)
    four = Rollout(min_in_service=Share(text="4"))
    with pytest.raises(BadInput, match=r"would leave 3 targets .*the policy wants 4"):
        capacity.refuse_outage(four, [(WEB, [by_zone["a"][:1]])], seen, allow_downtime=False)


def test_hosts_of_a_shifted_zone_that_were_updated_still_serve_nobody() -> None:
    """Their batch adds nothing to what serves: the next one may not take all others out."""
    seen = three_zones("b")
    by_zone = {zone: [f.host for f in seen.hosts if f.host.zone == zone] for zone in "abc"}
    batches = [by_zone["b"], [*by_zone["a"], *by_zone["c"]]]
    with pytest.raises(BadInput, match=r"batch 2 .*would leave no target .*4 healthy now"):
        capacity.refuse_outage(Rollout(), [(WEB, batches)], seen, allow_downtime=False)


def test_the_hosts_of_a_shifted_zone_go_first_and_none_of_them_is_the_canary() -> None:
    seen = three_zones("b")
    first = order.order(Rollout(), seen.hosts, seen, [WEB])
    assert [facts.host.zone for facts in first[:2]] == ["b", "b"]
    canary = order.order(Rollout(batch=Batch.parse("25%")), seen.hosts, seen, [WEB])
    assert [facts.host.zone for facts in canary[:3]] == ["a", "b", "b"]


def test_the_plan_says_which_zone_serves_nobody() -> None:
    own = builders.environment(WEB)
    found, usual = (advice.warnings(own, (WEB,), three_zones(zone)) for zone in ("b", ""))
    assert any("traffic is shifted away from zone b, so 2 of its targets" in each for each in found)
    assert not any("shifted" in each for each in usual)
