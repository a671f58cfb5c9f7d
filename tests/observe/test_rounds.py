"""One host that serves is taken out and put back in, twice; its service is never stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import UNHEALTHY
from plan.test_assembly import old

from deploy.errors import BadInput
from deploy.observe import rounds, trace
from deploy.observe.watch import WatchDraining
from deploy.recovery import failed_host
from deploy.steps.target import DeregisterTarget
from deploy.survey.slot import Slot
from observe.test_findings import GROUP, SEEN

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.survey.facts import Survey

HOST, *OTHERS = old(1, 2, 3)


def survey(**health: Any) -> Survey:
    """The first of three hosts is asked for; the others' targets are known."""
    seen = builders.survey([HOST, *OTHERS], health)
    others = tuple(each.host for each in OTHERS)
    return replace(seen, hosts=(HOST,), asked=(HOST.host,), other_hosts=others)


def made(seen: Survey | None = None, **settings: Any) -> Plan:
    return rounds.make(builders.environment(**settings), seen or survey())


def test_a_round_takes_the_target_out_and_never_stops_the_service() -> None:
    plan = made()
    assert plan.verb == "Observe"
    assert len(plan.batches) == 2
    (first,), (second,) = plan.batches
    assert first == second
    assert [type(step).__name__ for step in first.steps] == [
        "WatchServing",
        "DeregisterTarget",
        "WatchDraining",
        "ProveRelease",
        "RegisterTarget",
        "WaitHealthy",
        "ForgetOut",
        "NoteObservation",
    ]
    assert plan.minimums == ({"web-lab": 2}, {"web-lab": 2})
    assert plan.staging == ()


def test_a_window_of_the_settings_is_none_of_this() -> None:
    plan = made(batch=None, rollout={"window": 2})
    assert [plan.at_a_time(number) for number in (1, 2)] == [0, 0]


@pytest.mark.parametrize("kind", [WatchDraining, DeregisterTarget])
def test_p4_where_it_stops_the_target_goes_back_in(kind: type) -> None:
    (host_plan,) = made().batches[0]
    step = next(step for step in host_plan.steps if isinstance(step, kind))
    way = failed_host.recovery_of(host_plan, step, still_runs=True)
    names = [type(step).__name__ for step in way.steps]
    assert names == ["RegisterTarget", "WaitHealthy", "ForgetOut"]
    assert way.serves


def undeployed() -> Survey:
    """What runs was put there by something else."""
    seen = builders.survey([builders.facts(1, {"web": Slot()}), *OTHERS])
    return replace(seen, hosts=seen.hosts[:1], other_hosts=tuple(each.host for each in OTHERS))


REFUSED: dict[str, tuple[Survey, dict[str, Any], str]] = {
    "not healthy": (survey(**{"host-1": UNHEALTHY}), {}, "only a host that serves"),
    "never deployed": (undeployed(), {}, "only a host that serves"),
    "not read": (
        replace(survey(), hosts=(), unreachable={"host-1": "host-1: no answer"}),
        {},
        "host-1: no answer",
    ),
    "too few others": (
        survey(**{"host-2": UNHEALTHY, "host-3": UNHEALTHY}),
        {},
        "would leave no target of web-lab in service",
    ),
    "under the policy": (
        survey(**{"host-2": UNHEALTHY}),
        {"rollout": {"min_in_service": 2}},
        "the policy wants 2",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_observed_is_refused(name: str) -> None:
    seen, settings, expected = REFUSED[name]
    with pytest.raises(BadInput, match=expected):
        made(seen, **settings)


def test_of_several_apps_one_is_to_be_named() -> None:
    apps = builders.app(), builders.app("admin", 5100)
    with pytest.raises(BadInput, match=r"say which with --app \(web, admin\)"):
        rounds.make(builders.environment(*apps), survey())


def test_a_trace_names_nothing() -> None:
    text = trace.as_json([GROUP], [SEEN, SEEN])
    for name in (GROUP.name, GROUP.arn, *GROUP.load_balancers, GROUP.health_path):
        assert name not in text
    read = json.loads(text)
    assert read["format"] == trace.FORMAT
    assert read["rounds"][0]["last_request_seconds"] == 4.0
    assert read["groups"][0]["delay_seconds"] == 60.0
