"""P10: targets that are no hosts of the environment keep their release, so they are named."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
import run_entries
from builders import HEALTHY, UNHEALTHY
from rich.console import Console

from deploy.aws.targets import GONE, Health, State, Target
from deploy.commands import conclusion
from deploy.errors import BadInput
from deploy.plan import assembly
from deploy.plan.capacity import InService
from deploy.run.report import ExitCode, Outcome, Report
from deploy.screen.status import overview
from deploy.screen.tables import render_report
from deploy.survey import foreign_targets, other_targets

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.survey.facts import Survey

WEB = builders.app()
STRANGER = Target("i-0f0f0f0f0f0f0f0f0", 5000)
NAMED = f"web-lab: {STRANGER} is no host of this environment"
STOPPED = Health(State.UNUSED, "Target.InvalidState")
IDLE = f"{NAMED}, and {STOPPED}: it gets no requests now, and keeps its release"


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
        (STOPPED, True),
        (Health(State.UNUSED, "Target.NotInUse"), True),
        (Health(State.UNUSED, "Target.IpUnusable"), True),
        (Health(State.UNUSED, "Target.NotRegistered"), False),
        (GONE, False),
    ],
)
def test_p10_one_that_is_registered_and_does_not_leave_counts(
    health: Health, *, counts: bool
) -> None:
    assert bool(foreign_targets.find(seen(health), [WEB])) is counts


@pytest.mark.parametrize("kind", ["other_hosts", "left_out", "asked"])
def test_p10_hosts_that_the_command_is_not_about_are_none(kind: str) -> None:
    third = builders.host(3)
    given: dict[str, Any] = {kind: {third: "no answer"} if kind == "left_out" else (third,)}
    survey = replace(seen(target=Target(third.instance_id, 5000)), **given)
    assert foreign_targets.find(survey, [WEB]) == ()


@pytest.mark.parametrize("kind", ["hosts", "other_hosts"])
def test_p10_a_host_by_another_of_its_addresses_is_none(kind: str) -> None:
    """To deregister it, as the message for others says, may take the only target of a host."""
    facts, other = builders.facts(1), Target("10.0.0.99", 5000)
    host = replace(facts.host, addresses=frozenset({other.id}))
    survey = builders.survey([replace(facts, host=host)], apps=[WEB], target_type="ip")
    for (group,) in survey.groups.values():
        survey.health[group.arn] = {other: HEALTHY}
    if kind == "other_hosts":
        survey = replace(survey, hosts=(), asked=(), other_hosts=(host,))
    assert foreign_targets.find(survey, [WEB]) == ()
    if kind == "hosts":
        (found,) = other_targets.find(survey, [WEB], [])
        assert "before you deregister it" in found.problem


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


def planned(survey: Survey) -> Plan:
    """A plan of an environment that refuses unknown targets."""
    given = builders.environment()
    foreign_targets.refuse(given, survey)
    return assembly.make(given, (builders.offer(WEB, survey.hosts),), survey)


def report_of(plan: Plan) -> str:
    """What the report of a plan that succeeded shows."""
    shown = io.StringIO()
    report = Report(plan, dict.fromkeys(("host-1", "host-2"), Outcome.DONE))
    Console(file=shown, width=400).print(render_report(run_entries.story(report)))
    return shown.getvalue()


def test_p10_one_that_gets_no_requests_now_is_named_and_not_refused() -> None:
    """An instance that was stopped overnight serves the old release when it starts."""
    survey = seen(STOPPED)
    plan = planned(survey)
    assert IDLE in plan.warnings
    assert IDLE in report_of(plan)
    status = overview(builders.environment(), survey)
    assert (status.foreign, status.exit_code) == ((), ExitCode.DONE)
    assert IDLE in status.notes


RESTING = replace(builders.host(3), scaling_group="fleet")


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (HEALTHY, "and healthy: it keeps its release"),
        (UNHEALTHY, "and unhealthy (Target.ResponseCodeMismatch): it keeps its release"),
        (STOPPED, "and unused (Target.InvalidState): it gets no requests now, and keeps its"),
    ],
)
@pytest.mark.parametrize("state", ["Standby", "Warmed:Stopped", "Pending:Wait", "Terminating"])
def test_p10_an_instance_that_its_group_rests_is_named_with_its_state_and_not_refused(
    state: str, health: Health, said: str
) -> None:
    """Neither to add it to `hosts:` nor to deregister it would be right."""
    survey = replace(seen(health, Target(RESTING.instance_id, 5000)), resting={RESTING: state})
    plan = planned(survey)
    named = f"{RESTING.instance_id}:5000 is host-3, {state} in the Auto Scaling group fleet, {said}"
    assert named in " ".join(plan.warnings)
    assert named in report_of(plan)
    assert "no host of this environment" not in run_entries.printed(plan)
    status = overview(builders.environment(), survey)
    assert (status.foreign, status.exit_code) == ((), ExitCode.DONE)
    assert named in " ".join(status.notes)


def test_p2_one_that_rests_is_capacity_only_where_it_serves() -> None:
    """As with every target that is no host."""
    sizes: dict[str, int] = {}
    for health in (HEALTHY, UNHEALTHY, STOPPED):
        target = Target(RESTING.instance_id, 5000)
        survey = replace(seen(health, target), resting={RESTING: "Standby"})
        (group,) = survey.groups["web"]
        sizes[str(health.state)] = InService.of(WEB, group, survey).size
    assert sizes == {"healthy": 3, "unhealthy": 2, "unused": 2}


@pytest.mark.parametrize(
    ("policy", "health", "code"),
    [
        ("refuse", GONE, ExitCode.DONE),
        ("refuse", STOPPED, ExitCode.DONE),
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
        (STOPPED, HEALTHY, ExitCode.MIXED),
        (HEALTHY, STOPPED, ExitCode.DONE),
        (GONE, STOPPED, ExitCode.DONE),
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
