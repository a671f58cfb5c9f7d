"""The command line's own promises: usage errors end with 2, a reader that leaves changes nothing.

Cheap to import: tasks.py does so on every start.
"""

from __future__ import annotations

import functools
import gc
import os
import signal
from typing import TYPE_CHECKING, Any

from invoke import Program
from invoke.exceptions import Exit, ParseError

from deploy.cli import streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

USAGE_ERROR = 2


def exit_with_two() -> None:
    """Let Invoke end with 2 for an unknown option or task, or a missing value.

    `inv` is Invoke's own program and ends such errors with 1, which here means that a deploy
    failed. It loads tasks.py before it parses the tasks' arguments, so a tasks.py that calls
    this is in time; Invoke then prints the message of an Exit as it would that of a ParseError.
    """
    for name in ("parse_tasks", "parse_cleanup"):
        body = getattr(Program, name)
        if not hasattr(body, "__wrapped__"):
            setattr(Program, name, _translated(body))


def _translated(body: Callable[[Program], None]) -> Callable[[Program], None]:
    @functools.wraps(body)
    def run(program: Program) -> None:
        streams.guard_program()  # what Invoke and Python print goes through it too
        try:
            body(program)
        except ParseError as error:
            raise Exit(_message(program, error), code=USAGE_ERROR) from error

    return run


def _message(program: Program, error: ParseError) -> str:
    """Invoke's message, the options that the task does not have, and where to look next.

    A misspelt option alone would go unnamed: Invoke takes it for a required option's value.
    """
    from deploy.errors import nearest  # noqa: PLC0415 - only for those who need it

    task: Any = error.context
    if not getattr(task, "name", None):
        return f"{error}\nSee `inv --list`."
    known = {*task.flags, *program.initial_context.flags}
    given = [word.partition("=")[0] for word in program.argv if word.startswith("--")]
    unknown = [
        f"inv {task.name} has no option {word}{nearest(word, task.flags)}\n"
        for word in given
        if word not in known and word not in task.inverse_flags
    ]
    return f"{''.join(unknown)}{error}\nSee `inv --help {task.name}`."


def refuse_empty(options: Mapping[str, Any]) -> None:
    """End with 2 for an option that was given and is empty, as by a variable that is not set.

    Left out it has a meaning, such as the newest package or all hosts, which nobody asked for.
    """
    for name, value in options.items():
        if value == "":
            option = name.replace("_", "-")
            raise Exit(f"--{option} is empty: give it a value, or leave it out", code=USAGE_ERROR)


def refuse_option_for(environment: str, task: str) -> None:
    """End with 2 where Invoke took an option for the value of `--env`, which was left out."""
    if environment.startswith("-"):
        raise Exit(
            f"{environment} stands where inv {task} wants its environment: give --env. "
            f"See `inv --help {task}`.",
            code=USAGE_ERROR,
        )


def defect(error: Exception, task: str) -> str:
    """The message for an error that nobody foresaw, from before a command's first change."""
    kind, task = type(error).__name__, task.replace("_", ".")
    effect = "nothing was changed"
    if task == "lock.break":
        effect = "look with `inv lock.status` whether the lock is gone"
    return (
        f"a defect in Changeover: {kind}: {error}; {effect}; run inv {task} with "
        "CHANGEOVER_DEBUG=1 for the traceback, and report it"
    )


def explain(error: ImportError) -> None:
    """End with 2 where what we need is not installed; a defect of ours goes on."""
    if not (error.name or "").startswith("deploy"):
        raise Exit(
            f"{error}: with Python 3.11 or newer, pip install -r requirements.lock",
            code=USAGE_ERROR,
        ) from error


def settle() -> None:
    """Restore the terminal and flush what was said; a reader that is gone is no error.

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
