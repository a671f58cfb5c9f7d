"""A slot in which nothing runs has nothing to drain; wherever requests may be, the drain stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import HEALTHY, UNHEALTHY
from plan.test_assembly import made, names, old

from deploy.aws.targets import Health, State
from deploy.command_result import CommandResult
from deploy.errors import RemoteError, Unreachable
from deploy.plan import host_steps
from deploy.steps.shorter_drain import DrainIfBusy
from deploy.survey.slot import Listener, Slot, UnitState

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script
    from deploy.plan.plan import Plan
    from deploy.steps.fleet import Fleet

DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
INITIAL = Health(State.INITIAL, "Elb.InitialHealthChecking")
WEB = builders.app()
STOPPED = UnitState("loaded", "inactive", "dead", "enabled")
FAILED = UnitState("loaded", "failed", "failed", "enabled")
NGINX = Listener(7, "nginx.service", "nginx")


def drains(plan: Plan) -> list[str]:
    """The drains of the first host, by kind."""
    steps = [step for step in plan.steps if step.host.name == "host-1"]
    return [name for name in names(steps) if name in {"DrainIfBusy", "WaitDrained", "WaitQuiet"}]


IDLE: dict[str, tuple[Slot, Health]] = {
    "a first install on a host that was registered by hand": (Slot(), UNHEALTHY),
    "a first install, registered a moment ago": (Slot(), INITIAL),
    "stopped by hand": (builders.slot(unit_state=STOPPED), UNHEALTHY),
    "failed, and not started again": (builders.slot(unit_state=FAILED), UNHEALTHY),
    "stopped by a deploy that was killed": (builders.slot(unit_state=STOPPED, out="{}"), DRAINING),
}
BUSY: dict[str, tuple[Slot, Health]] = {
    "it runs": (builders.slot(), HEALTHY),
    "it runs and is sick: where all are, the group sends to it": (builders.slot(), UNHEALTHY),
    "it was registered again a moment ago": (builders.slot(), INITIAL),
    "it drains": (builders.slot(), DRAINING),
    "it starts again and again": (
        builders.slot(unit_state=UnitState("x", "activating")),
        UNHEALTHY,
    ),
    "it is ending its last requests": (
        builders.slot(unit_state=UnitState("x", "deactivating")),
        UNHEALTHY,
    ),
    "the unit that it replaces runs": (Slot(replaces=builders.RUNNING), UNHEALTHY),
    "the unit that it replaces is ending": (
        Slot(replaces=UnitState("x", "deactivating")),
        DRAINING,
    ),
    "something listens there": (Slot(listeners=(NGINX,)), UNHEALTHY),
    "AWS finds it healthy: a container answers": (Slot(), HEALTHY),
}


@pytest.mark.parametrize(("slot", "health"), IDLE.values(), ids=IDLE)
@pytest.mark.parametrize("drain", ["wait", "quiet"])
def test_a_host_on_which_nothing_runs_does_not_wait_for_a_drain(
    slot: Slot, health: Health, drain: str
) -> None:
    hosts = [builders.facts(1, {"web": slot}), *old(2, 3)]
    plan = made(hosts, {"host-1": health}, rollout={"drain": drain, "min_in_service": 1})
    assert drains(plan) == ["DrainIfBusy"]
    first = plan.batches[0][0]
    assert first.host.name == "host-1"
    (step,) = [step for step in first.steps if isinstance(step, DrainIfBusy)]
    assert step.estimated_seconds(()) == 0
    assert step.longest_seconds(()) >= 15
    if drain == "wait":
        assert str(step) == "see that nothing runs in web@5000.service; otherwise drain 20 s"


@pytest.mark.parametrize(("slot", "health"), BUSY.values(), ids=BUSY)
def test_p1_where_requests_may_be_under_way_the_drain_stays(slot: Slot, health: Health) -> None:
    app = builders.app(replaces="legacy.service")
    hosts = [builders.facts(1, {"web": slot}), *old(2, 3)]
    plan = made(hosts, {"host-1": health}, apps=(app,), rollout={"min_in_service": 1})
    assert drains(plan) == ["WaitDrained"]


def test_an_address_that_drains_is_waited_for_though_nothing_runs() -> None:
    """It could not be registered before the delay is over."""
    facts = [builders.facts(n, {"web": builders.slot(unit_state=STOPPED)}) for n in (1, 2)]
    seen = builders.survey(facts, target_type="ip")
    on = seen.on(facts[0].host, WEB)
    (group,) = on.groups
    seen.health[group.arn] = {on.targets[0]: DRAINING}
    environment = builders.environment()
    again = seen.on(facts[0].host, WEB)
    assert names(host_steps.emptied(again, environment)) == ["WaitDrained"]
    seen.health[group.arn] = {on.targets[0]: UNHEALTHY}
    again = seen.on(facts[0].host, WEB)
    assert names(host_steps.emptied(again, environment)) == ["DrainIfBusy"]


def test_healthy_in_one_group_is_enough_for_a_drain() -> None:
    app = builders.app(target_groups=["public", "internal"])
    facts = [builders.facts(1)]
    seen = builders.survey(facts, {"host-1": UNHEALTHY}, [app])
    assert names(host_steps.emptied(seen.on(facts[0].host, app), builders.environment(app))) == [
        "DrainIfBusy"
    ]
    on = seen.on(facts[0].host, app)
    seen.health[on.groups[1].arn][on.targets[1]] = HEALTHY
    assert names(host_steps.emptied(seen.on(facts[0].host, app), builders.environment(app))) == [
        "WaitDrained"
    ]


def test_the_slot_that_a_deploy_left_beside_the_one_in_use_does_not_drain_where_it_is_down() -> (
    None
):
    two = builders.app("web", 5000, 5001)
    facts = builders.facts(1, {"web": builders.slot()}, spares={"web": Slot(out="{}")})
    seen = builders.survey([facts], apps=[two])
    builders.see(seen, two.at(5001), 1, UNHEALTHY)
    steps = host_steps.left_over(seen.on(facts.host, two), builders.environment(two))
    assert names(steps) == ["DeregisterTarget", "DrainIfBusy", "ForgetOut"]


# What the host shows when its turn comes.


@dataclass
class Drain:
    """The drain that is wanted where something runs."""

    runs: list[str] = field(default_factory=list)

    def run(self, fleet: Fleet) -> None:
        del fleet
        self.runs.append("drained")


@dataclass
class PaperHost:
    """A host that answers so, or not at all."""

    facts: tuple[str, ...] = ()
    exit_code: int = 0
    error: Exception | None = None

    def remote(self, host: object) -> PaperHost:
        del host
        return self

    def ask(self, script: Script[Any]) -> Any:
        if self.error:
            raise self.error
        return script.parse(CommandResult("", self.exit_code, "", "", facts=self.facts))


def ran(host: PaperHost) -> bool:
    """Whether the drain was run."""
    drain = Drain()
    step = DrainIfBusy(builders.host(), WEB.at(5000), cast("Any", drain))
    step.run(cast("Any", host))
    return bool(drain.runs)


LISTENING = "web.listener=7 6e67696e78 0::/system.slice/nginx.service"


@pytest.mark.parametrize("active", ["inactive", "failed"])
def test_where_nothing_runs_in_its_turn_either_it_goes_on_at_once(active: str) -> None:
    assert not ran(PaperHost((f"show.ActiveState={active}",)))


ELSE: dict[str, PaperHost] = {
    **{
        active: PaperHost((f"show.ActiveState={active}",))
        for active in ("active", "activating", "deactivating", "reloading", "maintenance", "?")
    },
    "a listener": PaperHost(("show.ActiveState=inactive", LISTENING)),
    "a listener that is unknown": PaperHost(("show.ActiveState=inactive", "web.listener?")),
    "no answer": PaperHost(),
    "an exit code": PaperHost(("show.ActiveState=inactive",), exit_code=1),
    "no connection": PaperHost(error=Unreachable("x")),
    "too long an answer": PaperHost(error=RemoteError("x")),
}


@pytest.mark.parametrize("name", ELSE)
def test_p1_where_something_runs_after_all_or_nothing_is_known_it_drains(name: str) -> None:
    assert ran(ELSE[name])
