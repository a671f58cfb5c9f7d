"""Changes to Invoke: usage errors end with 2, and a reader that leaves changes nothing.

Cheap to import: every start does so.
"""

from __future__ import annotations

import functools
import gc
import os
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Program
from invoke.exceptions import Exit, ParseError
from invoke.parser.parser import ParseMachine

from deploy.foreign_text import visible
from deploy.screen import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from types import FrameType, TracebackType

USAGE_ERROR = 2
MOST_IN_A_LINE = 2_000


PARSING = ("parse_core", "parse_tasks", "parse_cleanup")
"""What reads the command line. `inv` has done the first before it loads tasks.py, and so us."""


def exit_with_two() -> None:
    """Let Invoke end with 2 for an unknown option or task, or a missing or wrong value.

    Invoke ends such errors with 1, which here means that a deploy failed. It prints the message
    of an Exit as it would that of a ParseError.
    """
    for name in PARSING:
        body = getattr(Program, name)
        if not hasattr(body, "__wrapped__"):
            setattr(Program, name, _translated(body))
    _end_loading_with_two()


def refuse_password() -> None:
    """Refuse Invoke's own --prompt-for-sudo-password: sudo is given no password here."""
    body: Any = Program.update_config
    if hasattr(body, "__wrapped__"):
        return

    @functools.wraps(body)
    def update_config(program: Any, *words: Any, **named: Any) -> None:
        if program.args["prompt-for-sudo-password"].value:
            raise Exit(
                "--prompt-for-sudo-password is Invoke's; leave it out: on hosts sudo must ask the "
                "SSH user for no password",
                USAGE_ERROR,
            )
        body(program, *words, **named)

    setattr(Program, "update_config", update_config)  # noqa: B010 - mypy lets no method be assigned


BARE = {"report": "run", "history": "run", "completion": "shell"}
"""The commands that take a word without an option's name, and the option that it is for."""


def take_bare_words() -> None:
    """Let a command of BARE take a word by itself: `inv report 0123abcd`.

    A positional argument of Invoke's is always required.
    """
    body: Any = ParseMachine.handle
    if hasattr(body, "__wrapped__"):
        return

    @functools.wraps(body)
    def handle(machine: Any, word: str) -> None:
        context = machine.context
        name = BARE.get(context.name) if context else None
        is_bare = not (word.startswith("-") or machine.waiting_for_flag_value)
        if name and is_bare and word not in machine.contexts and not context.args[name].got_value:
            context.args[name].value = word
        else:
            body(machine, word)

    setattr(ParseMachine, "handle", handle)  # noqa: B010 - mypy lets no method be assigned


def _translated(body: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(body)
    def run(typed: Program, *words: Any) -> None:
        streams.guard_program()  # what Invoke and Python print goes through it too
        try:
            body(typed, *words)
        except ParseError as error:
            raise Exit(_shortened(_message(typed, error)), code=USAGE_ERROR) from error
        except (ValueError, AttributeError) as error:  # of -T abc, and of --list-format=abc
            said = _shortened(_wrong(f"an option has a wrong value: {error}"))
            raise Exit(said, USAGE_ERROR) from error
        except Exit as error:
            if error.message and error.code == 1:
                raise Exit(_shortened(_wrong(error.message)), USAGE_ERROR) from error
            raise

    return run


def _shortened(message: str) -> str:
    """The message; a line that repeats a long word, at most a screen of it."""
    return "\n".join(visible(line, MOST_IN_A_LINE) for line in message.split("\n"))


def _wrong(problem: str) -> str:
    return f"{problem}\nSee `{program()} --help`."


def _end_loading_with_two() -> None:
    """Let a tasks.py that fails after it imported us end with 2, below its traceback."""
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        before(kind, error, trace)
        if any(frame.f_code is _LOADING for frame, _ in traceback.walk_tb(trace)):
            sys.exit(USAGE_ERROR)

    sys.excepthook = show


_LOADING = Program.load_collection.__code__


def program() -> str:
    """Return what was typed to get here: `inv`, or `changeover`, the console command."""
    return "changeover" if Path(sys.argv[0]).stem == "changeover" else "inv"


NEVER_SUGGESTED = frozenset({"--yes", "--force", "--allow-downtime"})
"""Options that take a safeguard away: a misspelling must not lead to them."""


def _message(typed: Program, error: ParseError) -> str:
    """Invoke's message, what may have been meant, and where to look next."""
    from deploy.errors import nearest  # noqa: PLC0415 - only for those who need it

    context: Any = error.context
    name = getattr(context, "name", None)
    unknown = re.search(r"No idea what '(.*)' is!", str(error))
    word = unknown[1].partition("=")[0] if unknown else ""
    if not name and not hasattr(typed, "collection"):
        return _wrong(str(error))
    if not name:
        names = [each for each in typed.collection.task_names if each != word]
        hint = nearest(word, names).replace("; did", " Did")
        return f"{error}{hint}\nSee `{program()} help`."
    look = f"See `{program()} {name} --help`."
    if word.startswith("-"):
        known = [flag for flag in context.flags if flag.startswith("--")]
        hint = nearest(word, {*known, *NEVER_SUGGESTED})
        is_one = any(repr(each) in hint or each.startswith(word) for each in NEVER_SUGGESTED)
        hint = "" if is_one else hint
        return f"{program()} {name} has no option {word}{hint}\n{look}"
    if word:
        return (
            f"{word!r} is no option of {program()} {name}, and no command; an environment is "
            f"given with --env, and many hosts or apps as one word with commas\n{look}"
        )
    return f"{error}\n{look}"


def refuse_missing(options: Mapping[str, Any], command: str, required: Container[str]) -> None:
    """End with 2 for a required option that was left out, and for one that is empty.

    An empty one comes from a variable that is not set. Left out it has a meaning, such as the
    newest package or all hosts, which was not asked for.
    """
    look = f"See `{program()} {command} --help`."
    for name, value in options.items():
        option = name.replace("_", "-")
        if value == "":
            raise Exit(f"--{option} is empty: give it a value, or leave it out", USAGE_ERROR)
        if value is None and name in NEEDED and name in required:
            raise Exit(
                f"{program()} {command} needs --{option}: {NEEDED[name]}. {look}", USAGE_ERROR
            )


NEEDED = {
    "env": "an environment of the settings, as in --env prod",
    "reason": "why the lock is broken, for the others",
    "target_group": "the group that a deploy takes hosts out of, as in --target-group web-prod",
}


def explain(error: ImportError) -> None:
    """End with 2 where what we need is not installed; a defect of ours goes on."""
    if not (error.name or "").startswith("deploy"):
        raise Exit(
            f"{error}: install what Changeover needs, with Python 3.11 or newer: in a clone, "
            "`pip install -r requirements.lock`; elsewhere, install Changeover again",
            code=USAGE_ERROR,
        ) from error


def settle() -> None:
    """Restore the terminal and flush all output; a reader that is gone is no error.

    Python would also look for garbage in all that was loaded, for a third of a second.
    """
    gc.freeze()
    streams.settle()


def restore_on_signals() -> None:
    """Let SIGTERM and SIGHUP end the process as they do, with the terminal restored first.

    A signal that is ignored, as `nohup` has it, stays ignored.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    streams.restore()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
