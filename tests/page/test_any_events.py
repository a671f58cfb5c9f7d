"""Whatever is written over a part of an events file, it is a page or one message with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.commands import report as pages
from deploy.errors import BadInput
from deploy.events.text import as_line
from deploy.session.arguments import CommandOptions
from page import sample_runs

LINES = [as_line(entry) for entry in sample_runs.failure()]
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1.5, 1e308, float("inf"), "", "x" * 9000, "\u202e\x1b[2J", "healthy",
    "0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", [], [[]],
    ["x"], {}, {"x": "y"}, {"x": None},
)  # fmt: skip


def replaced(draw: st.DrawFn, value: Any, odd: Any) -> Any:
    """The value with one of its parts, at any depth, replaced."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    if not keys:
        return odd
    key = draw(st.sampled_from(list(keys)))
    part = value[key]
    goes_on = isinstance(part, dict | list) and draw(st.booleans())
    value[key] = replaced(draw, part, odd) if goes_on else odd
    return value


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """An events file with some parts of its lines replaced, and some lines gone or moved."""
    lines = list(LINES)
    for number in draw(st.lists(st.integers(0, len(lines) - 1), max_size=4)):
        body = json.loads(LINES[number])
        lines[number] = json.dumps(replaced(draw, body, draw(st.sampled_from(ODD))))
    first = draw(st.integers(0, 2))
    last = draw(st.integers(0, len(lines)))
    kept = [*lines[:first], *lines[last:]] if draw(st.booleans()) else lines
    return "".join(f"{line}\n" for line in kept)


@given(text=damaged())
def test_it_is_a_page_or_one_message(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder: Path = tmp_path_factory.mktemp("any")
    file = folder / "events.jsonl"
    file.write_text(text, encoding="utf-8")
    message = ""
    try:
        pages.report(CommandOptions(""), None, str(file), None, no_open=True)
    except BadInput as refused:
        message = str(refused)
    if message:
        assert message.startswith(f"{file}, line ")
        assert "cannot be read" not in message, "each is known, and none is unforeseen"
    else:
        assert "<script" not in (folder / "events.html").read_text()
