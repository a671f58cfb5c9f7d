"""A plan is walked as printed: batch by batch, stopped by a failure, ended whole by a signal."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from builders import NEW

from deploy.aws.targets import GONE, Health, State, Target
from deploy.cli import rollout
from deploy.errors import CommandFailed, CommandResult, ConnectionLost, DeployError, LockLost
from deploy.plan import assembly
from deploy.recovery import failed_host, rollback
from deploy.run import capacity_gate, executor
from deploy.run.executor import Execution
from deploy.run.host_runner import HostRunner
from deploy.run.report import (
    BatchBegan,
    Event,
    ExitCode,
    HostEnded,
    Outcome,
    Report,
    StepBegan,
    StepEnded,
    Told,
)
from deploy.steps import base, idle_drain, records, staging, verify
from deploy.steps import target as enrolment
from deploy.steps import unit as switching
from deploy.steps.fleet import Stopped
from deploy.steps.verify import ProveCurrent
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from collections.abc import Set as AbstractSet

    from deploy.aws.inventory import Host
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.settings.app import App, AppInSlot
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet
    from deploy.survey.facts import HostFacts

PATIENCE_SECONDS = 5.0
TWO = (("web", 5000), ("admin", 5100))


Run = Any
Acts = dict[str, "Callable[[Execution], None]"]


class PaperFleet:
    """A fleet on paper: steps only note that they were done, or act as the test says.

    `acts` is by the start of a step's printed line, such as `host-1: stop`.
    """

    def __init__(
        self, acts: Acts, sick: AbstractSet[str] = frozenset(), sick_after: int = 0
    ) -> None:
        """`sick`: hosts whose targets are unhealthy from so many readings on."""
        self.acts, self.done = acts, list[str]()
        self.sick, self.healthy_readings = sick, sick_after
        self.groups = {"web": builders.group()}
        self.stop = threading.Event()
        self.tell: Callable[[str, str], None] = lambda _host, _text: None
        self.execution: Execution | None = None
        self._lock = threading.Lock()

    def do(self, step: Step) -> None:
        line = f"{step.host.name}: {step}"
        for start, act in self.acts.items():
            if line.startswith(start):
                assert self.execution
                act(self.execution)
        with self._lock:
            self.done.append(line)

    def target(self, host: Host, app: AppInSlot) -> Target:
        return Target(host.name, app.port)

    def serving(self, app: App, timeout_seconds: float) -> frozenset[Target]:
        del timeout_seconds
        self.healthy_readings -= 1
        sick = self.sick if self.healthy_readings < 1 else set()
        names = {f"host-{number}" for number in (1, 2, 3)} - sick
        return frozenset(Target(name, app.ports[0]) for name in names)

    def health(self, host: Host, app: AppInSlot) -> Health:
        del host, app
        return builders.HEALTHY

    def remote(self, host: Host) -> PaperFleet:
        del host
        return self

    def ask(self, script: str, what: str) -> CommandResult:
        assert what == "journal"
        return CommandResult(script, 0, "first\nlast\n", "")


def made(hosts: Iterable[HostFacts], *apps: App, **environment: Any) -> Plan:
    served, listed = apps or (builders.app(),), list(hosts)
    offers = tuple(builders.offer(app, listed) for app in served)
    return assembly.make(
        builders.environment(*served, **environment),
        offers,
        builders.survey(listed, apps=served),
        allow_downtime=True,
    )


def old(count: int) -> list[HostFacts]:
    slots: dict[str, Slot] = {"web": builders.slot()}
    return [builders.facts(number, slots) for number in range(1, count + 1)]


@dataclass(frozen=True)
class Ran:
    """A rollout that is over, with all that was heard and done."""

    report: Report
    events: list[Event]
    done: list[str]


KINDS = [
    kind
    for module in (enrolment, verify, idle_drain, records, staging, switching)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, base.OnHost) and kind is not base.OnHost
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Walk a real plan, ways back included, on a paper fleet."""
    for kind in KINDS:
        monkeypatch.setattr(kind, "run", lambda step, fleet: fleet.do(step))
    monkeypatch.setattr(verify.ProveRelease, "look_again", lambda *_: None)

    def execute(plan: Plan, acts: Acts | None = None, **more: Any) -> Ran:
        events: list[Event] = []
        fleet = PaperFleet(acts or {}, **more)
        fleet.execution = Execution(plan, cast("Fleet", fleet), events.append)
        return Ran(fleet.execution.run(), events, fleet.done)

    return execute


def fail(_: object) -> None:
    raise DeployError("it broke")


def stop(execution: Execution) -> None:
    execution.stop(signal.SIGINT)
    raise Stopped("stopped while draining")


def on(lines: Iterable[str], host: str) -> list[str]:
    return [line for line in lines if line.startswith(f"{host}:")]


