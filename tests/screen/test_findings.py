"""The lines of `inv check`: within the terminal's width, and what is to be copied in one piece."""

from __future__ import annotations

import json

from deploy.checkup.doctor.finding import Finding, Level
from deploy.checkup.refusals import Part
from deploy.screen.doctor import findings as view

KEY = "[10.0.0.1]:2222 ssh-ed25519 " + "A" * 90
FOUND = (
    Finding(Part.HOSTS, Level.OK, "systemd 252 (12 hosts)"),
    Finding(
        Part.HOSTS,
        Level.PROBLEM,
        "web-1 (10.0.0.1): unknown host key; " + "compare it with the machine's own " * 4,
        (KEY,),
        said="a host\x1b[2J and its words " * 6,
    ),
)


def shown(columns: int | None) -> list[str]:
    return [text for text, _ in view.lines(FOUND, columns)]


def test_sentences_fit_eighty_columns_and_a_key_stays_whole() -> None:
    lines = shown(80)
    assert lines[:2] == ["hosts", "  ok      systemd 252 (12 hosts)"]
    assert lines[2].startswith("  problem web-1 (10.0.0.1): unknown host key")
    assert all(len(line) <= 80 for line in lines if KEY not in line)
    assert all(line.startswith(" " * 10) for line in lines[3:])
    assert lines[-1] == " " * 10 + KEY


def test_a_log_has_no_width() -> None:
    assert len(shown(None)) == 5


def test_what_others_said_moves_no_cursor() -> None:
    assert "\x1b" not in "".join(shown(80))


def test_the_verdict_counts() -> None:
    assert view.verdict("lab", FOUND) == ("lab: not ready for a deploy (1 problem)", "bold red")
    assert view.verdict("lab", FOUND[:1]) == ("lab: a deploy would start", "green")


def test_json_has_every_finding() -> None:
    body = json.loads(view.as_json("lab", FOUND, 2))
    assert (body["ready"], body["exit_code"], body["environment"]) == (False, 2, "lab")
    assert [each["level"] for each in body["findings"]] == ["ok", "problem"]
    assert body["findings"][1]["details"] == [KEY]
