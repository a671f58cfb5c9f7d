"""A line of a journal is read whatever is in it, and is safe to show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_output import acting

from deploy.hosts.logbook.journal_line import JournalLine

AT = 1_764_428_645_123_456
CURSOR = "s=0f;i=1a2b;b=3c;m=4d;t=5e;x=6f"
GIVEN = {
    "__REALTIME_TIMESTAMP": str(AT),
    "__CURSOR": CURSOR,
    "_SYSTEMD_UNIT": "web@5000.service",
    "PRIORITY": "6",
    "CHANGEOVER_RELEASE": "2.0.0-bbbbbbbbbbbb",
    "MESSAGE": "ready",
}
LINE = JournalLine(AT, "web-1", "web@5000.service", "ready", 6, "2.0.0-bbbbbbbbbbbb", CURSOR)


def parsed(**changed: Any) -> JournalLine | None:
    fields = {key: value for key, value in (GIVEN | changed).items() if value is not None}
    return JournalLine.parse(json.dumps(fields), "web-1")


def message(given: Any) -> str:
    line = parsed(MESSAGE=given)
    assert line
    return line.message


def test_a_line_is_what_the_journal_says() -> None:
    assert parsed() == LINE


def test_what_systemd_says_is_of_the_unit_that_it_is_about() -> None:
    line = parsed(_SYSTEMD_UNIT="init.scope", UNIT="web@5001.service")
    assert line
    assert line.unit == "web@5001.service"


MESSAGES: dict[str, tuple[Any, str]] = {
    "bytes, where it is not printable": ([104, 105, 27, 91, 50, 74], "hi\\x1b[2J"),
    "bytes that are no UTF-8": ([255], "\\ufffd"),
    "several": (["one", "two"], "one two"),
    "nothing, where it is longer than journalctl shows": (None, ""),
    "numbers that are no bytes": ([1000], ""),
    "another kind": ({"a": 1}, ""),
    "several lines": ("a\nb\n", "a\\x0ab"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_of_any_kind_is_one_line_that_acts_on_nothing(name: str) -> None:
    given, expected = MESSAGES[name]
    assert message(given) == expected


def test_a_message_has_its_limit() -> None:
    assert len(message("x" * 10_000)) == 4096
    assert message("x" * 10_000).endswith("… (10,000 characters)")


@pytest.mark.parametrize(
    "changed",
    [
        {"__REALTIME_TIMESTAMP": None},
        {"__REALTIME_TIMESTAMP": "soon"},
        {"__REALTIME_TIMESTAMP": "9" * 18},
    ],
)
def test_a_line_without_a_time_is_none(changed: dict[str, Any]) -> None:
    assert parsed(**changed) is None


@pytest.mark.parametrize("text", ["", "-- No entries --", "[]", "[" * 100_000, '{"a": 1'])
def test_what_is_no_line_is_none(text: str) -> None:
    assert JournalLine.parse(text, "web-1") is None


def test_what_is_outside_its_grammar_is_unknown() -> None:
    line = parsed(
        __CURSOR="$(reboot)",
        _SYSTEMD_UNIT="../../etc",
        CHANGEOVER_RELEASE="../../x",
        PRIORITY="9",
    )
    assert line
    assert (line.cursor, line.unit, line.release, line.priority) == ("", "", "", 6)


@given(
    st.dictionaries(
        st.sampled_from(sorted(GIVEN)),
        st.recursive(st.none() | st.integers() | st.text() | st.floats(allow_nan=False), st.lists),
    )
)
def test_no_host_crashes_the_reader(fields: dict[str, Any]) -> None:
    line = JournalLine.parse(json.dumps(GIVEN | fields), "web-1")
    assert line is None or not acting(line.message + line.unit + line.release + line.cursor)
