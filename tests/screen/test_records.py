"""Journals and the history as they are shown."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest

from deploy.hosts.logbook.journal_line import JournalLine
from deploy.hosts.logbook.run_record import Ended, Moved, RunRecord
from deploy.screen.records import journals, runs
from deploy.screen.records.journals import COLOURS, JournalView

AT = 1_764_428_645_123_456
LINE = JournalLine(AT, "web-1", "web@5000.service", "ready")
RECORD = RunRecord(
    run="4f2a91c3" + "0" * 24,
    verb="deploy",
    command="inv deploy --env prod --package 2.0.0",
    by="anna@laptop",
    at="2026-11-29T15:04:05+00:00",
    seconds=130.4,
    exit_code=0,
    moved=(Moved("web", "1.0.0-aaaaaaaaaaaa", "2.0.0-bbbbbbbbbbbb"),),
    ended=(Ended("deployed", 4, ("web-1", "web-2", "web-3", "web-4")),),
)


def view(
    *hosts: str, labels: dict[str, str] | None = None, is_terminal: bool = False
) -> JournalView:
    return JournalView(hosts or ("web-1",), labels or {}, is_terminal)


def test_a_log_has_date_and_zone_with_each_line() -> None:
    assert view().head(LINE)[0] == "2025-11-29T15:04:05.123Z web-1 | "


def test_a_terminal_has_the_time_of_its_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    head, _ = view(is_terminal=True).head(LINE)
    assert head.endswith(":05.123 web-1 | ")
    assert len(head) == len("11-29 15:04:05.123 web-1 | ")
    del monkeypatch


def test_names_stand_in_a_column_and_each_host_has_a_colour() -> None:
    hosts = tuple(f"web-{number}" for number in (1, 2, 10))
    heads = [view(*hosts).head(replace(LINE, host=host)) for host in hosts]
    assert {head.index("|") for head, _ in heads} == {len("2025-11-29T15:04:05.123Z web-10 ")}
    assert [colour for _, colour in heads] == [*COLOURS[:3]]


def test_more_hosts_than_colours_begin_again_with_the_first() -> None:
    hosts = tuple(f"web-{number:02}" for number in range(len(COLOURS) + 1))
    assert view(*hosts).head(replace(LINE, host=hosts[-1]))[1] == COLOURS[0]


def test_red_is_no_colour_of_a_host() -> None:
    assert not [colour for colour in COLOURS if "red" in colour]


def test_what_distinguishes_units_stands_behind_the_host() -> None:
    one = builders.app()
    assert journals.labels([one]) == {"web@5000.service": ""}
    several = journals.labels(
        [builders.app("web", 5000, 5001, replaces="old.service"), builders.worker()]
    )
    assert several == {
        "web@5000.service": "web:5000",
        "web@5001.service": "web:5001",
        "old.service": "old.service",
        "jobs@0.service": "jobs",
    }
    assert view(labels=several).head(LINE)[0] == "2025-11-29T15:04:05.123Z web-1 web:5000    | "


def test_the_history_is_a_table_of_80_columns() -> None:
    long = replace(
        RECORD,
        by="a-long-user-name@a-long-workstation.example.com",
        moved=(
            *RECORD.moved,
            Moved("administration", "10.20.30-aaaaaaaaaaaa", "10.20.31-bbbbbbbbbbbb"),
        ),
        exit_code=5,
        ended=(Ended("out of service", 2, ("web-1", "web-2")), Ended("back on what it ran", 1, ())),
    )
    header, *lines = runs.table([long, RECORD])
    assert [word for word in header.split("  ") if word]
    assert max(map(len, (header, *lines))) <= 80
    assert lines[0].endswith("0:02:10 2 out; 1 back")
    assert lines[1].endswith("0:02:10 done")
    assert "deploy web 1.0.0 → 2.0.0" in runs.table([RECORD])[1]


def test_the_history_shows_from_which_release_to_which_before_all_of_a_name() -> None:
    """It is what a history is opened for; who typed it is in the run's own view."""
    back = replace(RECORD, exit_code=4, ended=(Ended("back on what it ran", 11, ()),))
    back = replace(back, verb="rollback", by="anna.smith@laptop")
    header, row = runs.table([back])
    assert " rollback web 1.0.0 → 2.0.0 0:02:10 mixed; 11 back" in row
    assert "anna.s" in row or "anna.…" in row
    assert len(row) <= 80 >= len(header)


def test_hosts_of_which_no_name_was_kept_are_counted() -> None:
    shown = runs.in_full(replace(RECORD, ended=(Ended("not reached", 8, ()),)))
    assert "hosts     not reached: 8 hosts" in shown


def test_hostile_text_in_a_record_stays_in_its_line() -> None:
    hostile = replace(RECORD, by="x" * 700, at="no time", command="y" * 700)
    assert max(map(len, runs.table([hostile]))) <= 80
    assert all("\n" not in line for line in runs.in_full(hostile))


def test_a_run_in_full_has_all_that_hosts_know() -> None:
    shown = runs.in_full(replace(RECORD, exit_code=4))
    assert shown[0] == f"run       {RECORD.run}"
    assert "command   inv deploy --env prod --package 2.0.0" in shown
    assert any(line.endswith(", after 0:02:10") for line in shown)
    assert "app       web 1.0.0-aaaaaaaaaaaa → 2.0.0-bbbbbbbbbbbb" in shown
    assert any("more than one release runs" in line for line in shown)
    assert "hosts     deployed: web-1, web-2, web-3, web-4" in shown


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 77, 129, 130, 143, 255])
def test_every_exit_code_can_be_shown(code: int) -> None:
    record = replace(RECORD, exit_code=code)
    assert runs.table([record])
    assert runs.in_full(record)
