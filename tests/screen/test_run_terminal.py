"""A run on a real terminal: it may change its size, and its cursor comes back."""

from __future__ import annotations

import fcntl
import struct
import termios

from lab.terminal import Session

# A run on paper as fast as it can be heard, with its last failure; then it stays as it is.
RUN = """
import time
from deploy.screen import streams
from deploy.screen.console import Screen
from screen.paper_run import AT, PaperRun, names

streams.guard_program()
run = PaperRun(names(12), failing=frozenset({"web-3"}))
screen = Screen()
began = time.time()
with screen.progress() as watch:
    for entry in run.entries():
        if entry.at - AT > 140:
            break
        watch(entry)
    watch._now = lambda: AT + 140
    SEEN(screen)
    time.sleep(0.6)
screen.say("it is over")
"""


UNTIL_RESIZED = """
import time
def SEEN(screen):
    end = time.monotonic() + 10
    while screen._console.size.width == 80 and time.monotonic() < end:
        time.sleep(0.05)
"""


def resize(session: Session, height: int, width: int) -> None:
    fcntl.ioctl(session.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def test_the_table_is_drawn_for_the_size_that_the_terminal_has_and_the_cursor_comes_back() -> None:
    with Session(UNTIL_RESIZED + RUN) as session:
        session.until("putting it back")
        assert not session.screen.shows_cursor
        before = len(session.output)
        resize(session, 16, 60)
        while "more not begun" not in session.output[before:]:
            assert session.read(5)
        shown = "\n".join(session.screen.shown)
        assert "web-3" in shown
        assert "web-4" in shown, "it is at work"
        assert session.wait() == 0
        assert session.is_restored
        text = "\n".join(session.screen.rows)
        assert "it is over" in text
        assert text.count("web-3 failed: prove") == 1, "a failure is printed once, and stays"


def test_a_failure_that_is_printed_above_stays_there() -> None:
    with Session("SEEN = lambda screen: None\n" + RUN) as session:
        assert session.wait() == 0
        rows = session.screen.rows
        at = next(n for n, row in enumerate(rows) if row.startswith("web-3 failed: prove"))
        assert any("connection string 'orders'" in row for row in rows[at : at + 8])
        assert not any("putting it back" in row for row in rows), "the table itself does not"
