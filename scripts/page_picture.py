#!/usr/bin/env python3
"""Draws docs/report.png: the page of a run in which the second of six hosts failed.

Run it in the project's virtual environment after a change of the page. It needs Chromium, which
`scripts/debian-packages browser` installs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "scripts")]

import small_png  # noqa: E402 - the clone is on the path only now
from page import other_runs  # noqa: E402
from page.chromium import Browser  # noqa: E402

from deploy.page import content, rendering  # noqa: E402

PICTURE = ROOT / "docs" / "report.png"
WIDTH, FIRST_HEIGHT, MARGIN = 1200, 900, 24
"""In pixels; MARGIN is what is left below the last lane, where the picture ends."""
NAMES = {
    "host-": "web-",
    "1.0.0-aaaaaaaaaaaa": "1.0.0-9c04d1e7a2b5",
    "2.0.0-bbbbbbbbbbbb": "2.0.0-1fec266199bb",
}
"""What the picture shows in place of a test's names."""
BOTTOM = "document.querySelector('.lanes').getBoundingClientRect().bottom"


def draw(browser: Browser, page: Path, picture: Path) -> None:
    """Draw the picture.

    Args:
        browser: Draws it.
        page: Where the page is kept meanwhile.
        picture: The file that is written, a PNG.
    """
    run = other_runs.renamed(other_runs.failed(6), NAMES)
    shown = content.page(run, ".changeover/runs/20261129T110000Z-0123abcd/events.jsonl")
    page.write_text(rendering.html(shown), encoding="utf-8")
    browser.open(page, WIDTH, FIRST_HEIGHT)
    browser.open(page, WIDTH, int(browser.ask(BOTTOM)) + MARGIN)
    browser.picture(picture)
    picture.write_bytes(small_png.small(picture.read_bytes()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Browser(Path(folder) / "profile") as opened:
        draw(opened, Path(folder) / "events.html", PICTURE)
    print(PICTURE.relative_to(ROOT))