def test_the_steps_done_are_the_steps_printed(run: Run) -> None:
    plan = made(old(3), batch=2)
    ran = run(plan)
    assert ran.report.exit_code is ExitCode.DONE
    assert sorted(ran.report.executed) == sorted(ran.done)
    printed = [line.strip() for line in str(plan).splitlines() if line.startswith("  ")]
    for number in (1, 2, 3):
        assert on(ran.done, f"host-{number}") == on(printed, f"host-{number}")
    assert sorted(printed) == sorted(ran.done)
    assert ran.report.outcomes == dict.fromkeys(("host-1", "host-2", "host-3"), Outcome.DONE)


def test_all_hosts_are_staged_before_the_first_leaves(run: Run) -> None:
    ran = run(made(old(4)))
    first_out = next(n for n, line in enumerate(ran.done) if "deregister" in line)
    assert len([line for line in ran.done[:first_out] if "verify" in line]) == 4
    assert not any("upload" in line for line in ran.done[first_out:])


def test_a_batch_works_together_and_the_next_waits_for_all_of_it(run: Run) -> None:
    together = threading.Barrier(2)

    def meet(_: object) -> None:
        together.wait(PATIENCE_SECONDS)

    ran = run(
        made(old(4), batch=2),
        {f"host-{number}: drain": meet for number in (1, 2, 3, 4)},
    )
    assert ran.report.exit_code is ExitCode.DONE
    starts = [event.hosts for event in ran.events if isinstance(event, BatchBegan)]
    assert starts == [("host-1", "host-2"), ("host-3", "host-4")]
    second = next(
        n
        for n, event in enumerate(ran.events)
        if isinstance(event, BatchBegan) and event.number == 2
    )
    ended = {event.host for event in ran.events[:second] if isinstance(event, HostEnded)}
    assert ended == {"host-1", "host-2"}


def test_a_failure_stops_the_next_batch_and_lets_this_one_finish(run: Run) -> None:
    ran = run(made(old(4), batch=2), {f"host-1: prove {NEW}": fail})
    assert ran.report.outcomes == {
        "host-1": Outcome.BACK,
        "host-2": Outcome.DONE,
        "host-3": Outcome.WAITING,
        "host-4": Outcome.WAITING,
    }
    assert ran.report.exit_code is ExitCode.MIXED
    assert not any("host-3: deregister" in line for line in ran.done)


def test_a_failure_in_staging_changes_nothing(run: Run) -> None:
    ran = run(made(old(2)), {"host-2: upload": fail})
    assert ran.report.exit_code is ExitCode.FAILED
    assert set(ran.report.outcomes.values()) == {Outcome.WAITING}
    assert not any("deregister" in line or "verify" in line for line in on(ran.done, "host-2"))
    assert not any("deregister" in line for line in ran.done)


def test_a_failure_in_staging_of_a_half_done_fleet_leaves_it_mixed(run: Run) -> None:
    unit = builders.unit(text=f"[Service]\n# {NEW}\n")
    hosts = [builders.facts(9, {"web": builders.slot(NEW, unit)}), *old(1)]
    plan = made(hosts)
    assert isinstance(plan.staging[0].steps[0], ProveCurrent)
    assert run(plan).report.outcomes["host-9"] is Outcome.CURRENT
    ran = run(plan, {"host-1: upload": fail})
    assert ran.report.exit_code is ExitCode.MIXED
    ran = run(plan, {"host-9: already": fail})
    assert ran.report.outcomes["host-9"] is Outcome.WAITING
    assert ran.report.exit_code is ExitCode.MIXED, "it ran two releases, and does"


IN_AGAIN = ["register", "wait", "clear"]
PUT_BACK = ["stop", "switch", "daemon-reload,", "prove", *IN_AGAIN]
STEPS = [
    ("deregister", IN_AGAIN, Outcome.BACK),
    ("drain", IN_AGAIN, Outcome.BACK),
    ("stop", PUT_BACK, Outcome.BACK),
    ("switch", PUT_BACK, Outcome.BACK),
    ("daemon-reload", PUT_BACK, Outcome.BACK),
    ("prove", PUT_BACK, Outcome.BACK),
    ("register", ["deregister", "drain", *PUT_BACK], Outcome.BACK),
    ("wait", ["deregister", "drain", *PUT_BACK], Outcome.BACK),
    ("record", [], Outcome.DONE),
]


@pytest.mark.parametrize(("failing", "way_back", "outcome"), STEPS)
def test_wherever_it_fails_the_host_is_left_as_told(
    failing: str, way_back: list[str], outcome: Outcome, run: Run
) -> None:
    failed: list[str] = []

    def once(_: object) -> None:
        if not failed:
            failed.append("yes")
            raise DeployError("it broke")

    ran = run(made(old(2)), {f"host-1: {failing}": once})
    assert ran.report.outcomes["host-1"] is outcome
    failure = ran.report.failures[0]
    assert [step.split()[0] for step in failure.undone] == way_back
    assert failure.step.startswith(failing)
    assert failure.error == "it broke"
    assert failure.journal == ("first", "last")
    assert failure.health == "healthy"
    assert ran.report.outcomes["host-2"] is Outcome.WAITING


