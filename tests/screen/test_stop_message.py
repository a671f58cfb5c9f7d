"""Ctrl-C on a terminal: its message stays readable, and the terminal is left as it was."""

from __future__ import annotations

import os
import signal

import pytest

from lab.terminal import Session

# A run that goes on until it is stopped, with the product's own screen, table and signals.
RUN = """
import os, signal, sys, threading, time
import builders
from deploy.cli import invoke_patch
from deploy.commands.signals import Signals
from deploy.screen import streams
from deploy.screen.console import Screen
from deploy.plan import plan
from deploy.plan import assembly
from deploy.events.event import BatchBegan, HostSaid
import run_entries

streams.guard_program()
invoke_patch.restore_on_signals()
facts = [builders.facts(n, {"web": builders.slot()}) for n in range(1, 31)]
offers = (builders.offer(builders.app(), facts),)
made = assembly.make(builders.environment(), offers, builders.survey(facts))
step = made.batches[0][0].steps[0]

class Execution:
    def __init__(self, listen):
        self.stopped, self.listen = threading.Event(), listen
    def stop(self, number):
        self.stopped.set()

def rounds(count, seconds, own_interrupt):
    for number in range(count):
        screen = Screen()
        BEFORE(screen)
        with Signals(screen, "inv repair --env lab") as signals:
            watch = screen.progress()
            tell = run_entries.telling(watch)
            execution = Execution(tell)
            signals.guide(execution)
            with watch:
                watch(run_entries.plan_made(made))
                tell(BatchBegan(1, 15, ("host-1",)))
                tell(run_entries.began(step))
                tell(HostSaid("host-1", "draining, 3 of 15 s"))
                time.sleep(seconds)
                if own_interrupt:
                    os.kill(os.getpid(), signal.SIGINT)
                execution.stopped.wait(10)
                tell(HostSaid("host-1", "returns to service"))
                time.sleep(seconds)
        screen.say(f"round {number} is over")
BEFORE = lambda screen: None
"""
STOPPING = "Stopping. No further hosts will start. Draining hosts return to service; hosts past"
NAIVE = 'BEFORE = lambda screen: setattr(screen, "_shows_errors", False)\n'


def count_readable(before: str, rounds: int) -> tuple[int, bool]:
    """After how many of so many interrupts the message is on the screen or above it."""
    with Session(f"{RUN}{before}\nrounds({rounds}, 0.15, True)") as session:
        assert session.wait(60) == 0, session.output
        text = "".join(row.ljust(80) for row in session.screen.rows)
        return text.count(STOPPING), session.is_restored


def test_the_message_after_ctrl_c_stays_readable_20_of_20() -> None:
    assert count_readable("", 20) == (20, True)


def test_control_printed_beside_the_table_it_is_erased() -> None:
    assert count_readable(NAIVE, 5)[0] == 0


def test_the_screen_says_so_while_it_stops_and_what_a_second_ctrl_c_does() -> None:
    with Session(f"{RUN}rounds(1, 1.5, False)") as session:
        session.until("3 of 15 s")
        session.type("\x03")
        session.until("returns to service")
        session.until("Press Ctrl-C again to abort at once (hosts may stay out of service)")
        session.read(0.5)
        shown = "\n".join(session.screen.shown)
        assert STOPPING in shown.replace("\n", "")
        assert "Stopping: waiting for hosts that have begun. Ctrl-C again aborts" in shown
        assert "host-1" in shown
        assert session.wait() == 0
        assert session.is_restored
        assert STOPPING in "".join(session.screen.shown)


def test_a_second_ctrl_c_aborts_says_what_next_and_restores_the_terminal() -> None:
    with Session(f"{RUN}rounds(1, 5, False)") as session:
        session.until("3 of 15 s")
        session.type("\x03")
        session.until("Press Ctrl-C again")
        session.type("\x03")
        assert session.wait() == 130
        last = "Aborted at once; hosts may be out of service. Next: inv repair --env lab"
        assert [row for row in session.screen.shown if row][-1] == last
        assert session.is_restored


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_in_order_and_restore_the_terminal(number: int) -> None:
    with Session(f"{RUN}rounds(1, 0.5, False)") as session:
        session.until("3 of 15 s")
        os.kill(session.pid, number)
        assert session.wait() == 0
        assert STOPPING in "".join(session.screen.shown)
        assert "Ctrl-C" not in session.output
        assert session.is_restored


BUSY = """
from deploy.cli import invoke_patch
from deploy.screen import streams
from deploy.screen.console import Screen
streams.guard_program()
invoke_patch.restore_on_signals()
import time
try:
    with Screen().busy("looking at 3 hosts of lab"):
        time.sleep(20)
finally:
    invoke_patch.settle()  # as tasks.py does
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_before_any_change_ends_it_with_the_terminal_restored(number: int) -> None:
    with Session(BUSY) as session:
        session.until("looking at 3 hosts")
        assert not session.screen.shows_cursor
        os.kill(session.pid, number)
        assert session.wait() in {128 + number, 1}
        assert session.is_restored


def test_an_error_while_the_table_is_shown_leaves_its_traceback_and_the_cursor() -> None:
    program = f"""{RUN}
screen = Screen()
with screen.progress() as watch:
    watch(run_entries.plan_made(made))
    watch(run_entries.now(run_entries.began(step)))
    threading.Thread(target=lambda: 1 / 0).start()
    time.sleep(0.5)
    raise ValueError("a\\x1b[1AEVIL")
"""
    with Session(program) as session:
        assert session.wait() == 1
        assert "ZeroDivisionError: division by zero" in "\n".join(session.screen.rows)
        assert "ValueError: a\\x1b[1AEVIL" in "\n".join(session.screen.rows)
        assert session.is_restored
