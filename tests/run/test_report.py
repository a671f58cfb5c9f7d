"""The exit code says what a rollout left behind: by signal first, then by what is worst."""

from __future__ import annotations

import signal

import builders
import pytest

from deploy.plan import assembly
from deploy.run.report import ExitCode, Failure, Outcome, Report

FAILED = (Failure(builders.host(1), "stop web@5000.service", "host-1: no"),)
DONE, CURRENT, BACK, OUT, WAITING = (
    Outcome.DONE,
    Outcome.CURRENT,
    Outcome.BACK,
    Outcome.OUT,
    Outcome.WAITING,
)


def report(*outcomes: Outcome, failures: tuple[Failure, ...] = (), number: int = 0) -> Report:
    """A rollout over as many hosts; those that are current were so from the start."""
    app = builders.app()
    release = {
        outcome: builders.slot(builders.NEW if outcome is CURRENT else builders.OLD)
        for outcome in Outcome
    }
    hosts = [
        builders.facts(index, {"web": release[outcome]})
        for index, outcome in enumerate(outcomes, start=1)
    ]
    rolled = [facts for facts, end in zip(hosts, outcomes, strict=True) if end is not CURRENT]
    made = assembly.make(
        builders.environment(app),
        (builders.offer(app, rolled),) if rolled else (),
        builders.survey(rolled or hosts),
        allow_downtime=True,
    )
    ended = {facts.host.name: end for facts, end in zip(hosts, outcomes, strict=True)}
    return Report(made, ended, failures, signal=number)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((DONE, DONE), ExitCode.DONE),
        ((CURRENT, CURRENT), ExitCode.DONE),
        ((CURRENT, DONE), ExitCode.DONE),
    ],
)
def test_all_on_the_new_release_is_done(outcomes: tuple[Outcome, ...], code: ExitCode) -> None:
    assert report(*outcomes).exit_code is code


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((WAITING, WAITING), ExitCode.FAILED),
        ((BACK, WAITING), ExitCode.FAILED),
        ((CURRENT, CURRENT), ExitCode.FAILED),
        ((DONE, BACK), ExitCode.MIXED),
        ((DONE, WAITING), ExitCode.MIXED),
        ((CURRENT, WAITING), ExitCode.MIXED),
        ((OUT, WAITING), ExitCode.OUT_OF_SERVICE),
        ((DONE, OUT), ExitCode.OUT_OF_SERVICE),
    ],
)
def test_a_failure_is_told_by_what_the_fleet_is_left_with(
    outcomes: tuple[Outcome, ...], code: ExitCode
) -> None:
    assert report(*outcomes, failures=FAILED).exit_code is code


def test_p6_where_a_host_did_not_begin_and_none_failed_it_is_not_done() -> None:
    """As where a person ended it, and the host that had failed was taken through again."""
    assert report(DONE, WAITING).exit_code is ExitCode.MIXED


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGHUP, ExitCode.HANGUP),
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
    ],
)
def test_a_signal_is_told_before_anything_else(number: int, code: ExitCode) -> None:
    assert report(DONE, OUT, failures=FAILED, number=number).exit_code is code


@pytest.mark.parametrize(
    ("outcomes", "refused", "code"),
    [
        ((WAITING, WAITING), True, ExitCode.BAD_INPUT),
        ((WAITING, CURRENT), True, ExitCode.BAD_INPUT),
        ((WAITING, BACK), True, ExitCode.BAD_INPUT),
        ((WAITING, DONE), True, ExitCode.MIXED),
        ((WAITING, OUT), True, ExitCode.OUT_OF_SERVICE),
        ((WAITING, WAITING), False, ExitCode.FAILED),
    ],
)
def test_hosts_that_are_found_unfit_before_a_drain_are_bad_input(
    outcomes: tuple[Outcome, ...], refused: bool, code: ExitCode
) -> None:
    failed = (Failure(builders.host(1), "verify", "host-1: no", refused=refused),)
    assert report(*outcomes, failures=failed).exit_code is code