def test_a_way_back_that_fails_is_told_and_the_host_counts_as_out(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: drain": fail, "host-1: wait": fail})
    assert ran.report.outcomes["host-1"] is Outcome.OUT
    assert ran.report.failures[0].undone == (
        "register in web-lab",
        "wait until healthy in web-lab: failed: it broke",
    )
    assert ran.report.exit_code is ExitCode.OUT_OF_SERVICE


def test_a_way_back_of_which_only_the_note_stays_leaves_the_host_in(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: drain": fail, "host-1: clear the note": fail})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert ran.report.failures[0].undone[-1].endswith("failed: it broke")
    assert ran.report.exit_code is ExitCode.FAILED


def test_a_release_that_serves_counts_as_deployed_though_its_record_fails(run: Run) -> None:
    """Also in a way out: a rollback of the finished hosts has to know of it."""
    slots: dict[str, Slot] = {"web": builders.slot(), "admin": builders.slot()}
    plan = made([builders.facts(1, slots)], builders.app(), builders.app("admin", 5100))
    acts: Acts = {"host-1: wait until healthy in web": fail, "host-1: record admin": fail}
    ran = run(plan, acts)
    assert ran.report.deployed == {("host-1", "admin")}
    assert list(rollout.good_before(ran.report)["admin"]) == ["host-1"]


def test_a_failed_command_is_kept_as_data(run: Run) -> None:
    def command(_: object) -> None:
        raise CommandFailed("host-1", "stopping", CommandResult("systemctl stop", 7, "", "no\n"))

    failure = run(made(old(2)), {"host-1: stop": command}).report.failures[0]
    assert (failure.command, failure.exit_code) == ("systemctl stop", 7)
    assert failure.error == "host-1: stopping ended with exit code 7: no"


def test_a_stop_while_draining_puts_the_host_back_and_starts_no_other(run: Run) -> None:
    ran = run(made(old(3)), {"host-1: drain": stop})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert ran.report.exit_code is ExitCode.INTERRUPTED
    assert ran.report.failures == ()
    assert [line.split()[1] for line in on(ran.done, "host-1")[-3:]] == [
        "register",
        "wait",
        "clear",
    ]
    assert not any("deregister" in line for line in ran.done if not line.startswith("host-1"))


def test_a_stop_after_the_switch_takes_the_host_to_its_proven_end(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: prove": lambda execution: execution.stop(signal.SIGTERM)})
    assert ran.report.outcomes == {"host-1": Outcome.DONE, "host-2": Outcome.WAITING}
    assert ran.report.exit_code is ExitCode.TERMINATED
    assert on(ran.done, "host-1")[-1].startswith("host-1: record")


def test_a_stop_while_staging_starts_nothing(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: prepare": lambda execution: execution.stop(signal.SIGHUP)})
    assert ran.report.exit_code is ExitCode.HANGUP
    assert not any("deregister" in line for line in ran.done)


def test_the_first_signal_names_the_end(run: Run) -> None:
    def both(execution: Execution) -> None:
        execution.stop(signal.SIGINT)
        execution.stop(signal.SIGTERM)

    assert run(made(old(2)), {"host-1: stop": both}).report.exit_code is ExitCode.INTERRUPTED


def test_every_step_that_began_is_heard_to_end(run: Run) -> None:
    ran = run(made(old(2)), {f"host-1: prove {NEW}": fail})
    ended = [event for event in ran.events if isinstance(event, StepEnded)]
    assert [event.error for event in ended if event.error] == ["it broke"]
    assert all(event.health == "healthy" for event in ended)


def test_lanes_are_of_one_host() -> None:
    host_plans: list[HostPlan] = [
        host_plan for batch in made(old(3), batch=2).batches for host_plan in batch
    ]
    assert all(step.host == host_plan.host for host_plan in host_plans for step in host_plan.steps)


def defect(_: object) -> None:
    raise UnicodeEncodeError("latin-1", "ö", 0, 1, "ordinal not in range")


def test_a_defect_of_ours_is_a_failure_with_a_way_back_and_no_traceback(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: drain": defect})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert "a defect in Changeover: UnicodeEncodeError" in ran.report.failures[0].error
    assert any(line.startswith("host-1: register") for line in ran.done)


def test_a_way_back_that_fails_for_one_app_goes_on_with_the_others(run: Run) -> None:
    """The web app still runs its old release; that admin is lost is no reason to leave it out."""
    web, admin = builders.app(), builders.app("admin", 5100)
    slots: dict[str, Slot] = {"web": builders.slot(), "admin": builders.slot()}
    plan = made([builders.facts(1, slots)], admin, web)
    acts = {"host-1: drain": stop, "host-1: wait until healthy in admin-lab": fail}
    ran = run(plan, acts)
    assert ran.report.outcomes["host-1"] is Outcome.OUT
    assert "host-1: register in web-lab" in ran.done
    assert "host-1: wait until healthy in web-lab" in ran.done
    assert ran.report.failures


def test_a_budget_of_failures_lets_the_others_go_on(run: Run) -> None:
    plan = made(old(4), rollout={"max_failures": 1})
    ran = run(plan, {f"host-1: prove {NEW}": fail})
    assert list(ran.report.outcomes.values()) == [Outcome.BACK, *[Outcome.DONE] * 3]
    assert ran.report.exit_code is ExitCode.MIXED
    acts: Acts = {f"host-{n}: prove {NEW}": fail for n in (1, 2)}
    ran = run(plan, acts)
    assert list(ran.report.outcomes.values()) == [Outcome.BACK] * 2 + [Outcome.WAITING] * 2


def test_a_host_that_failed_in_staging_is_left_alone_within_the_budget(run: Run) -> None:
    ran = run(made(old(3), rollout={"max_failures": 1}), {"host-2: upload": fail})
    assert ran.report.outcomes["host-2"] is Outcome.WAITING
    assert ran.report.outcomes["host-3"] is Outcome.DONE
    assert not any("deregister" in line for line in on(ran.done, "host-2"))


def test_a_broken_connection_is_tried_again_and_the_step_goes_on(run: Run) -> None:
    broken: list[int] = []

    def flicker(_: object) -> None:
        if len(broken) < 2:
            broken.append(1)
            raise ConnectionLost("host-1: the connection broke")

    ran = run(made(old(2)), {"host-1: stop": flicker})
    assert ran.report.exit_code is ExitCode.DONE
    assert len(broken) == 2
    told = [event.text for event in ran.events if isinstance(event, Told)]
    assert told == ["tried again: host-1: the connection broke"] * 2


def test_who_lost_the_lock_changes_nothing_any_more(run: Run) -> None:
    def lose(_: object) -> None:
        raise LockLost("another deploy took lab over")

    ran = run(made(old(4), batch=2), {"host-1: stop": lose, "host-2: register": lose})
    assert ran.report.outcomes["host-1"] is Outcome.LEFT
    assert ran.report.outcomes["host-3"] is Outcome.WAITING
    assert ran.report.exit_code is ExitCode.LOCKED
    assert on(ran.done, "host-1")[-1].startswith("host-1: drain"), "no way back"


def test_who_lost_the_lock_begins_no_other_step(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: stop": lambda execution: execution.lose()})
    assert ran.report.outcomes["host-1"] is Outcome.LEFT
    assert on(ran.done, "host-1")[-1].startswith("host-1: stop")
    assert ran.report.exit_code is ExitCode.LOCKED


def runner(
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    serving: Callable[[App], set[int]],
    act: Callable[[Step], None] = lambda _: None,
) -> Ran:
    """On a paper fleet whose targets are healthy as told."""
    fleet, events = PaperFleet({}), list[Event]()
    fleet.groups = {app: builders.group(f"{app}-lab") for app in ("web", "admin")}

    def read(app: App, timeout_seconds: float) -> frozenset[Target]:
        del timeout_seconds
        return frozenset(Target(f"host-{number}", app.ports[0]) for number in serving(app))

    def do(step: Step, fleet: PaperFleet) -> None:
        act(step)
        fleet.do(step)

    for kind in KINDS:
        monkeypatch.setattr(kind, "run", do)
    monkeypatch.setattr(fleet, "serving", read)
    monkeypatch.setattr(capacity_gate, "LOOK_FOR_CAPACITY_SECONDS", 0.01)
    return Ran(Execution(plan, cast("Fleet", fleet), events.append).run(), events, fleet.done)


def test_a_batch_of_two_apps_begins_when_one_look_finds_room_for_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P2: web loses a target while admin, short at first, is waited for."""
    apps = [builders.app(name, port, healthy_timeout_seconds=0.5) for name, port in TWO]
    slots: dict[str, Slot] = {"web": builders.slot(), "admin": builders.slot()}
    hosts = [builders.facts(number, slots) for number in (1, 2, 3)]
    offers = tuple(builders.offer(app, hosts) for app in apps)
    seen = builders.survey(hosts, apps=apps)
    plan = assembly.make(builders.environment(*apps), offers, seen)
    looks = dict.fromkeys(("web", "admin"), 0)

    def serving(app: App) -> set[int]:
        looks[app.name] += 1
        is_short = looks["admin"] > 0 if app.name == "web" else looks["admin"] < 3
        return {1, 2} if is_short else {1, 2, 3}

    ran = runner(plan, monkeypatch, serving)
    assert looks["admin"] > 0
    assert not any("deregister" in line for line in ran.done)
    assert "of web-lab in service (2 healthy now)" in ran.report.failures[0].error


def test_a_window_goes_on_when_a_host_that_was_out_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """host-4 turns sick; host-3 has to wait until host-2 is back, and then has room."""
    web = builders.app(healthy_timeout_seconds=PATIENCE_SECONDS)
    hosts = old(4)
    environment = builders.environment(web, batch=None, rollout={"window": 2})
    offers = (builders.offer(web, hosts),)
    plan = assembly.make(environment, offers, builders.survey(hosts, apps=[web]))
    out, sick, third_waits = set[int](), set[int](), threading.Event()

    def act(step: Step) -> None:
        number = int(step.host.name[-1])
        if isinstance(step, enrolment.DeregisterTarget):
            out.add(number)
        if isinstance(step, enrolment.WaitHealthy):
            if number == 1:
                sick.add(4)
            if number == 2:
                third_waits.wait(PATIENCE_SECONDS)
            out.discard(number)

    def serving(_: App) -> set[int]:
        if sick and 2 in out:
            third_waits.set()
        return {1, 2, 3, 4} - out - sick

    ran = runner(plan, monkeypatch, serving, act)
    assert ran.report.outcomes["host-3"] is Outcome.DONE


def test_a_batch_that_would_leave_too_few_waits_and_then_does_not_start(run: Run) -> None:
    web = builders.app(healthy_timeout_seconds=0.6)
    listed = old(3)
    offers = (builders.offer(web, listed),)
    plan = assembly.make(builders.environment(web), offers, builders.survey(listed, apps=[web]))
    ran = run(plan, sick={"host-3"}, sick_after=2)
    assert ran.report.outcomes["host-1"] is Outcome.DONE
    assert ran.report.outcomes["host-2"] is Outcome.WAITING
    assert ran.report.exit_code is ExitCode.MIXED
    failure = ran.report.failures[0]
    assert failure.step == "begin batch 2"
    assert "would leave 1 targets of web-lab in service (2 healthy now)" in failure.error
    assert run(plan).report.exit_code is ExitCode.DONE


def test_a_window_has_no_barrier_and_is_never_wider(run: Run) -> None:
    third, at_work, most = threading.Event(), set[str](), list[int]()

    def enter(name: str) -> Callable[[object], None]:
        def act(_: object) -> None:
            at_work.add(name)
            most.append(len(at_work))
            if name == "host-3":
                third.set()
            if name == "host-1":
                assert third.wait(PATIENCE_SECONDS), "the third waited for the first"

        return act

    def leave(name: str) -> Callable[[object], None]:
        return lambda _: at_work.discard(name)

    names = [f"host-{number}" for number in range(1, 5)]
    acts: Acts = {f"{name}: deregister": enter(name) for name in names}
    acts |= {f"{name}: record": leave(name) for name in names}
    ran = run(made(old(4), batch=None, rollout={"window": 2}), acts)
    assert ran.report.exit_code is ExitCode.DONE
    assert max(most) == 2


def test_a_failure_in_a_window_starts_no_other(run: Run) -> None:
    begun = threading.Event()

    def fail_beside(execution: Execution) -> None:
        assert begun.wait(PATIENCE_SECONDS)
        fail(execution)

    def begin(execution: Execution) -> None:
        begun.set()
        until_failed("host-1")(execution)

    acts: Acts = {f"host-1: prove {NEW}": fail_beside, f"host-2: prove {NEW}": begin}
    ran = run(made(old(4), batch=None, rollout={"window": 2}), acts)
    assert list(ran.report.outcomes.values()) == [
        Outcome.BACK,
        Outcome.DONE,
        Outcome.WAITING,
        Outcome.WAITING,
    ]


def test_a_window_waits_for_room_host_by_host(run: Run) -> None:
    web = builders.app(healthy_timeout_seconds=0.6)
    listed = old(3)
    own = builders.environment(web, batch=None, rollout={"window": 1})
    plan = assembly.make(own, (builders.offer(web, listed),), builders.survey(listed, apps=[web]))
    ran = run(plan, sick={"host-3"}, sick_after=2)
    outcomes = list(ran.report.outcomes.values())
    assert outcomes == [Outcome.DONE, Outcome.WAITING, Outcome.WAITING]
    assert "would leave 1 targets of web-lab" in ran.report.failures[0].error


def surging(count: int, **rollout: Any) -> Plan:
    app = builders.app("web", 5000, 5001)
    slots, spares = {"web": builders.slot()}, {"web": Slot(kept=builders.slot().kept)}
    hosts = [builders.facts(n, slots, spares=spares) for n in range(1, count + 1)]
    return made(hosts, app, batch=1, rollout={"strategy": "surge"} | rollout)


def test_the_next_batch_begins_while_the_old_slots_of_this_one_drain(run: Run) -> None:
    begun = threading.Event()

    def wait(_: object) -> None:
        assert begun.wait(PATIENCE_SECONDS), "it waited for the drain"

    plan = surging(2)
    ran = run(plan, {"host-1: drain :5000": wait, f"host-2: prove {NEW}": lambda _: begun.set()})
    assert ran.report.exit_code is ExitCode.DONE
    for host in ("host-1", "host-2"):
        planned = [step for step in plan.steps if step.host.name == host]
        assert on(ran.done, host) == [f"{host}: {step}" for step in planned]
        at = [n for n, event in enumerate(ran.events) if event == HostEnded(host, Outcome.DONE)]
        assert len(at) == 1, "told once, after its old slot is at rest"


def test_an_old_slot_that_cannot_be_ended_is_told_and_the_new_one_serves(run: Run) -> None:
    ran = run(surging(2), {"host-1: drain :5000": fail})
    assert ran.report.outcomes["host-1"] is Outcome.DONE
    assert [failure.step for failure in ran.report.failures] == ["drain :5000 15 s"]
    assert not any("stop and disable" in line for line in on(ran.done, "host-1"))


def test_a_new_slot_that_cannot_be_ended_is_another_release_that_runs(run: Run) -> None:
    acts = {"host-1: daemon-reload": fail, "host-1: stop and disable web@5001": fail}
    ran = run(surging(2), acts)
    assert ran.report.outcomes == {"host-1": Outcome.BACK, "host-2": Outcome.WAITING}
    assert ran.report.exit_code is ExitCode.MIXED
    clean = run(surging(2), {"host-1: daemon-reload": fail})
    assert clean.report.exit_code is ExitCode.FAILED


def test_a_stop_before_the_new_slot_is_enrolled_ends_it_again(run: Run) -> None:
    ran = run(surging(2), {"host-1: prove": lambda execution: execution.stop(signal.SIGINT)})
    assert ran.report.outcomes == {"host-1": Outcome.BACK, "host-2": Outcome.WAITING}
    assert ran.report.exit_code is ExitCode.INTERRUPTED
    assert ran.report.failures == ()
    assert on(ran.done, "host-1")[-2:] == [
        "host-1: stop and disable web@5001.service",
        "host-1: clear the note on web@5001.service",
    ]
    assert not any("register" in line for line in ran.done)


def coming_twice() -> Plan:
    """One host of two apps that surge: `web` is not healthy, so it goes first and apart."""
    apps = builders.app("web", 5000, 5001), builders.app("admin", 5100, 5101)
    slots = {app.name: builders.slot() for app in apps}
    spares = {app.name: Slot(kept=builders.slot().kept) for app in apps}
    hosts = [builders.facts(1, slots, spares=spares)]
    seen = builders.survey(hosts, apps=apps)
    sick = dict.fromkeys(seen.health["web"], Health(State.UNHEALTHY))
    plan = assembly.make(
        builders.environment(*apps, batch=1, rollout={"strategy": "surge"}),
        tuple(builders.offer(app, hosts) for app in apps),
        replace(seen, health=seen.health | {"web": sick}),
        allow_downtime=True,
    )
    assert len(plan.batches) == len(apps)
    return plan


@pytest.mark.parametrize("failing", ["host-1: deregister :5000", "host-1: switch slot 5101"])
def test_a_host_of_whose_apps_one_is_deployed_says_so_and_that_one_can_go_back(
    failing: str, run: Run
) -> None:
    plan = coming_twice()
    apart, last = (batch[0] for batch in plan.batches)
    ran = run(plan, {failing: fail})
    assert ran.report.outcomes == {"host-1": Outcome.PARTLY}
    assert ran.report.exit_code is ExitCode.MIXED
    assert ran.report.deployed == {("host-1", "web")}
    assert apart.good
    assert last.good
    assert rollout.good_before(ran.report) == {"web": {"host-1": apart.good["web"]}, "admin": {}}


def test_a_host_that_comes_twice_has_the_old_slots_of_both_apps_ended(run: Run) -> None:
    """The one of the app that goes first and apart is ended all the same."""
    ran = run(coming_twice())
    assert ran.report.exit_code is ExitCode.DONE
    for unit in ("web@5000.service", "admin@5100.service"):
        assert f"host-1: stop and disable {unit}" in ran.done
    assert ran.events.count(HostEnded("host-1", Outcome.DONE)) == 1


def test_a_stop_while_the_old_slot_drains_sees_it_through(run: Run) -> None:
    ran = run(surging(2), {"host-1: drain :5000": lambda execution: execution.stop(signal.SIGINT)})
    assert ran.report.outcomes["host-1"] is Outcome.DONE
    assert on(ran.done, "host-1")[-1] == "host-1: clear the note on web@5000.service"


def test_a_new_slot_that_fails_leaves_the_old_one_alone(run: Run) -> None:
    ran = run(surging(2), {"host-1: wait until :5001": fail})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert ran.report.exit_code is ExitCode.FAILED
    assert not any(":5000" in line or "@5000" in line for line in ran.done if "verify" not in line)


def test_a_host_that_ran_nothing_before_is_not_said_to_be_back(run: Run) -> None:
    """`on_failure: rollback` has no way back for it: it runs the new release, and says so."""
    newcomer = builders.facts(1, {"web": Slot(kept=builders.slot().kept)})
    hosts = [newcomer, *old(3)[1:]]
    web = builders.app()
    environment = builders.environment(web)
    seen = builders.survey(hosts, {"host-1": GONE}, [web])
    plan = assembly.make(environment, (builders.offer(web, hosts),), seen, allow_downtime=True)
    first = run(plan, {f"host-3: prove {NEW}": fail}).report
    assert first.outcomes["host-1"] is Outcome.DONE
    now = [builders.facts(number, {"web": builders.slot(NEW)}) for number in (1, 2)]
    back = rollback.back(environment, builders.survey(now), rollout.good_before(first))
    told = rollout.merged(first, run(back).report)
    assert (told.outcomes["host-1"], told.outcomes["host-2"]) == (Outcome.DONE, Outcome.BACK)
    assert told.exit_code is ExitCode.MIXED


def surged(count: int, health: Any = None, batch: Any = (1, "100%"), **rollout: Any) -> Plan:
    """A canary, then all, each in its other slot; health: by host, where not healthy."""
    app = builders.app("web", 5000, 5001)
    hosts = [
        builders.facts(
            number,
            {"web": builders.slot()},
            spares={"web": replace(builders.slot(), unit_state=UnitState(), running_release="")},
            free_memory_kb=1024**2,
        )
        for number in range(1, count + 1)
    ]
    given = {"strategy": "surge", **rollout}
    environment = builders.environment(app, batch=list(batch), rollout=given)
    offers = (builders.offer(app, hosts),)
    return assembly.make(environment, offers, builders.survey(hosts, health, apps=[app]))


def test_a_canary_is_proven_while_others_are_staged_and_enrols_after_them(run: Run) -> None:
    proven = threading.Event()

    def slow(_: object) -> None:
        assert proven.wait(PATIENCE_SECONDS), "the canary is not proven meanwhile"

    def prove(_: object) -> None:
        proven.set()

    acts: Acts = {"host-2: verify": slow, f"host-1: prove {NEW}": prove}
    ran = run(surged(3), acts)
    assert ran.report.exit_code is ExitCode.DONE
    place = {line: number for number, line in enumerate(ran.done)}
    verified = next(n for line, n in place.items() if line.startswith("host-2: verify"))
    assert place["host-1: register :5001 in web-lab"] > verified
    assert sorted(ran.done) == sorted(str(s.host.name) + f": {s}" for s in ran.report.plan.steps)
    began = [event.hosts for event in ran.events if isinstance(event, BatchBegan)]
    assert began == [("host-1",), ("host-2", "host-3")]


def test_a_failure_in_staging_ends_what_the_canary_started_beside_the_old_release(
    run: Run,
) -> None:
    started = threading.Event()

    def late(_: object) -> None:
        assert started.wait(PATIENCE_SECONDS)
        raise DeployError("it broke")

    acts: Acts = {"host-2: upload": late, "host-1: switch": lambda _: started.set()}
    ran = run(surged(3), acts)
    assert ran.report.exit_code is ExitCode.FAILED
    assert ran.report.outcomes == {
        "host-1": Outcome.BACK,
        "host-2": Outcome.WAITING,
        "host-3": Outcome.WAITING,
    }
    mine = [line.split()[1] for line in on(ran.done, "host-1")]
    assert "register" not in mine
    assert "deregister" not in mine
    assert mine[-2:] == ["stop", "clear"]
    assert [failure.step.split()[0] for failure in ran.report.failures] == ["upload"]


def test_a_canary_that_began_early_enrols_where_the_budget_bears_a_failure(run: Run) -> None:
    ran = run(surged(3, max_failures=1), {"host-2: upload": fail})
    assert list(ran.report.outcomes.values()) == [Outcome.DONE, Outcome.WAITING, Outcome.DONE]


def test_a_stop_while_others_are_staged_ends_what_the_canary_started(run: Run) -> None:
    started = threading.Event()

    def interrupt(execution: Execution) -> None:
        assert started.wait(PATIENCE_SECONDS)
        execution.stop(signal.SIGINT)

    acts: Acts = {"host-2: upload": interrupt, "host-1: switch": lambda _: started.set()}
    ran = run(surged(2), acts)
    assert ran.report.exit_code is ExitCode.INTERRUPTED
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert not any(" register" in line for line in ran.done)


def test_a_rolling_canary_touches_nothing_before_all_hosts_are_staged(run: Run) -> None:
    ran = run(made(old(3)))
    began = next(n for n, event in enumerate(ran.events) if isinstance(event, BatchBegan))
    staged = [
        n
        for n, event in enumerate(ran.events)
        if isinstance(event, StepEnded) and isinstance(event.step, staging.StageUnits)
    ]
    assert max(staged) < began


def test_a_canary_that_ended_while_others_were_staged_does_not_enrol(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3: what was proven minutes ago may have ended since."""

    def look(step: verify.ProveRelease, fleet: PaperFleet) -> None:
        del fleet
        raise verify.NotProven(f"{step.host}: it ended and was restarted")

    monkeypatch.setattr(verify.ProveRelease, "look_again", look)
    ran = run(surged(3))
    assert ran.report.exit_code is ExitCode.FAILED
    assert not any(" register" in line for line in ran.done)
    (failure,) = ran.report.failures
    assert "it ended and was restarted" in failure.error
    assert any(step.startswith("mark") for step in failure.undone)
    assert ran.report.outcomes["host-1"] is Outcome.BACK


def until_failed(host: str) -> Callable[[Execution], None]:
    """What a step does that goes on when a host's failure is counted."""

    def wait(execution: Execution) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while host not in execution._progress.failed_hosts:
            assert time.monotonic() < end
            threading.Event().wait(0.01)

    return wait


def test_a_failure_in_a_first_batch_lets_its_other_hosts_finish_however_early_it_came(
    run: Run,
) -> None:
    acts: Acts = {f"host-1: prove {NEW}": fail, "host-3: verify": until_failed("host-1")}
    ran = run(surged(3, batch=[2, "100%"]), acts)
    assert list(ran.report.outcomes.values()) == [Outcome.BACK, Outcome.DONE, Outcome.WAITING]


def test_a_called_off_canary_whose_target_was_out_before_has_not_failed(run: Run) -> None:
    proven = threading.Event()

    def late(_: object) -> None:
        assert proven.wait(PATIENCE_SECONDS)
        raise DeployError("it broke")

    acts: Acts = {"host-2: upload": late, f"host-1: prove {NEW}": lambda _: proven.set()}
    ran = run(surged(2, {"host-1": GONE}), acts)
    assert [failure.host.name for failure in ran.report.failures] == ["host-2"]


def test_an_early_batch_is_told_before_its_steps_and_without_hosts_that_failed(run: Run) -> None:
    plan = surged(3, batch=[2, "100%"], max_failures=1)
    ran = run(plan, {"host-2: upload": fail, "host-1: verify": until_failed("host-2")})
    told = [number for number, e in enumerate(ran.events) if isinstance(e, BatchBegan)]
    assert [cast("Any", ran.events[n]).hosts for n in told] == [("host-1",), ("host-3",)]
    first = next(
        number
        for number, event in enumerate(ran.events)
        if isinstance(event, StepBegan) and isinstance(event.step, switching.SwitchRelease)
    )
    assert told[0] < first


def test_a_defect_in_staging_leaves_no_started_slot_behind(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    proven = threading.Event()
    stage = HostRunner.stage

    def break_down(runner: HostRunner, host_plan: HostPlan) -> bool:
        if host_plan.host.name == "host-2":
            assert proven.wait(PATIENCE_SECONDS)
            raise RuntimeError("can't start new thread")
        return stage(runner, host_plan)

    monkeypatch.setattr(HostRunner, "stage", break_down)
    ran = run(surged(2), {f"host-1: prove {NEW}": lambda _: proven.set()})
    assert [line.split()[1] for line in on(ran.done, "host-1")][-2:] == ["stop", "clear"]
    assert "a defect in Changeover: RuntimeError: can't start" in ran.report.failures[0].error
    assert ran.report.exit_code is ExitCode.FAILED


def test_a_screen_that_raises_ends_nothing_and_is_reported_once(run: Run) -> None:
    del run  # its steps are those on paper
    fleet, heard = PaperFleet({}), list[Event]()

    def listen(event: Event) -> None:
        heard.append(event)
        raise OSError(5, "no terminal")

    fleet.execution = Execution(made(old(2)), cast("Fleet", fleet), listen)
    report = fleet.execution.run()
    assert set(report.outcomes.values()) == {Outcome.DONE}
    assert report.exit_code is ExitCode.DONE
    assert len(heard) > 10
    assert len(report.defects) == 1
    assert "showing the progress: a defect in Changeover: OSError" in report.defects[0]


def test_a_defect_between_batches_ends_with_the_report_of_what_was_done(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: object, number: int, __: object) -> None:
        if number == 2:
            raise KeyError("a floor")

    monkeypatch.setattr(capacity_gate.CapacityGate, "wait", break_down)
    report = run(made(old(3), batch=1)).report
    assert report.outcomes == {
        "host-1": Outcome.DONE,
        "host-2": Outcome.WAITING,
        "host-3": Outcome.WAITING,
    }
    assert report.exit_code is ExitCode.MIXED
    assert "a defect in Changeover: KeyError: 'a floor'" in report.defects[0]


def test_a_defect_in_a_hosts_recovery_is_that_hosts_failure_and_counts_as_out(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise IndexError("no way out")

    monkeypatch.setattr(failed_host, "recovery_of", break_down)
    report = run(made(old(3), batch=2), {f"host-1: prove {NEW}": fail}).report
    assert report.outcomes == {
        "host-1": Outcome.UNKNOWN,
        "host-2": Outcome.DONE,
        "host-3": Outcome.WAITING,
    }
    assert report.exit_code is ExitCode.OUT_OF_SERVICE


def test_others_wait_for_the_first_to_be_staged_once_and_not_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "HEAD_START_SECONDS", 0.3)
    monkeypatch.setattr(executor, "STAGED_AT_A_TIME", 2)
    all_began, began = threading.Event(), list[float]()

    def note(_: object) -> None:
        began.append(time.monotonic())
        if len(began) == 8:
            all_began.set()

    def slow(_: object) -> None:
        assert all_began.wait(PATIENCE_SECONDS)

    acts: Acts = {f"host-{number}: upload": note for number in range(2, 10)}
    run(surged(9), acts | {"host-1: upload": slow})
    assert began[-1] - began[0] < 0.3


def test_a_host_that_somebody_took_back_by_hand_is_told_as_back(run: Run) -> None:
    first = run(made(old(3), batch=1), {f"host-3: prove {NEW}": fail}).report
    now = [
        builders.facts(1, {"web": builders.slot()}),
        builders.facts(2, {"web": builders.slot(NEW)}),
    ]
    environment, seen = builders.environment(builders.app()), builders.survey(now)
    back = rollback.back(environment, seen, rollout.good_before(first), allow_downtime=True)
    told = rollout.merged(first, run(back).report)
    assert (told.outcomes["host-1"], told.outcomes["host-2"]) == (Outcome.BACK, Outcome.BACK)
