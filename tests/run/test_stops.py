"""A signal: no other host starts, and each that began ends with all its apps in service."""

from __future__ import annotations

import signal

from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import Run, made, old, on, stop


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
