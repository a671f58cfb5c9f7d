"""What a terminal shows at a moment of a run on paper: `python -m screen.replays` writes all anew.

Each file in `golden/` is a whole terminal: what was said above, and what is drawn below it.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deploy.events.event import HostSaid
from deploy.events.user import HoldBegan, HookBegan
from deploy.screen.run import drawing, report
from deploy.screen.run.failures import Failures
from deploy.screen.run.line import plain
from deploy.screen.run.state import RunState
from deploy.screen.run.story import Story
from screen.paper_run import AT, PaperRun, names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.events.event import Entry

GOLDEN = Path(__file__).parent / "golden"
SIZES = ((80, 24), (120, 40))


class Moment(NamedTuple):
    """A run on paper, and when it is looked at, in seconds since it began."""

    run: PaperRun
    seconds: float


PAUSE = HoldBegan(1, 600, "inv promote --env prod", "inv abort --env prod")
SHORT = HostSaid(
    "web-3", "waiting, 12 of 300 s: it would leave 9 of 12 in service in web-prod (minimum 10)"
)
FAILING = frozenset({"web-3"})
LONG = tuple(
    f"checkout-service-production-eu-west-1{zone}-web-{n}" for n in (2, 10) for zone in "ab"
)

MOMENTS: dict[str, Moment] = {
    "rolling-4-drains": Moment(PaperRun(names(4)), 30),
    "rolling-4-starts": Moment(PaperRun(names(4)), 53.5),
    "rolling-12-proves": Moment(PaperRun(names(12)), 135),
    "rolling-40-half": Moment(PaperRun(names(40), batch=10), 190),
    "surge-12-starts": Moment(PaperRun(names(12), batch=12, strategy="surge"), 14),
    "surge-12-drains": Moment(PaperRun(names(12), batch=12, strategy="surge"), 60),
    "surge-40-drains": Moment(PaperRun(names(40), batch=40, strategy="surge"), 60),
    "failure-4-just-now": Moment(PaperRun(names(4), failing=FAILING), 132),
    "failure-12-put-back": Moment(PaperRun(names(12), failing=FAILING), 145),
    "failure-12-later": Moment(PaperRun(names(12), failing=FAILING), 167),
    "failure-40": Moment(PaperRun(names(40), batch=10, failing=FAILING), 75),
    "surge-failure-12": Moment(
        PaperRun(names(12), batch=12, strategy="surge", failing=FAILING), 25
    ),
    "stop-12": Moment(PaperRun(names(12), stop_at=100), 110),
    "rollback-12": Moment(PaperRun(names(12), verb="Roll back"), 40),
    "hook-12": Moment(PaperRun(names(12), gate=HookBegan("pre-batch", "", 60)), 95),
    "pause-12": Moment(PaperRun(names(12), gate=PAUSE, gate_seconds=900), 200),
    "capacity-12": Moment(PaperRun(names(12), gate=SHORT), 95),
    "staging-12": Moment(PaperRun(names(12)), 3),
    "long-names": Moment(PaperRun(LONG), 30),
}


def until(entries: Iterable[Entry], seconds: float) -> Iterator[Entry]:
    """The entries up to a moment."""
    return (entry for entry in entries if entry.at <= AT + seconds)


def screen(moment: Moment, width: int, height: int) -> str:
    """A terminal of this size: what is drawn, and above it the end of what was said."""
    state, failures = RunState(), Failures()
    said: list[str] = []
    for entry in until(moment.run.entries(), moment.seconds):
        state(entry)
        for line in failures(entry):
            said += textwrap.wrap(plain(line), width, drop_whitespace=False) or [""]
    drawn = [plain(line) for line in drawing.lines(state, width, height, AT + moment.seconds)]
    assert len(drawn) < height
    above = said[-(height - len(drawn)) :] if said else []
    return "\n".join([*(line.rstrip() for line in (*above, *drawn)), ""])


def last(run: PaperRun) -> str:
    """The report of a run."""
    story = Story()
    for entry in run.entries():
        story(entry)
    return "\n".join([*map(plain, report.lines(story)), ""])


REPORTS = {
    "report-success": PaperRun(names(12)),
    "report-failure": PaperRun(names(12), failing=FAILING),
    "report-failure-of-two": PaperRun(names(12), failing=frozenset({"web-3", "web-4"})),
    "report-stop": PaperRun(names(12), stop_at=100),
}


def all_files() -> Iterator[tuple[str, str]]:
    """Each file's name, and what is in it."""
    for name, moment in MOMENTS.items():
        for width, height in SIZES:
            yield f"{name}-{width}x{height}.txt", screen(moment, width, height)
    for name, run in REPORTS.items():
        yield f"{name}.txt", last(run)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, text in all_files():
        (GOLDEN / name).write_text(text)
