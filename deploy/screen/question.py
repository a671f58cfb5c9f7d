"""Questions to the person at the terminal: before a change, and about a host that failed."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from deploy.ci_system import is_ci
from deploy.durations import limit
from deploy.errors import BadInput
from deploy.foreign_text import visible
from deploy.screen.plan import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.events.planned import PlanMade

LOOK_SECONDS = 0.2
"""How often a question looks whether the run ends meanwhile."""
TERMINAL = "/dev/tty"
LIMIT_SECONDS = 300.0
LONGEST_ANSWER_BYTES = 1024
SELECTABLE = 1024
"""The files that select() takes (FD_SETSIZE)."""
CLOSED = "the terminal is closed"
BACKGROUND = "the command runs in the background"


def wording(plan: PlanMade) -> str:
    """Put a plan into a question: `Deploy web 1.2.3-abc to prod: 12 hosts?`."""
    releases = ", ".join(visible(f"{app} {id_}".rstrip()) for app, id_ in plan.releases.items())
    place = "to" if plan.verb == "Deploy" else "on"
    count = words.number(len(plan.hosts), "host")
    return f"{visible(plan.verb)} {releases} {place} {visible(plan.environment)}: {count}?"


def is_due(environ: Mapping[str, str]) -> bool:
    """Whether a person is there to ask: standard input or output is a terminal, and no CI runs.

    With neither, the command itself is the decision, as in a script or a CI step.
    """
    streams = (sys.stdin, sys.stdout)
    return not is_ci(environ) and any(stream and stream.isatty() for stream in streams)


def ask(question: str, limit_seconds: float, path: str = TERMINAL) -> bool:
    """Ask on the terminal; whether the answer is yes. No answer within the limit is no.

    What was typed before the question does not count. Raises BadInput where there is no terminal
    to ask on.
    """
    try:
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(
            f"no question can be asked: {path} cannot be opened ({error.strerror}); "
            "give --yes to go on without"
        ) from error
    try:
        termios.tcflush(terminal, termios.TCIFLUSH)
        os.write(terminal, f"{question} [y/N] ".encode())
        answer = _answer(terminal, limit_seconds)
        if answer is None:
            os.write(terminal, f"\nNo answer in {limit(limit_seconds)}: no.\n".encode())
        return (answer or "").strip().lower() in {"y", "yes"}
    except (OSError, termios.error) as error:
        raise BadInput(
            f"no question can be asked on {path}: {error}; give --yes to go on without"
        ) from error
    finally:
        with suppress(OSError):
            os.close(terminal)


class Choice(NamedTuple):
    """What was chosen: one of the words; empty where none was, and then why not."""

    word: str = ""
    why: str = ""


def may_choose(environ: Mapping[str, str]) -> bool:
    """Whether a person sees what is shown and can answer: both streams are a terminal, no CI."""
    streams = (sys.stdin, sys.stdout)
    return not is_ci(environ) and all(stream and stream.isatty() for stream in streams)


def choose(
    host: str,
    keys: Mapping[str, str],
    limit_seconds: float,
    is_over: Callable[[], bool],
    path: str = TERMINAL,
) -> Choice:
    """Have one of several words chosen on the terminal, about a host.

    keys: the words, by the letter that stands for each; is_over: whether the run ends meanwhile.
    A terminal that is gone, or that is another program's now, gives no answer, and is no error.
    """
    try:
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return Choice(why=CLOSED)
    try:
        return _chosen(
            terminal, f"{visible(host)}: {', '.join(keys)}? ", keys, limit_seconds, is_over
        )
    except (OSError, termios.error):
        return Choice(why=CLOSED)
    finally:
        with suppress(OSError):
            os.close(terminal)


def _chosen(
    terminal: int,
    prompt: str,
    keys: Mapping[str, str],
    limit_seconds: float,
    is_over: Callable[[], bool],
) -> Choice:
    """Ask until an answer is one of the words, or until there will be none."""
    end, is_shown = time.monotonic() + limit_seconds, False
    while not is_over() and (left := end - time.monotonic()) > 0:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            return Choice(why=BACKGROUND)  # to read, or to flush, would stop the process
        if not is_shown:
            termios.tcflush(terminal, termios.TCIFLUSH)
            os.write(terminal, prompt.encode())
            is_shown = True
        if not _is_readable(terminal, min(LOOK_SECONDS, left)):
            continue
        typed = os.read(terminal, LONGEST_ANSWER_BYTES).decode(errors="replace")
        if not typed:
            return Choice(why=CLOSED)
        said = typed.strip().lower().replace(" ", "-")
        if word := keys.get(said, said if said in keys.values() else ""):
            return Choice(word)
        is_shown = False
    os.write(terminal, b"\n")
    return Choice(why="" if is_over() else f"no answer within {limit(limit_seconds)}")


def _answer(terminal: int, limit_seconds: float) -> str | None:
    """The line that is typed; None where none is within the limit."""
    end = time.monotonic() + limit_seconds
    while (left := end - time.monotonic()) > 0:
        if _is_readable(terminal, left):
            return os.read(terminal, LONGEST_ANSWER_BYTES).decode(errors="replace")
    return None


def _is_readable(terminal: int, seconds: float) -> bool:
    """Whether there is something to read, or becomes so in time.

    select() takes no file above 1,023, which a terminal is beside a thousand connections; poll()
    takes no terminal on some versions of macOS.
    """
    if terminal < SELECTABLE:
        return bool(select.select([terminal], [], [], seconds)[0])
    poll = select.poll()
    poll.register(terminal, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
