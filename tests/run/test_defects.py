"""A defect of Changeover itself is one host's failure, or a line of the report, and ends no run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import pytest
from builders import NEW

from deploy.events.event import Entry, HostSaid
from deploy.events.stream import Stream
from deploy.recovery import failed_host
from deploy.run import capacity_gate
from deploy.run.executor import Execution
from deploy.run.host_runner import HostRunner
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import PATIENCE_SECONDS, PaperFleet, Run, fail, made, old, on, surged

if TYPE_CHECKING:
    from deploy.plan.host_plan import HostPlan
    from deploy.steps.fleet import Fleet


def defect(_: object) -> None:
    raise UnicodeEncodeError("latin-1", "ö", 0, 1, "ordinal not in range")


def test_a_defect_of_ours_is_a_failure_with_a_way_back_and_no_traceback(run: Run) -> None:
    ran = run(made(old(2)), {"host-1: drain": defect})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert "a defect in Changeover: UnicodeEncodeError" in ran.report.failures[0].error
    assert any(line.startswith("host-1: register") for line in ran.done)


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
    fleet, heard = PaperFleet({}), list[Entry]()

    def listen(entry: Entry) -> None:
        heard.append(entry)
        raise OSError(5, "no terminal")

    stream = Stream({"showing the progress": listen})
    fleet.execution = Execution(made(old(2)), cast("Fleet", fleet), stream.emit)
    report = fleet.execution.run()
    assert set(report.outcomes.values()) == {Outcome.DONE}
    assert report.exit_code is ExitCode.DONE
    assert len(heard) > 10
    (defect,) = stream.defects
    assert "showing the progress: a defect in Changeover: OSError" in defect


def test_a_remark_of_a_step_is_heard_each_time_and_reported_once(run: Run) -> None:
    def remark(execution: Execution) -> None:
        execution.fleet.remark("host-1", "2 connections are still busy")

    ran = run(made(old(2)), {"host-1: drain": remark, "host-1: stop": remark})
    assert ran.report.remarks == ("host-1: 2 connections are still busy",)
    told = [event for event in ran.events if isinstance(event, HostSaid) and event.is_remark]
    assert [event.host for event in told] == ["host-1", "host-1"]
    assert ran.report.exit_code is ExitCode.DONE


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
