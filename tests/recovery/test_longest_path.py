"""For how long a batch may need AWS: a release fails as late as it can, and its host goes back."""

from __future__ import annotations

from typing import Any

import builders
import pytest

from deploy.aws.targets import TargetGroup
from deploy.plan import assembly
from deploy.plan.plan import Plan
from deploy.recovery import longest_path
from deploy.settings.app import App
from deploy.survey.slot import Slot

SETTINGS: dict[str, Any] = {
    "longest_request_seconds": 25,
    "stop_timeout_seconds": 40,
    "start_timeout_seconds": 60,
    "prove_seconds": 5,
    "healthy_timeout_seconds": 180,
}
STOP, START, PROOF, HEALTHY, DRAIN = 40, 60, 60 + 5, 180, 300
OUT_AND_IN = DRAIN + STOP + START + PROOF + HEALTHY


def groups(*apps: App) -> dict[str, tuple[TargetGroup, ...]]:
    """A group of each app, with the delay that AWS gives by default."""
    given = {app.name: app.slots[0].port for app in apps}
    return {
        name: (builders.group(f"{name}-lab", port=port, delay_seconds=DRAIN),)
        for name, port in given.items()
    }


def planned(*apps: App, count: int = 1, slots: Any = None, **policy: Any) -> Plan:
    """A deploy of these apps to so many hosts, which run an older release."""
    now = {app.name: slots or builders.slot() for app in apps}
    hosts = [builders.facts(number, now) for number in range(1, count + 1)]
    seen = builders.survey(hosts, apps=apps, delay_seconds=DRAIN)
    offers = tuple(builders.offer(app, hosts) for app in apps)
    environment = builders.environment(*apps, **policy)
    return assembly.make(environment, offers, seen, allow_downtime=True)


def web(**more: Any) -> App:
    return builders.app(**SETTINGS | more)


CASES: dict[str, tuple[dict[str, Any], float]] = {
    # The second drain is before the registration: without it the host stays out of service.
    "rolling": ({}, 2 * OUT_AND_IN),
    "a soak fails last": (
        {"rollout": {"soak_seconds": 100}},
        2 * OUT_AND_IN + 100,
    ),
    # The drain of a release that fails takes the whole delay, and so may that of the old one.
    "quiet drains": ({"rollout": {"drain": "quiet"}}, 2 * OUT_AND_IN),
}


@pytest.mark.parametrize("name", CASES)
def test_the_longest_path_has_the_recovery_in_it(name: str) -> None:
    policy, expected = CASES[name]
    app = web()
    plan = planned(app, **policy)
    assert longest_path.of_batch(plan.batches[0], groups(app)) == expected
    assert expected > plan.seconds + DRAIN


def test_a_first_install_has_nothing_to_go_back_to() -> None:
    app = web()
    plan = planned(app, slots=Slot(kept=builders.slot().kept))
    (host_plan,) = plan.batches[0]
    assert not host_plan.good
    assert longest_path.of_batch(plan.batches[0], groups(app)) < 2 * OUT_AND_IN


def test_apps_of_one_host_drain_together_and_are_put_back_one_after_the_other() -> None:
    apps = (web(), builders.app("admin", 5100, **SETTINGS))
    one = longest_path.of_batch(planned(apps[0]).batches[0], groups(apps[0]))
    both = longest_path.of_batch(planned(*apps).batches[0], groups(*apps))
    assert one < both <= 2 * one


def test_a_batch_takes_as_long_as_its_slowest_host_and_none_without_hosts() -> None:
    app = web()
    plan = planned(app, count=3, batch=3)
    assert longest_path.of_batch(plan.batches[0], groups(app)) == 2 * OUT_AND_IN
    assert longest_path.of_batch((), groups(app)) == 0


@pytest.mark.parametrize(
    ("policy", "turns"), [({"batch": 1}, 4), ({"batch": None, "rollout": {"window": 2}}, 2)]
)
def test_of_a_plan_the_last_batch_may_be_the_one_that_fails(
    policy: dict[str, Any], turns: int
) -> None:
    app = web()
    plan = planned(app, count=4, **policy)
    each = DRAIN + SETTINGS["prove_seconds"] + builders.group().interval_seconds
    assert plan.seconds == turns * each
    needed = longest_path.of_plan(plan.batches, groups(app), plan.window)
    assert needed == (turns - 1) * each + 2 * OUT_AND_IN


def test_a_plan_that_only_stages_needs_nothing() -> None:
    assert longest_path.of_plan((), {}, 0) == 0
