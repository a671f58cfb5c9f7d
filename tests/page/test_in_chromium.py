"""The page in a real browser: what is drawn, heard, printed and how fast."""

from __future__ import annotations

import re
import runpy
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hostile
import pytest
from builders import NEW, OLD

from deploy.events.event import Entry
from deploy.page import bars, content, rendering
from deploy.page.timeline import timeline
from page import other_runs, sample_runs
from page.chromium import Browser
from page.test_rendering import MARKUP, everywhere

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / ".lab" / "pages"
RUNS: dict[str, Callable[[], tuple[Entry, ...]]] = {
    "rolling": sample_runs.rolling,
    "surge": sample_runs.surge,
    "failure": sample_runs.failure,
    "stopped": sample_runs.stopped,
    "killed": sample_runs.killed,
    "fleet": sample_runs.fleet,
    **other_runs.RUNS,
    "hostile": lambda: tuple(everywhere(MARKUP[0] + MARKUP[1] + hostile.TEXTS[0])),
}
OPEN_MILLISECONDS = 2000
LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, level AA, for text of any size."""
LEAST_CONTRAST_OF_SHAPES = 3.0
"""The same, 1.4.11, for what is drawn."""
TAB, ENTER = ("Tab", 9), ("Enter", 13)

LANES = """[...document.querySelectorAll('.lane')].map(lane => {
  const chart = lane.querySelector('.chart').getBoundingClientRect();
  const host = lane.querySelector('.host');
  return [host.title || host.textContent, [...lane.querySelectorAll('.bar')].map(bar => {
    const box = bar.querySelector('rect').getBoundingClientRect();
    return [bar.getAttribute('aria-label'), (box.left - chart.left) / chart.width,
            box.width / chart.width, bar.getAttribute('class')];
  })];
})"""

# Milliseconds since the navigation began: the first paint, the load event, and the second frame
# after it, in which all that is in sight was laid out and drawn.
OPENED = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done([
  performance.getEntriesByName('first-contentful-paint')[0].startTime,
  performance.getEntriesByType('navigation')[0].loadEventEnd,
  performance.now(),
]))))"""

# How far two colours are from each other, by WCAG 2.2.
COLOURS = """
  const numbers = text => text.match(/[0-9.]+/g).map(Number);
  const light = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map(c => c / 255)
      .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
"""

# Each text with its own colour and what is behind it; a text in a bar stands on the bar's colour.
CONTRASTS = (
    "(() => {"
    + COLOURS
    + """
  const behind = element => {
    for (; element; element = element.parentElement) {
      const found = numbers(getComputedStyle(element).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    throw new Error('no background');
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, style = getComputedStyle(element);
    if (!walker.currentNode.textContent.trim() || !element.getClientRects().length) continue;
    if (['TITLE', 'STYLE', 'title'].includes(element.tagName)) continue;
    const bar = element.closest('.bar');
    let colour = style.color, ground = behind(element);
    if (element instanceof SVGElement) {
      colour = style.fill;
      if (style.stroke !== 'none') ground = numbers(style.stroke);
      else if (bar) ground = numbers(getComputedStyle(bar.querySelector('rect')).fill);
    }
    found.push([ratio(numbers(colour), ground), element.outerHTML.slice(0, 120)]);
  }
  return found;
})()"""
)


# Each bar's edge, and the line of each state of a target, against what is behind them.
EDGES = (
    "(() => {"
    + COLOURS
    + """
  const ground = numbers(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll('.chart .bar > rect, .chart .state:not(.off)')].map(each => {
    const style = getComputedStyle(each);
    const edge = style.stroke === 'none' ? style.fill : style.stroke;
    return [ratio(numbers(edge), ground), each.parentElement.getAttribute('class'),
            each.getAttribute('class')];
  });
})()"""
)

# Of each bar at which the Tab key stops: what its box says, where that is, and how many are seen.
TIPS = """[...document.querySelectorAll('.bar[tabindex]')].map(bar => {
  bar.focus({focusVisible: true});
  const box = bar.querySelector('.tip rect').getBoundingClientRect();
  const seen = [...document.querySelectorAll('.tip')].filter(each => each.checkVisibility());
  const texts = [...seen[0].querySelectorAll('text')].filter(each => each.checkVisibility()
    && each.getBoundingClientRect().right <= box.right);
  return [texts.map(each => each.textContent).join(' '), box.left, box.right, seen.length];
})"""


