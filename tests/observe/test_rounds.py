"""One host that serves is taken out and put back in, twice; its service is never stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import RUNNING, UNHEALTHY
from plan.test_assembly import old

from deploy.clock import CLOCK
from deploy.errors import BadInput, NotProven
from deploy.hosts.probe.request import Reply
from deploy.hosts.records import Record
from deploy.observe import rounds, trace
from deploy.observe.watch import WatchDraining
from deploy.recovery import failed_host
from deploy.steps.answers import ProvePrevious
from deploy.steps.target import DeregisterTarget
from deploy.survey.slot import Slot, UnitState
from observe.test_findings import GROUP, SEEN

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.steps.fleet import Fleet
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


def undeployed(slot: Slot | None = None) -> Survey:
    """What runs was put there by something else."""
    seen = builders.survey([builders.facts(1, {"web": slot or Slot()}), *OTHERS])
    return replace(seen, hosts=seen.hosts[:1], other_hosts=tuple(each.host for each in OTHERS))


BEFORE = Slot(replaces=RUNNING)
"""The unit that the app replaces serves, as before any deploy."""
WEB = builders.app(replaces="old-web.service")


def first_of_all(slot: Slot) -> Plan:
    return rounds.make(builders.environment(WEB), undeployed(slot))


def test_the_unit_that_the_app_replaces_is_observed_before_the_first_deploy() -> None:
    """Proven as what it is: no release of ours runs."""
    plan = first_of_all(BEFORE)
    assert "Observe web old-web.service on lab" in plan.title
    (host_plan,) = plan.batches[0]
    names = [type(step).__name__ for step in host_plan.steps]
    assert names[3:5] == ["ProvePrevious", "RegisterTarget"]
    assert "StopUnit" not in names
    assert str(host_plan.steps[3]) == "prove old-web.service: GET :5000/health gives 200"


def test_p4_where_the_previous_unit_is_not_proven_the_target_goes_back_in() -> None:
    (host_plan,) = first_of_all(BEFORE).batches[0]
    way = failed_host.recovery_of(host_plan, host_plan.steps[3])
    names = [type(step).__name__ for step in way.steps]
    assert names == ["RegisterTarget", "WaitHealthy", "ForgetOut"]


@pytest.mark.parametrize(
    "slot",
    [
        replace(BEFORE, out="?"),
        replace(BEFORE, unit_state=RUNNING),
        builders.slot(replaces=RUNNING, unit_state=UnitState()),
        Slot(),
    ],
    ids=["out by us", "beside ours", "deployed since", "not running"],
)
def test_a_previous_unit_that_does_not_serve_alone_is_refused(slot: Slot) -> None:
    with pytest.raises(BadInput, match="or the unit under `replaces:`"):
        first_of_all(slot)


class PaperHost:
    """A host that answers questions with a code, and whose unit is in a state; its own fleet."""

    clock = CLOCK

    def __init__(self, code: int, active: str) -> None:
        self.code, self.active = code, active

    def remote(self, host: object) -> PaperHost:
        del host
        return self

    def probe(self, request: object, seconds: float) -> Reply:
        del request, seconds
        return Reply(self.code)

    def pause_asking(self, began: float) -> None:
        del began

    def ask(self, script: object, seconds: float) -> UnitState:
        del script, seconds
        return replace(RUNNING, active=self.active)


def test_what_was_returned_to_is_observed_as_the_previous_unit_too() -> None:
    past = (*builders.slot().history, Record.of_previous("old-web.service"))
    back = Slot(replaces=RUNNING, previous_name="old-web.service", history=past)
    (host_plan,) = first_of_all(back).batches[0]
    assert str(host_plan.steps[3]) == "prove old-web.service: GET :5000/health gives 200"


@pytest.mark.parametrize(
    ("code", "active", "said"),
    [
        (200, "active", ""),
        (200, "failed", "old-web.service is failed"),
        (503, "active", "old-web.service gave answer 503, not 200"),
    ],
)
def test_p3_the_previous_unit_is_registered_only_where_it_runs_and_answers(
    code: int, active: str, said: str
) -> None:
    (host_plan,) = first_of_all(BEFORE).batches[0]
    app = builders.app(replaces="old-web.service", start_timeout_seconds=1).at(5000)
    proof = replace(cast("ProvePrevious", host_plan.steps[3]), app=app)
    assert isinstance(proof, ProvePrevious)
    fleet = cast("Fleet", PaperHost(code, active))
    if said:
        with pytest.raises(NotProven, match=said):
            proof.run(fleet)
    else:
        proof.run(fleet)


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


def test_a_name_with_a_comma_is_one_host_and_two_hosts_are_refused() -> None:
    one = replace(builders.host(1), name="web, blue")
    rounds.refuse_several([one])
    with pytest.raises(BadInput, match=r"--host names several hosts \(web, blue, host-2\)"):
        rounds.refuse_several([one, builders.host(2)])


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
