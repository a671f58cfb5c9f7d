"""A failed mark says what failed, under which unit, when, who set it, and why."""

from __future__ import annotations

import json

import pytest

from deploy import values
from deploy.errors import BadInput
from deploy.hosts import marks
from deploy.hosts.file_format import FORMAT
from deploy.hosts.marks import Mark

RELEASE = "2.0.0-bbbbbbbbbbbb"
MARK = Mark(RELEASE, "cd" * 32, "2026-11-29T08:00:00+00:00", "me@here", "ab" * 16, "answer 503")


def test_what_is_written_is_read() -> None:
    assert "\n" not in MARK.as_line()
    assert Mark.parse(RELEASE, f"{MARK.as_line()}\n") == MARK
    assert str(MARK) == (
        "marked 2026-11-29T08:00:00+00:00 by me@here under unit cdcdcdcdcdcd: answer 503"
    )


def test_a_mark_of_an_older_version_is_read_too() -> None:
    found = Mark.parse(RELEASE, "2026-11-28T06:00:00+00:00 me@here\n")
    assert found == Mark(RELEASE, at="2026-11-28T06:00:00+00:00", by="me@here")
    assert str(found) == "marked 2026-11-28T06:00:00+00:00 by me@here"


def test_a_mark_of_a_newer_version_is_refused() -> None:
    line = json.dumps(json.loads(MARK.as_line()) | {"format": FORMAT + 1})
    with pytest.raises(BadInput, match="upgrade Changeover"):
        Mark.parse(RELEASE, line)


def test_why_is_one_bounded_line_that_acts_on_nothing() -> None:
    why = "first line\nsecond \033]0;title\a ##vso[task] " + "x" * 5000
    found = Mark.parse(RELEASE, Mark(RELEASE, why=why).as_line())
    assert found
    assert found.why.startswith("first line second ")
    assert len(found.why) <= marks.MOST_WHY
    assert values.printable(found.why) is not None
    assert "\033" not in found.why


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "{",
        "sick\033[2J",
        "[1]" * 20_000,
        json.dumps({"format": 1, "release": "1.0.0-aaaaaaaaaaaa"}),
        json.dumps({"format": 1, "release": RELEASE, "why": 7}),
        json.dumps({"format": 1, "release": RELEASE, "by": "a\nb"}),
        json.dumps({"format": 1, "release": RELEASE, "unit_digest": "../.."}),
    ],
)
def test_control_what_is_none_of_ours_is_not_shown(text: str) -> None:
    assert Mark.parse(RELEASE, text) is None
