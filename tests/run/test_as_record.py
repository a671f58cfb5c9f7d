"""What hosts are given to remember of a run."""

from __future__ import annotations

from dataclasses import replace

import builders
from builders import NEW, OLD

from deploy import values
from deploy.hosts.logbook.run_record import Ended, Moved, RunRecord
from deploy.plan import assembly
from deploy.run import as_record
from deploy.run.report import Failure, Outcome, Report
from deploy.settings.scope import Scope
from run import paper_fleet

RUN = "0" * 32
SCOPE = Scope("lab", "deploy", ("--package", "2.0.0"))
PLAN = paper_fleet.made(paper_fleet.old(3))


def report(**outcomes: Outcome) -> Report:
    return Report(PLAN, {name.replace("_", "-"): end for name, end in outcomes.items()})


def test_it_says_who_what_from_where_to_where_and_how_it_ended() -> None:
    ended = report(host_1=Outcome.BACK, host_2=Outcome.WAITING, host_3=Outcome.WAITING)
    failure = Failure(builders.host(1), "prove", "no answer")
    record = as_record.made(SCOPE, RUN, replace(ended, failures=(failure,), seconds=12.5))
    assert record.moved == (Moved("web", OLD, NEW),)
    assert record.ended == (
        Ended("back on what it ran", 1, ("host-1",)),
        Ended("not reached", 2, ("host-2", "host-3")),
    )
    assert (record.run, record.verb, record.exit_code, record.seconds) == (RUN, "deploy", 1, 12.5)
    assert record.command == "inv deploy --env lab --package 2.0.0"
    assert "@" in record.by
    assert RunRecord.parse(record.as_line()) == record


def test_a_command_of_any_length_can_be_read_again() -> None:
    scope = replace(SCOPE, hosts=",".join(f"host-{number}" for number in range(1000)))
    record = as_record.made(scope, RUN, report(host_1=Outcome.DONE))
    assert len(record.command) <= values.MOST_TEXT
    assert RunRecord.parse(record.as_line()) == record


def test_a_run_that_only_proves_is_none_to_remember() -> None:
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    same = builders.offer(builders.app(), hosts, OLD, "[Service]\n")
    plan = assembly.make(builders.environment(), (same,), builders.survey(hosts))
    assert not as_record.is_due(plan)
    assert as_record.is_due(PLAN)


def test_hosts_that_are_gone_or_were_left_out_are_not_asked_to_keep_it() -> None:
    ended = report(host_1=Outcome.DONE, host_2=Outcome.GONE, host_3=Outcome.LEFT_OUT)
    remotes = dict.fromkeys(("host-1", "host-2", "host-3", "host-4"), "")
    assert [*as_record.keepers(ended, remotes)] == ["host-1", "host-4"]
