"""What others wrote is shown, and does nothing."""

from __future__ import annotations

import json

import hostile
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_output import acting, runner_commands

from audit import screen
from deploy.errors import BadInput, DeployError
from deploy.foreign_text import MOST_CHARACTERS, Lines, json_text, line, lines, visible

HOSTILE = st.text(st.sampled_from("".join(screen.PARTS)) | st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-1.2.3 läuft, 100 %", "web-1.2.3 läuft, 100 %"),
        ("日本 עברית Zürich 👍", "日本 עברית Zürich 👍"),
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\r\nb", "a\\x0d\\x0ab"),
        ("a\tb", "a\\x09b"),
        ("\x9b1A", "\\x9b1A"),
        ("\u202eb", "\\u202eb"),
        ("\udc80", "\\udc80"),
        ("\U000e0041", "\\U000e0041"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 5, "e" + "\\u0301" * 5),
        ("[bold]", "[bold]"),
    ],
    ids=ascii,
)
def test_a_value_is_shown_with_what_acts_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == line(text) == shown
    assert visible(shown) == shown


def test_a_value_is_cut_with_its_length() -> None:
    assert visible("a" * 4096) == "a" * 4096
    cut = visible("a" * 5000)
    assert len(cut) == MOST_CHARACTERS
    assert cut.endswith("a… (5,000 characters)")
    assert visible(cut) == cut
    assert visible("\x1b" * 5000).endswith("\\x1b… (5,000 characters)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::a", ":\\x3aerror::a"),
        ("  ::error::a", "  :\\x3aerror::a"),
        ("a\n::error::a", "a\n:\\x3aerror::a"),
        ("a ::error::b", "a ::error::b"),
        ("a ##[group]b", "a #\\x23[group]b"),
        ("a##vso[task.x]b", "a#\\x23vso[task.x]b"),
        ("fe80::1 and 10 # of 12", "fe80::1 and 10 # of 12"),
    ],
)
def test_a_log_holds_no_runners_command(text: str, shown: str) -> None:
    assert Lines(for_terminal=False).guarded(text) == shown
    pieces = Lines(for_terminal=False)
    assert "".join(pieces.guarded(character) for character in text) == shown
    assert Lines(for_terminal=True).guarded(text) == text


@given(st.lists(HOSTILE, max_size=6))
def test_whatever_is_written_in_whatever_pieces_does_nothing(pieces: list[str]) -> None:
    log, terminal = Lines(for_terminal=False), Lines(for_terminal=True)
    output = "".join(log.guarded(piece) for piece in pieces)
    assert not runner_commands(output)
    assert not acting(output)
    assert not acting("".join(terminal.guarded(piece) for piece in pieces))
    whole = Lines(for_terminal=False).guarded("".join(pieces))
    assert whole.count("\n") == "".join(pieces).count("\n")


@given(HOSTILE)
def test_json_is_ascii_without_hashes_and_reads_back(text: str) -> None:
    written = json_text({"note": text, "rows": [{text: 1}]})
    assert written.isascii()
    assert "#" not in written
    assert "\x7f" not in written
    assert json.loads(written) == {"note": text, "rows": [{text: 1}]}
    assert not runner_commands(written)


def test_json_cuts_long_texts() -> None:
    written = json.loads(json_text({"note": "a" * 5000}))
    assert len(written["note"]) == MOST_CHARACTERS


def test_an_error_has_the_lines_that_its_author_gave_it() -> None:
    assert str(DeployError("host-1: a\nhost-2: deployed\x1b[1A")) == (
        "host-1: a\\x0ahost-2: deployed\\x1b[1A"
    )
    assert str(BadInput("host-1: no", "host-2: no")) == "host-1: no\nhost-2: no"
    assert lines("a\nb\x1b") == "a\nb\\x1b"


def test_the_wall_holds_and_its_control_does_not() -> None:
    assert screen.attack(4_000).findings == ()
    assert screen.control(200).findings


@pytest.mark.parametrize("number", range(20))
def test_control_every_seed_gets_through_without_the_wall(number: int) -> None:
    found = screen.fuzz(60, lambda _: screen._NoWall(), str, seed=number)
    assert found.findings


def test_the_hostile_texts_are_caught_by_the_inspector() -> None:
    harmless = {text for text in hostile.TEXTS if not acting(text) and not runner_commands(text)}
    assert {text[:3] for text in harmless} == {"a\nE", "[bo", "a\u0301\u0301", "zzz"}
