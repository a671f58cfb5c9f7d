"""Which hosts of a plan pass the smoke tests through the load balancer, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest
import run_entries

from deploy.recovery import failed_host
from deploy.smoke.through_balancer import PassSmokeTests
from deploy.steps.records import RecordDeployed
from deploy.steps.target import Soak, WaitHealthy
from smoke.paper import app, old, planned

if TYPE_CHECKING:
    from deploy.plan.plan import Plan


def asking(plan: Plan) -> list[list[str]]:
    """By batch, the hosts that ask, with the app where it is not `web`."""
    return [
        [
            step.host.name + (f" {step.app.name}" if step.app.name != "web" else "")
            for host_plan in batch
            for step in host_plan.all_steps
            if isinstance(step, PassSmokeTests)
        ]
        for batch in plan.batches
    ]


@pytest.mark.parametrize(
    ("rollout", "hosts"),
    [
        ({"batch": 1}, [["host-1"], [], [], []]),
        ({"batch": 2}, [["host-1", "host-2"], []]),
        ({"batch": None, "rollout": {"window": 2}}, [["host-1", "host-2"]]),
        ({"batch": [1, "100%"]}, [["host-1"], []]),
    ],
)
def test_the_first_hosts_ask_and_no_others(rollout: dict[str, Any], hosts: list[list[str]]) -> None:
    plan = planned(old(4), **rollout)
    assert asking(plan) == hosts
    found = [step for step in plan.steps if isinstance(step, PassSmokeTests)]
    assert {step.at_once for step in found} == {len(hosts[0])}


def test_the_new_release_is_asked_for_when_it_is_in_service_and_before_it_is_recorded() -> None:
    plan = planned(old(2), batch=1, rollout={"soak_seconds": 3})
    kinds = [type(step) for step in plan.batches[0][0].steps]
    assert kinds[-4:] == [WaitHealthy, Soak, PassSmokeTests, RecordDeployed]


def test_by_surge_it_is_asked_for_while_the_old_slot_still_serves() -> None:
    web = app("web", 5000, 5001)
    plan = planned(old(2), web, batch=1, rollout={"strategy": "surge"})
    first = plan.batches[0][0]
    assert [type(step) for step in first.steps][-2:] == [PassSmokeTests, RecordDeployed]
    assert first.steps[-2].app.port == 5001
    assert type(first.after[0]).__name__ == "DeregisterTarget"
    failed = failed_host.recovery_of(first, first.steps[-2], is_bad=False)
    assert failed.serves
    assert not any(type(step).__name__ == "StartUnit" for step in failed.steps)


def test_each_app_asks_in_the_first_batch_that_takes_it() -> None:
    web, admin = app(), app("admin", 5100)
    assert asking(planned(old(2, "web", "admin"), web, admin, batch=1)) == [
        ["host-1", "host-1 admin"],
        [],
    ]


@pytest.mark.parametrize("settings", [{"smoke": []}, {"smoke_through": None}])
def test_without_tests_or_without_a_way_nothing_is_asked(settings: dict[str, Any]) -> None:
    assert asking(planned(old(2), app(**settings), batch=1)) == [[], []]


def test_a_plan_without_a_way_says_that_hosts_are_asked_only() -> None:
    printed = run_entries.printed(planned(old(2), app(smoke_through=None), batch=1), is_full=True)
    assert "2 smoke tests (on the hosts only), then up 5 s" in printed
    printed = run_entries.printed(planned(old(2), batch=1), is_full=True)
    assert "2 smoke tests, then up 5 s" in printed
    assert "host-1: pass 2 smoke tests through https://www.example.org" in printed


def test_grpc_is_asked_on_the_hosts_and_the_plan_says_so() -> None:
    plan = planned(old(2), batch=1, group={"protocol_version": "GRPC", "matcher": "0"})
    assert asking(plan) == [[], []]
    assert any("asked on the hosts only: its target group speaks gRPC" in w for w in plan.warnings)


def test_each_test_asks_as_users_do_and_takes_the_codes_that_hold_on_the_hosts() -> None:
    smoke = [{"path": "/"}, {"path": "/a?b=c", "host": "shop.example.org", "expect": "302"}]
    through = {"url": "http://www.example.org:8080/", "release_header": "X-Version"}
    plan = planned(old(1), app(smoke=smoke, smoke_through=through), group={"matcher": "200-204"})
    step = next(step for step in plan.steps if isinstance(step, PassSmokeTests))
    first, second = step.tests
    assert str(first) == "GET http://www.example.org:8080/ gives 200-204"
    assert first.request.host_header == "www.example.org:8080"
    assert second.request.host_header == "shop.example.org"
    assert second.request.path == "/a?b=c"
    assert (second.request.address, second.request.port) == ("www.example.org", 8080)
    assert not second.request.is_tls
    assert second.header == "X-Version"


def test_a_recovery_of_a_failed_test_takes_the_host_out_and_back_to_its_old_release() -> None:
    first = planned(old(2), batch=1).batches[0][0]
    asked = next(step for step in first.steps if isinstance(step, PassSmokeTests))
    back = failed_host.recovery_of(first, asked, is_bad=False)
    kinds = [type(step).__name__ for step in back.steps]
    assert kinds == [
        "DeregisterTarget",
        "WaitDrained",
        "StopUnit",
        "SwitchRelease",
        "StartUnit",
        "ProveRelease",
        "RegisterTarget",
        "WaitHealthy",
        "ForgetOut",
    ]
    assert back.serves
    blamed = failed_host.recovery_of(first, asked, is_bad=True)
    assert "MarkBad" in {type(step).__name__ for step in blamed.steps}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "www.example.org"}, "smoke_through.url"),
        ({"url": "ftp://www.example.org"}, "smoke_through.url"),
        ({"url": "https://www.example.org/shop"}, "smoke_through.url"),
        ({"url": "https://me:secret@www.example.org"}, "smoke_through.url"),
        ({"url": "https://www.example.org:99999"}, "smoke_through.url"),
        ({"url": "https://www.example.org", "release_header": "X Version"}, "release_header"),
        ({}, "smoke_through.url"),
    ],
)
def test_what_is_no_way_through_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        app(smoke_through=settings)


def test_a_worker_has_no_way_through() -> None:
    with pytest.raises(ValueError, match="has no meaning for a worker"):
        builders.worker(smoke_through={"url": "https://www.example.org"})
