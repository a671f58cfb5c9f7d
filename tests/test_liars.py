"""P12: a host that lies in its answers costs its own part, with every verb, and nothing else."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import builders
import pytest
import run_entries
from builders import NEW, OLD
from simulated import performance, stage
from simulated.faults import Command
from simulated.liars import Liar, Lie
from simulated.world import Fleets, World
from survey.test_gather import PRINTED, Telling, answered, gather

from deploy.aws.targets import GONE, State
from deploy.command_result import CommandResult
from deploy.errors import BadInput, ConnectionLost, RemoteError
from deploy.plan import assembly, exclusion
from deploy.recovery import repair, rollback
from deploy.run.progress import Progress
from deploy.run.report import WELL, ExitCode, Outcome
from deploy.screen import status
from deploy.settings.scope import Scope
from deploy.survey.facts import Survey

if TYPE_CHECKING:
    from collections.abc import Iterator


HONEST = ["host-1", "host-3", "host-4"]
POLICY = (("batch", 1), ("max_failures", 1), ("min_in_service", 2))


@pytest.fixture(scope="module")
def on_stage() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stage.take_the_stage(patch)
        yield


@pytest.mark.usefixtures("on_stage")
@pytest.mark.parametrize("lie", Lie)
@pytest.mark.parametrize("verb", ["deploy", "rollback", "repair"])
def test_a_host_that_lies_costs_its_own_part(verb: str, lie: Lie) -> None:
    for seed in range(6):
        world = World(Fleets(hosts=4, rollout=POLICY))
        ended = performance.perform(world, Command(verb, liar=Liar(2, lie, seed)))
        assert not world.wrongs, world.wrongs
        assert ended.report, ended.refused
        assert ended.report.exit_code in {
            ExitCode.DONE,
            ExitCode.FAILED,  # a repair that fails on this host alone: all others were whole
            ExitCode.MIXED,
            ExitCode.OUT_OF_SERVICE,
        }
        assert {failure.host.name for failure in ended.report.failures} <= {"host-2"}
        ends = {ended.report.outcomes[host] for host in HONEST}
        assert ends <= WELL
        expected = {"deploy": "3.0.0", "rollback": "1.0.0", "repair": "2.0.0"}[verb]
        runs = {world.homes[host, "web"].places[0].link.partition("-")[0] for host in HONEST}
        assert runs == {expected}


GARBAGE = [
    "\x00\xff" * 1000,
    "free_kb=²\nsystemd=systemd ٣\n",
    "free_kb=" + "9" * 5000,
    "web.history=" + "[" * 100_000,
    'web.history={"format": 99, "release": "1"}',
    "web.5000.out=" + '{"a":' * 100_000,
    "x\n" * 100_000,
    "",
]
LIES: dict[str, CommandResult | RemoteError] = {
    **{f"garbage {number}": answered(text) for number, text in enumerate(GARBAGE)},
    "forged": answered(
        "init=systemd\nsystemd=systemd 252\nweb.5000.link=../releases/9.9.9-ffffffffffff\n"
    ),
    "an exit code": answered("²", 255),
    "endless": RemoteError("host-2: more than 4 MiB"),
    "silent": ConnectionLost("host-2: no answer in 30 s"),
}


@pytest.mark.parametrize("lie", LIES)
def test_status_shows_all_others_whatever_one_host_answers(
    lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.survey.gather.PATIENCE_SECONDS", 0.0)
    true = answered(PRINTED)
    seen = gather(Telling(1, true), Telling(2, LIES[lie]), Telling(3, true))
    told = status.overview(builders.environment(), seen)
    assert sorted({row.host for row in told.rows}) == ["host-1", "host-2", "host-3"]
    rest = [row for row in told.rows if row.host != "host-2"]
    assert {row.state for row in rest} == {str(State.UNUSED)}
    assert told.as_json()


def test_status_survives_whatever_one_host_prints() -> None:
    drawn = random.Random(5)  # noqa: S311 - no secret
    keys = [
        "web.history",
        "web.partial",
        "web.5000.show.MainPID",
        "web.5000.listener",
        "systemd",
        "lock",
        "lock_age",
        "progress",
    ]
    true = answered(PRINTED)
    for _ in range(300):
        lines = [
            f"{drawn.choice(keys)}={drawn.randbytes(drawn.randint(0, 40)).decode('latin-1')}"
            for _ in range(9)
        ]
        seen = gather(Telling(1, true), Telling(2, answered("\n".join(lines))))
        assert "host-1" in {facts.host.name for facts in seen.hosts}
        status.overview(builders.environment(), seen).as_json()


def seen(*unread: int, hosts: int = 4) -> Survey:
    """Hosts that run the old release, of which these cannot be read."""
    facts = [builders.facts(n, {"web": builders.slot()}) for n in range(1, hosts + 1)]
    told = builders.survey(facts)
    rest = tuple(each for each in facts if each.host.name not in {f"host-{n}" for n in unread})
    why = {f"host-{n}": f"host-{n}: no answer" for n in unread}
    return Survey(rest, told.groups, told.health, why, 0, tuple(each.host for each in facts))


def test_a_host_that_cannot_be_read_is_left_out_and_its_target_counts_as_aws_says() -> None:
    environment = builders.environment(rollout={"max_failures": 1})
    fit = exclusion.leave_out(environment, seen(2), {}, Scope("lab"))
    made = assembly.make(environment, (builders.offer(builders.app(), fit.hosts),), fit)
    assert [host.name for host in made.hosts] == HONEST
    assert {host.name: why for host, why in made.left_out.items()} == {"host-2": "no answer"}
    for is_full in (False, True):
        printed = run_entries.printed(made, is_full=is_full)
        assert printed.count("Warning: host-2 is left out: no answer") == 1
    assert made.minimums == ({"web-lab": 3},) * 3, "four targets, of which one is out at a time"
    assert made.tolerated == 1


def test_a_host_that_is_left_out_is_a_failure_from_the_start() -> None:
    environment = builders.environment(rollout={"max_failures": 1})
    fit = exclusion.leave_out(environment, seen(2), {}, Scope("lab"))
    made = assembly.make(environment, (builders.offer(builders.app(), fit.hosts),), fit)
    progress = Progress(made, lambda _: None)
    assert not progress.is_spent()
    for host in HONEST:
        progress.ended(host, Outcome.DONE)
    report = progress.report(1.0, 0, lost=False)
    assert report.exit_code is ExitCode.MIXED
    assert not report.stopped_short
    assert [(f.host.name, f.error) for f in report.failures] == [("host-2", "no answer")]
    assert report.outcomes["host-2"] is Outcome.LEFT_OUT


def test_by_default_no_host_may_fail_and_all_are_named_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        exclusion.leave_out(builders.environment(), seen(2, 3), {}, Scope("lab", app="web"))
    assert str(refused.value).splitlines() == [
        "2 hosts (host-2, host-3): no answer",
        "2 hosts cannot take part, and max_failures tolerates 0. Repair first, or leave out with "
        "--skip-host host-2,host-3: inv deploy --env lab --app web --skip-host host-2,host-3",
    ]


def test_repair_waits_for_no_host_that_cannot_be_read() -> None:
    note = '{"target": "i-1:5000"}'
    facts = [builders.facts(n, {"web": builders.slot(out=note)}) for n in (1, 2, 3)]
    told = builders.survey(facts)
    why = {"host-2": "host-2: no answer", "host-3": "host-3: no answer"}
    asked = tuple(each.host for each in facts)
    survey = Survey((facts[0],), told.groups, told.health, why, 0, asked)
    made = repair.make(builders.environment(), survey)
    assert {step.host.name for step in made.steps} == {"host-1"}
    assert sorted(host.name for host in made.left_out) == ["host-2", "host-3"]
    progress = Progress(made, lambda _: None)
    assert not progress.is_spent(), "neither keeps host-1 from its turn"
    progress.ended("host-1", Outcome.DONE)
    assert progress.report(1.0, 0, lost=False).exit_code is ExitCode.MIXED
    with pytest.raises(BadInput, match="No host is left for this command"):
        repair.make(builders.environment(), Survey((), told.groups, told.health, why, 0, asked))


def test_a_way_back_waits_for_no_host_that_cannot_be_read() -> None:
    """`on_failure: rollback`: two of three finished hosts go back, the third one is named."""
    past = builders.slot(OLD).history
    new = builders.unit(text=f"[Service]\n# {NEW}\n")
    own = builders.slot(NEW, new, releases=(OLD, NEW), kept=frozenset({past[0].kept}))
    facts = [builders.facts(n, {"web": own}) for n in (1, 2, 3)]
    told = builders.survey(facts)
    wanted = {"web": {f"host-{n}": past[0] for n in (1, 2, 3)}}
    asked = tuple(each.host for each in facts)
    why = {"host-3": "host-3: no answer"}
    survey = Survey(tuple(facts[:2]), told.groups, told.health, why, 0, asked)
    made = rollback.take_back(builders.environment(), survey, wanted)
    assert {step.host.name for step in made.steps} == {"host-1", "host-2"}
    assert [host.name for host in made.left_out] == ["host-3"]
    assert not Progress(made, lambda _: None).is_spent()


def test_a_host_that_serves_and_wants_a_switch_does_not_keep_others_from_their_repair() -> None:
    """Its switch would take one more out of service; the one that is out needs none."""
    past = builders.slot(OLD)
    liar = builders.slot(OLD, link=NEW, releases=(OLD, NEW))
    facts = [
        builders.facts(1, {"web": liar}),
        builders.facts(2, {"web": builders.slot(out='{"target": "i-2:5000"}')}),
        builders.facts(3, {"web": past}),
    ]
    told = builders.survey(facts, {"host-2": GONE})
    made = repair.make(builders.environment(), told)
    assert {step.host.name for step in made.steps} == {"host-2"}
    assert [host.name for host in made.left_out] == ["host-1"]
    alone = builders.survey(facts[:1])
    with pytest.raises(BadInput, match="would leave no target"):
        repair.make(builders.environment(), alone)
