"""What a host remembers, line by line, and what an app stands on by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import __version__
from deploy.errors import BadInput
from deploy.hosts import file_format, records, release_stack
from deploy.hosts.notes import Note
from deploy.hosts.records import Kind, Record

if TYPE_CHECKING:
    from collections.abc import Iterable

RUN, OTHER = "a" * 32, "b" * 32


def stack(*told: str) -> str:
    """The releases on the stack of a history: `3` deploys, `<2` goes back, `3'` has a new unit."""
    history = []
    for number, word in enumerate(told):
        kind = Kind.ROLLBACK if word.startswith("<") else Kind.DEPLOY
        release = word.strip("<'")
        unit = f"{release}-again" if word.endswith("'") else release
        history.append(Record(release, unit, run=f"{number:032x}", kind=kind))
    return " ".join(
        record.release + "'" * record.unit_digest.endswith("again")
        for record in release_stack.standing_releases(history)
    )


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ("", ""),
        ("1 2 3", "1 2 3"),
        ("1 2 3 <2", "1 2"),
        ("1 2 3 <2 <1", "1"),
        ("1 2 3 <2 4", "1 2 4"),
        ("1 2 3 <2 4 <2", "1 2"),
        ("1 2 1", "1 2 1"),
        ("1 2 1 <2", "1 2"),
        ("1 2 3 <1", "1"),
        ("1 2 <1 <2", "1 2"),
        ("2 3 <1", "1"),
        ("1 2 2", "1 2"),
        ("1 2 2'", "1 2 2'"),
        ("1 2 2' <2", "1 2"),
        ("1 2' 3 <2", "1 2'"),
    ],
)
def test_a_deploy_is_put_on_top_and_a_rollback_takes_off_what_it_went_back_from(
    history: str, expected: str
) -> None:
    assert stack(*history.split()) == expected


def test_lines_of_format_0_are_runs_that_are_told_apart_by_release() -> None:
    old = [Record(release, unit) for release, unit in ("1a", "2a", "2b", "1a")]
    assert [(each.release, each.unit_digest) for each in release_stack.standing_releases(old)] == [
        ("1", "a"),
        ("2", "b"),
        ("1", "a"),
    ]


WORDS = st.lists(
    st.tuples(st.sampled_from("123"), st.sampled_from("ab"), st.sampled_from(Kind)), max_size=12
)


def history(told: Iterable[tuple[str, str, Kind]]) -> list[Record]:
    return [
        Record(release, unit, run=f"{number:032x}", kind=kind)
        for number, (release, unit, kind) in enumerate(told)
    ]


@pytest.mark.parametrize(
    ("past", "running", "expected"),
    [
        ("1a 2a", "1a", Kind.ROLLBACK),
        ("1a 2a 3a", "1a", Kind.ROLLBACK),
        ("1a 2a", "2a", Kind.DEPLOY),
        ("1a 2a", "3a", Kind.DEPLOY),
        ("1a 2a", "1b", Kind.DEPLOY),
        ("", "1a", Kind.DEPLOY),
    ],
)
def test_what_runs_without_a_record_went_back_where_it_lies_below(
    past: str, running: str, expected: Kind
) -> None:
    told = [Record(each[0], each[1]) for each in past.split()]
    assert release_stack.kind_of(told, running[0], running[1]) is expected


@given(WORDS)
def test_what_was_deployed_last_is_on_top(told: list[tuple[str, str, Kind]]) -> None:
    past = history(told)
    if past:
        assert release_stack.standing_releases(past)[-1].release == past[-1].release


@given(WORDS)
def test_rollbacks_in_a_row_end(told: list[tuple[str, str, Kind]]) -> None:
    """Each one that goes to what lies below leaves less to go back to."""
    past = history(told)
    left = release_stack.standing_releases(past)
    while len(left) > 1:
        below = left[-2]
        past.append(Record(below.release, below.unit_digest, run="f" * 32, kind=Kind.ROLLBACK))
        shorter = release_stack.standing_releases(past)
        assert len(shorter) < len(left)
        left = shorter


def test_a_line_has_its_format_and_its_run() -> None:
    record = Record("1.0.0-aaaaaaaaaaaa", "d" * 12, "now", "me@here", RUN, Kind.ROLLBACK)
    assert json.loads(record.as_line()) == {
        "format": 1,
        "release": "1.0.0-aaaaaaaaaaaa",
        "unit": "d" * 12,
        "at": "now",
        "by": "me@here",
        "run": RUN,
        "kind": "rollback",
        "tool_version": __version__,
    }
    assert Record.parse(record.as_line()) == record
    note = Note("web-lab", "i-1:5000", "now", "me@here", OTHER)
    assert Note.parse(note.as_line()) == note


def test_a_line_without_a_format_is_read_as_format_0() -> None:
    line = '{"release": "1.0.0-aaaaaaaaaaaa", "unit": "dddddddddddd", "at": "t", "by": "me"}'
    older = Record("1.0.0-aaaaaaaaaaaa", "d" * 12, "t", "me", "", Kind.DEPLOY, tool_version="")
    assert Record.parse(line) == older
    assert Note.parse('{"target": "i-1:5000"}') == Note("", "i-1:5000")


@pytest.mark.parametrize(("parse", "newest"), [(Record.parse, 2), (Note.parse, 1)])
def test_a_later_format_is_refused(parse: object, newest: int) -> None:
    words = '"release": "1", "unit": "u", "at": "", "by": "", "target": "i-1"'
    line = f'{{"format": {newest + 1}, {words}}}'
    assert callable(parse)
    with pytest.raises(BadInput, match=rf"format than this version knows \({newest}\): upgrade"):
        parse(line)


ODD = ["", "{", "[]", "null", "3", '"x"', "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "\x00"]
ODD += ['{"format": 1}', '{"format": 1e999}', '{"format": -1}', '{"format": "2"}', '{"kind": 3}']
ODD += ['{"release": "1", "unit": "u", "at": "", "by": "", "kind": "²"}', '{"target": ""}']


@pytest.mark.parametrize("line", ODD, ids=lambda line: line[:20])
def test_anything_else_is_no_record_and_no_note(line: str) -> None:
    assert Record.parse(line) is None
    assert Note.parse(line) is None


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_no_line_raises_anything_but_ours(line: str) -> None:
    for parse in (Record.parse, Note.parse):
        try:
            parse(line)
        except BadInput as error:
            assert "upgrade" in str(error)  # noqa: PT017 - not every line raises


def test_runs_have_ids_of_their_own() -> None:
    assert len({records.new_run() for _ in range(100)}) == 100
    assert set(records.new_run()) <= set("0123456789abcdef")
    assert len(records.new_run()) == 32


def test_a_record_of_a_previous_unit_has_a_later_format_and_no_unit_digest() -> None:
    """A version that does not know it refuses the host: it would take the one before as current."""
    back = Record("old-web.service", "", "2026-11-29T10:00:00+00:00", "me", RUN, Kind.ROLLBACK)
    line = back.as_line()
    assert json.loads(line)["format"] == file_format.WITH_PREVIOUS
    assert Record.parse(line) == back
    assert back.is_previous
    ours = Record("1.0.0-aaaaaaaaaaaa", "d" * 12)
    assert json.loads(ours.as_line())["format"] == file_format.FORMAT
    assert not ours.is_previous
    with pytest.raises(BadInput, match="upgrade Changeover"):
        file_format.refuse_newer(json.loads(line), "a record")


@pytest.mark.parametrize(
    ("release", "unit"),
    [
        ("old-web.service", "d" * 12),
        ("../web.service", ""),
        ("web.socket", ""),
        ("web", ""),
        ("1.0.0-aaaaaaaaaaaa", ""),
    ],
)
def test_what_names_neither_a_release_nor_a_unit_is_no_record(release: str, unit: str) -> None:
    assert Record.parse(json.dumps({"release": release, "unit": unit})) is None
