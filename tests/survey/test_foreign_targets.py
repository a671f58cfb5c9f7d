"""P10: targets that are no hosts of the environment keep their release, so they are named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, UNHEALTHY

from deploy.aws.targets import GONE, Health, State, Target
from deploy.cli import conclusion
from deploy.errors import BadInput
from deploy.plan import assembly
from deploy.run.report import ExitCode, Outcome, Report
from deploy.screen.status import overview
from deploy.survey import foreign_targets

if TYPE_CHECKING:
    from deploy.survey.facts import Survey

WEB = builders.app()
STRANGER = Target("i-0f0f0f0f0f0f0f0f0", 5000)
NAMED = f"web-lab: {STRANGER} is no host of this environment"


def seen(health: Health = HEALTHY, target: Target = STRANGER) -> Survey:
    """Two hosts, and a target besides."""
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    found = builders.survey(hosts)
    for (group,) in found.groups.values():
        if health != GONE:
            found.health[group.arn][target] = health
    return found


@pytest.mark.parametrize(
    ("health", "counts"),
    [
        (HEALTHY, True),
        (UNHEALTHY, True),
        (Health(State.INITIAL), True),
        (Health(State.DRAINING), False),
        (Health(State.UNUSED, "Target.InvalidState"), False),
        (GONE, False),
    ],
)
def test_p10_one_that_gets_requests_now_or_soon_counts(health: Health, *, counts: bool) -> None:
    assert bool(foreign_targets.find(seen(health), [WEB])) is counts


@pytest.mark.parametrize("kind", ["other_hosts", "left_out", "asked"])
def test_p10_hosts_that_the_command_is_not_about_are_none(kind: str) -> None:
    third = builders.host(3)
    given: dict[str, Any] = {kind: {third: "no answer"} if kind == "left_out" else (third,)}
    survey = replace(seen(target=Target(third.instance_id, 5000)), **given)
    assert foreign_targets.find(survey, [WEB]) == ()


def test_p10_it_is_refused_with_what_to_type_unless_it_is_accepted() -> None:
    with pytest.raises(BadInput) as refused:
        foreign_targets.refuse(builders.environment(), seen())
    text = str(refused.value)
    assert text.startswith(f"{NAMED}, and healthy: it would go on with the release that it has")
    assert f"--targets Id={STRANGER.id},Port=5000" in text
    assert "`foreign_targets: warn`" in text
    foreign_targets.refuse(builders.environment(foreign_targets="warn"), seen())
    foreign_targets.refuse(builders.environment(), seen(GONE))


def test_p10_plan_and_status_name_it() -> None:
    given = builders.environment(foreign_targets="warn")
    survey = seen()
    plan = assembly.make(given, (builders.offer(WEB, survey.hosts),), survey)
    assert NAMED in plan.warnings
    assert overview(given, survey).foreign == (NAMED,)
    assert NAMED in overview(given, survey).as_json()


@pytest.mark.parametrize(
    ("policy", "health", "code"),
    [
        ("refuse", GONE, ExitCode.DONE),
        ("refuse", HEALTHY, ExitCode.MIXED),
        ("warn", HEALTHY, ExitCode.DONE),
    ],
)
def test_p10_all_is_well_is_said_of_no_fleet_with_an_unknown_target(
    policy: str, health: Health, code: ExitCode
) -> None:
    assert overview(builders.environment(foreign_targets=policy), seen(health)).exit_code is code


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (GONE, GONE, ExitCode.DONE),
        (HEALTHY, UNHEALTHY, ExitCode.DONE),
        (HEALTHY, GONE, ExitCode.DONE),
        (GONE, HEALTHY, ExitCode.MIXED),
    ],
)
def test_p10_one_that_appeared_since_makes_the_fleet_mixed(
    before: Health, after: Health, code: ExitCode
) -> None:
    given = builders.environment(foreign_targets="warn")
    survey = seen(before)
    plan = assembly.make(given, (builders.offer(WEB, survey.hosts),), survey)
    done = Report(plan, dict.fromkeys(("host-1", "host-2"), Outcome.DONE))
    ended = conclusion.as_seen(done, overview(given, seen(after)))
    assert ended.exit_code is code
