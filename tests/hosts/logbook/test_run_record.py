"""How a run ended, as hosts remember it: written, read again, and merged."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import values
from deploy.errors import BadInput
from deploy.hosts.logbook import run_record
from deploy.hosts.logbook.run_record import Ended, Moved, RunRecord

RUN = "4f2a91c3" + "0" * 24
RECORD = RunRecord(
    run=RUN,
    verb="deploy",
    command="inv deploy --env prod --package 2.0.0",
    by="anna@laptop",
    at="2026-11-29T15:04:05+00:00",
    seconds=130.4,
    exit_code=1,
    moved=(Moved("web", "1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"),),
    ended=(
        Ended("back on what it ran", 1, ("web-1",)),
        Ended("not reached", 2, ("web-2", "web-3")),
    ),
)


def test_what_is_written_is_read_again() -> None:
    line = RECORD.as_line()
    assert "\n" not in line
    assert line.isascii()
    assert RunRecord.parse(line) == RECORD


def test_its_files_name_sorts_by_time() -> None:
    assert RECORD.file_name == f"20261129T150405Z-{RUN}"
    assert values.name(RECORD.file_name)


def test_what_moved_is_said_with_versions() -> None:
    assert str(RECORD.moved[0]) == "web 1.0.0 → 2.0.0"
    assert str(Moved("web", "", "2.0.0-bbbbbbbbbbbb")) == "web 2.0.0"
    assert str(Moved("web", "2.0.0-bbbbbbbbbbbb", "2.0.0-bbbbbbbbbbbb")) == "web 2.0.0"
    assert str(Moved("web", "old.service", "2.0.0-bbbbbbbbbbbb")) == "web old.service → 2.0.0"


def test_hosts_are_by_outcome_and_few_of_a_kind_come_first() -> None:
    outcomes = {"web-1": "deployed", "web-2": "out of service", "web-3": "deployed"}
    assert run_record.ends_of(outcomes) == (
        Ended("out of service", 1, ("web-2",)),
        Ended("deployed", 2, ("web-1", "web-3")),
    )


def test_the_record_of_a_large_fleet_is_no_larger_than_can_be_read() -> None:
    names = {f"{number:04}-{'x' * 100}": "deployed" for number in range(2_000)}
    ended = run_record.ends_of(names | {"odd": "out of service"})
    assert [each.count for each in ended] == [1, 2_000]
    assert ended[0].hosts == ("odd",)
    record = replace(RECORD, ended=ended)
    assert RunRecord.parse(record.as_line()) == record


@pytest.mark.parametrize(
    "changed",
    [
        {"run": "../x"},
        {"run": None},
        {"seconds": "1"},
        {"seconds": 1e300},
        {"exit_code": 256},
        {"exit_code": -1},
        {"by": "\x1b[2J"},
        {"by": "x" * 801},
        {"at": 5},
        {"apps": [["web", "1"]]},
        {"apps": 3},
        {"hosts": [["deployed", "1", []]]},
        {"hosts": [["deployed", 1, ["a\nb"]]]},
        {"hosts": [["deployed", 1, "web-1"]]},
    ],
    ids=str,
)
def test_what_is_no_record_is_none(changed: dict[str, object]) -> None:
    assert RunRecord.parse(json.dumps(RECORD.as_json() | changed)) is None


def test_a_later_format_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="a record of its runs has a later format"):
        RunRecord.parse(json.dumps(RECORD.as_json() | {"format": 2}))


@given(st.text())
def test_no_line_of_a_host_crashes_the_reader(line: str) -> None:
    assert RunRecord.parse(line) is None


def test_p12_what_most_hosts_say_of_a_run_is_shown_once() -> None:
    lie = replace(RECORD, by="eve@elsewhere", exit_code=0)
    later = replace(RECORD, run="9" * 32, at="2026-11-29T16:00:00+00:00")
    lines = [RECORD.as_line(), later.as_line()]
    records, unknown = run_record.merged([lines, [lie.as_line()] * 5, lines, ["no record"]])
    assert records == (later, RECORD)
    assert unknown == 1