@pytest.fixture(scope="module")
def entries() -> dict[str, tuple[Entry, ...]]:
    return {name: made() for name, made in RUNS.items()}


@pytest.fixture(scope="module")
def pages(
    entries: dict[str, tuple[Entry, ...]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The page of each run, as a file."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in entries}
    for name, file in found.items():
        page = content.page(entries[name], f".changeover/runs/{name}/events.jsonl")
        file.write_text(rendering.html(page), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", RUNS)
def test_the_console_stays_empty(
    browser: Browser, pages: dict[str, Path], name: str, scheme: str
) -> None:
    browser.open(pages[name], scheme=scheme)
    assert browser.ask("document.querySelectorAll('script').length") == 0
    assert browser.ask("typeof alert") == "function"
    assert browser.console == []


def test_control_what_the_policy_refuses_is_in_the_console(
    browser: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "other.html"
    text = pages["rolling"].read_text()
    file.write_text(text.replace("<main>", "<main style='color: red'><script>window.x=1</script>"))
    browser.open(file)
    assert browser.ask("window.x") is None
    said = "".join(browser.console)
    assert "script" in said
    assert "Content Security Policy" in said
    assert "inline style" in said


@pytest.mark.parametrize("name", [name for name in RUNS if name != "hostile"])
def test_the_lanes_equal_the_events(
    browser: Browser,
    pages: dict[str, Path],
    entries: dict[str, tuple[Entry, ...]],
    name: str,
) -> None:
    browser.open(pages[name])
    drawn = browser.ask(LANES)
    run = timeline(entries[name])
    assert [host for host, _ in drawn] == [lane.host for lane in run.lanes]
    for (_, boxes), lane in zip(drawn, run.lanes, strict=True):
        for (label, left, width, kinds), bar in zip(boxes, lane.bars, strict=True):
            assert label == bars.name(bar)
            assert left == pytest.approx(bar.start / run.seconds, abs=0.003)
            assert width == pytest.approx(max(bar.seconds / run.seconds, 0.002), abs=0.002)
            assert kinds == f"bar {bars.look(bar)}"


def test_a_run_of_200_hosts_is_open_within_two_seconds(
    browser: Browser, pages: dict[str, Path]
) -> None:
    times = []
    for _ in range(3):  # the best of them: others may have the processor meanwhile
        browser.open(pages["fleet"])
        times.append(browser.ask(OPENED))
    assert browser.ask("document.querySelectorAll('.lane').length") == 200
    assert all(0 < painted < drawn for painted, _, drawn in times)
    assert min(max(each) for each in times) < OPEN_MILLISECONDS
    assert pages["fleet"].stat().st_size < 4_000_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["surge", "failed", "stopped", "held", "taken-back", "left-out"])
def test_every_text_has_enough_contrast(
    browser: Browser, pages: dict[str, Path], name: str, scheme: str
) -> None:
    browser.open(pages[name], width=1600, scheme=scheme)
    browser.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
    found: list[tuple[float, str]] = browser.ask(CONTRASTS)
    assert len(found) > 100
    assert [each for each in found if each[0] < LEAST_CONTRAST] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_bar_and_state_has_enough_contrast(
    browser: Browser, pages: dict[str, Path], scheme: str
) -> None:
    for name in ("failed", "stopped", "cut-in-recovery", "surge-failure"):
        browser.open(pages[name], scheme=scheme)
        found: list[tuple[float, str, str | None]] = browser.ask(EDGES)
        assert len(found) > 20
        assert [each for each in found if each[0] < LEAST_CONTRAST_OF_SHAPES] == []


def test_light_and_dark_are_what_the_reader_prefers(
    browser: Browser, pages: dict[str, Path]
) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        browser.open(pages["rolling"], scheme=scheme)
        colour = browser.ask("getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(map(int, re.findall(r"\d+", colour))))
    light, dark = grounds
    assert light > 3 * 200
    assert dark < 3 * 50


def test_a_screen_reader_finds_landmarks_headings_tables_and_a_name_for_each_bar(
    browser: Browser, pages: dict[str, Path], entries: dict[str, tuple[Entry, ...]]
) -> None:
    browser.open(pages["failure"])
    found = browser.names()
    roles = [role for role, _ in found]
    for landmark in ("banner", "main", "contentinfo"):
        assert roles.count(landmark) == 1
    regions = [name for role, name in found if role == "region"]
    assert regions == [
        "What failed", "Facts", "Hosts over time", "Outcomes", "Notes", "Moments",
        "Table of outcomes",
    ]  # fmt: skip
    headings = [name for role, name in found if role == "heading"]
    assert headings[0] == "web 1.0.0 → 2.0.0 bbbbbbbbbbbb"
    assert {"What failed", "Hosts over time", "Outcomes"} <= set(headings)
    assert {"columnheader", "rowheader", "table"} <= set(roles)
    pictures = [name for role, name in found if role == "image"]
    assert all(pictures)
    named = [bars.name(bar) for lane in timeline(entries["failure"]).lanes for bar in lane.bars]
    assert set(named) <= set(pictures)
    opened = [name for role, name in found if role == "DisclosureTriangle"]
    assert any("web-2" in name and "back on what it ran" in name for name in opened)


def focused(browser: Browser) -> Any:
    return browser.ask(
        "[document.activeElement.tagName.toLowerCase(), "
        "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent]"
    )


def test_the_keyboard_reaches_the_hosts_their_steps_and_each_bar(
    browser: Browser, pages: dict[str, Path], entries: dict[str, tuple[Entry, ...]]
) -> None:
    browser.open(pages["failure"])
    browser.press(*TAB)
    assert focused(browser) == ["a", "Skip to the hosts"]
    browser.press(*TAB)
    tag, text = focused(browser)
    assert (tag, text.split()[0]) == ("summary", "web-1")
    browser.press(*ENTER)
    assert browser.ask("document.querySelector('.lane details').open") is True
    first = timeline(entries["failure"]).lanes[0]
    for bar in first.bars:
        browser.press(*TAB)
        assert focused(browser) == ["g", bars.name(bar)]
    stroke = "getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth"
    assert browser.ask(stroke) == "3px", "it is seen where the keyboard is"
    browser.press(*TAB)
    assert focused(browser)[1].split()[0] == "web-2"


def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, pages: dict[str, Path]
) -> None:
    for name in ("failed", "surge", "fleet", "hostile", "long-names", "held"):
        browser.open(pages[name], 390, 844)
        browser.ask("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert browser.ask("document.scrollingElement.scrollWidth") <= 390, name
        assert browser.ask("document.querySelector('.chart').clientWidth") > 300


def test_a_failure_and_its_journal_are_in_the_first_screenful(
    browser: Browser, pages: dict[str, Path]
) -> None:
    bottom = "document.querySelector('.failure pre').getBoundingClientRect().bottom"
    top = "document.querySelector('.failure pre').getBoundingClientRect().top"
    browser.open(pages["failure"], 1280, 720)
    assert browser.ask(bottom) <= 720
    browser.open(pages["failure"], 390, 844)
    assert browser.ask(top) <= 844


def test_eight_hosts_are_printed_on_one_page(browser: Browser, pages: dict[str, Path]) -> None:
    """With a failure, its journal, and what the plan changes in a few words."""
    for scheme in ("light", "dark"):
        browser.open(pages["failed"], scheme=scheme, media="")
        assert browser.ask("document.querySelectorAll('.lane').length") == 8
        assert sheets(browser.printed()) == 1
    browser.open(pages["fleet"], media="")
    pdf = browser.printed()
    assert sheets(pdf) > 3, "they are counted"
    assert len(pdf) < 4_000_000


def test_the_difference_is_folded_and_the_keyboard_unfolds_it(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.open(pages["failed"])
    shown = "document.querySelector('.change .diff').checkVisibility()"
    assert browser.ask(shown) is False
    browser.press(*TAB)
    browser.press(*TAB)
    tag, text = focused(browser)
    assert (tag, text.split()[:4]) == ("summary", ["web", OLD, "→", NEW])
    assert "2 files added (1.5 MB)" in text, "what it comes to is seen without unfolding it"
    browser.press(*ENTER)
    assert browser.ask(shown) is True
    lines = "[...document.querySelectorAll('.diff ins, .diff del')].map(each => each.textContent)"
    assert browser.ask(lines) == [
        f"--- the unit of {OLD}", f"+++ the unit of {NEW}", "-MemoryMax=1G", "+MemoryMax=2G",
        "-Environment=TOKEN=…", "+Environment=TOKEN=… (changed)",
    ]  # fmt: skip


def test_a_bar_says_what_it_is_where_the_keyboard_is_and_inside_the_window(
    browser: Browser, pages: dict[str, Path], entries: dict[str, tuple[Entry, ...]]
) -> None:
    for width in (760, 1280):
        browser.open(pages["failed"], width, 800)
        browser.press(*TAB)
        boxes = browser.ask(TIPS)
        run = timeline(entries["failed"])
        shown = [bar for lane in run.lanes for bar in lane.bars]
        for (said, left, right, count), bar in zip(boxes, shown, strict=True):
            assert said == " ".join(bars.tip(bar))
            assert left >= 0
            assert right <= width
            assert count == 1, "one at a time"


def test_nothing_on_the_page_moves(browser: Browser, pages: dict[str, Path]) -> None:
    """So whoever prefers reduced motion has it, and all others too."""
    moving = """[...document.querySelectorAll('*')].filter(each => {
      const style = getComputedStyle(each);
      return style.animationName !== 'none' || parseFloat(style.transitionDuration) > 0
        || style.scrollBehavior === 'smooth' || /^(animate|set)/i.test(each.tagName);
    }).length"""
    browser.open(pages["failed"])
    assert browser.ask(moving) == 0
    browser.ask("document.body.setAttribute('class', 'x')")
    sheet = "new CSSStyleSheet()"
    browser.ask(
        f"(() => {{ const sheet = {sheet}; sheet.replaceSync('.x {{ transition: all 1s }}'); "
        "document.adoptedStyleSheets = [sheet]; })()"
    )
    assert browser.ask(moving) == 1, "it would be found"


def test_what_is_unfolded_is_printed_and_what_is_folded_is_a_line(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.open(pages["failed"], 760, 1075, media="print")
    shown = "document.querySelector('.change .diff').checkVisibility()"
    line = "document.querySelector('.change .gist').checkVisibility()"
    assert (browser.ask(line), browser.ask(shown)) == (True, False)
    browser.ask("document.querySelector('.change').open = true")
    assert browser.ask(shown) is True


def sheets(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_pictures_are_kept_to_look_at(browser: Browser, pages: dict[str, Path]) -> None:
    """In .lab/pages."""
    for name in RUNS:
        for scheme in ("light", "dark"):
            browser.open(pages[name], scheme=scheme)
            browser.picture(PICTURES / f"{name}-{scheme}.png")
        browser.open(pages[name], 390, 844)
        browser.picture(PICTURES / f"{name}-phone.png")
        browser.open(pages[name], 760, 1075, media="print")
        browser.picture(PICTURES / f"{name}-print.png")
    assert len({*PICTURES.glob("*.png")}) >= 4 * len(RUNS)


def test_the_picture_in_the_docs_is_what_its_script_draws(browser: Browser, tmp_path: Path) -> None:
    """Fonts differ between machines, so that no picture equals another; its size does nearly."""
    script = runpy.run_path(str(ROOT / "scripts" / "page_picture.py"))
    script["draw"](browser, tmp_path / "page.html", tmp_path / "picture.png")
    drawn, kept = size(tmp_path / "picture.png"), size(script["PICTURE"])
    assert drawn[0] == kept[0] == script["WIDTH"]
    assert drawn[1] == pytest.approx(kept[1], rel=0.1), "run scripts/page_picture.py"


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG, which its first chunk has."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height
