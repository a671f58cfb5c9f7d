"""The recordings in docs/recordings: what the code draws today, in files that need nothing else."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "recordings.py"))
WRITTEN: dict[str, str] = SCRIPT["written"]()
SVG = "{http://www.w3.org/2000/svg}"


def spans(text: str) -> set[tuple[int, int]]:
    """From which frame to which the groups of lines of a recording are seen."""
    return {(int(begin), int(end)) for begin, end in re.findall(r'class="f(\d+)-(\d+)', text)}


def lines_of(text: str, frame: int) -> list[str]:
    """The lines of a recording's frame, from the top."""
    root = ET.fromstring(text)  # noqa: S314 - a file of our own
    found: dict[float, str] = {}
    for group in root.iter(f"{SVG}g"):
        begin, end = map(int, group.attrib["class"].split()[0][1:].split("-"))
        if begin <= frame < end:
            for line in group.iter(f"{SVG}text"):
                assert float(line.attrib["y"]) not in found, "two lines at one place"
                pieces = [piece.text or "" for piece in line.iter(f"{SVG}tspan")]
                found[float(line.attrib["y"])] = " ".join(pieces)
    return [found[y] for y in sorted(found)]


@pytest.mark.parametrize("name", WRITTEN)
def test_a_recording_is_what_the_code_draws(name: str) -> None:
    """`scripts/recordings.py` writes them anew; look at them before they are committed."""
    assert (ROOT / name).read_text() == WRITTEN[name], f"run scripts/recordings.py: {name} is stale"


def test_there_is_no_recording_that_is_not_tested() -> None:
    folder = ROOT / SCRIPT["FOLDER"]
    assert {str(file.relative_to(ROOT)) for file in folder.iterdir()} == set(WRITTEN)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_recording_is_small_and_asks_nothing_of_a_network(name: str) -> None:
    text = WRITTEN[name]
    assert len(text.encode()) < SCRIPT["MOST_BYTES"]
    assert re.findall(r"\w+:/+[^\"' <]*", text.replace("http://[::]:5000", "")) == [
        "http://www.w3.org/2000/svg"
    ]
    assert not re.search(r"url\(|@import|@font-face|<script|<image|href", text)
    assert "prefers-reduced-motion" in text


@pytest.mark.parametrize("name", WRITTEN)
def test_a_recording_is_shown_in_one_of_the_docs(name: str) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = name.removeprefix("docs/")
    assert any(f"{shown})" in page.read_text() for page in pages)


@pytest.mark.parametrize("name", WRITTEN)
def test_each_frame_is_a_terminal_of_its_size(name: str) -> None:
    columns, rows = map(int, re.findall(r"(\d+)x(\d+)", name)[0])
    last = max(end for _, end in spans(WRITTEN[name]))
    for frame in range(last):
        lines = lines_of(WRITTEN[name], frame)
        assert 0 < len(lines) <= rows
        assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("size", ["80x24", "120x40"])
def test_a_recording_of_a_failure_begins_with_the_plan_and_ends_with_the_cause(size: str) -> None:
    text = WRITTEN[f"docs/recordings/failure-{size}.svg"]
    last = max(end for _, end in spans(text))
    assert lines_of(text, 0)[0] == "$ inv deploy --env prod --package 2.0.0"
    end = lines_of(text, last - 1)
    assert any("connection string 'orders'" in line for line in end)
    assert end[-2].startswith("The run is kept in ")
    assert any("FAILED" in line for frame in range(last) for line in lines_of(text, frame)), (
        "the table is seen meanwhile"
    )
