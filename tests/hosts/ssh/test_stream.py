"""An answer without an end is passed on line by line, however it is cut on its way."""

from __future__ import annotations

import itertools

import pytest

from deploy.hosts.scripts.script import Facts
from deploy.hosts.ssh import framing

MARK = "0" * 32
ANSWER = f"motd\n\n{MARK} begin\n\n{MARK} now=5\n\none\ntwo €\n\n{MARK} end 3\n".encode()


def heard(pieces: list[bytes]) -> tuple[list[str], list[str], framing.Stream]:
    lines: list[str] = []
    begun: list[str] = []
    stream = framing.Stream(MARK, 1024, heard=lines.append, began=lambda: begun.append("begun"))
    for piece in pieces:
        stream.feed(piece)
    return lines, begun, stream


@pytest.mark.parametrize("size", [1, 2, 3, 7, 33, 34, 35, 50, 1000])
def test_its_lines_are_passed_on_and_its_facts_kept(size: int) -> None:
    pieces = [ANSWER[start : start + size] for start in range(0, len(ANSWER), size)]
    lines, begun, stream = heard(pieces)
    assert lines == ["one", "two €"]
    assert begun == ["begun"]
    assert stream.exit_code == 3
    stdout, facts = stream.text()
    assert stdout.strip() == ""
    assert Facts(facts).first("now") == "5"


def test_a_line_is_heard_as_soon_as_it_is_whole() -> None:
    begin, _, _ = ANSWER.partition(b"one")
    lines, _, stream = heard([begin, b"on"])
    assert lines == []
    stream.feed(b"e\ntw")
    assert lines == ["one"]
    assert stream.exit_code is None


def test_it_may_be_longer_than_its_limit_but_no_line_of_it() -> None:
    begin, _, _ = ANSWER.partition(b"one")
    lines, _, stream = heard([begin])
    for _ in itertools.repeat(None, 100):
        stream.feed(b"x" * 99 + b"\n")
    assert len(lines) == 100
    with pytest.raises(framing.TooMuch):
        stream.feed(b"x" * 1025)
