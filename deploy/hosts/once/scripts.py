"""Scripts that start a run-once command on a host, and that record its progress. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.base import hold_lock, home
from deploy.hosts.scripts.script import Script, exit_code, nothing, program

if TYPE_CHECKING:
    from deploy.command_result import CommandResult

KEPT = 500
"""How many releases of an environment a host remembers."""
RUN_DIGITS = 12
"""So many digits of a run's id are in its unit's name, which a person types."""
STILL_RUNS = 85
"""Exit code of `start_once` where another one of the app runs there."""
RESTARTED = 86
"""Exit code of `start_once` where this very unit was started before the host's last restart."""
LOCK_WAIT_SECONDS = 10


def unit_name(app: str, run: str) -> str:
    """Return the name of the unit that runs an app's command, which lies under /run.

    run: the id of the command that started it, so that no later one is taken for it.
    """
    return f"{_prefix(app)}.{values.checked(values.token, run)[:RUN_DIGITS]}.service"


def start(app: str, run: str, size: int) -> Script[None]:
    """Start a unit whose text of this size comes from stdin, and do not wait for its end.

    Nothing is started where this very unit was: a connection may break after it. What earlier ones
    left is removed; exit code 85 (STILL_RUNS) where one of them runs, and 86 (RESTARTED) where the
    host was restarted since this one was started.
    """
    note = f"{home(app)}/records/once"
    act = program("start_once", unit_name(app, run), _prefix(app), size, note)
    return Script("starting what is run once", (act,), nothing)


def forget(app: str, run: str) -> Script[None]:
    """Remove a unit that has ended."""
    act = program("end_trial", unit_name(app, run))
    return Script("removing the unit of what was run once", (act,), nothing)


def record(environment: str, token: str, file: tuple[str, str], line: str) -> Script[int]:
    """Write down how far an app's release came; 76 (LOCK_LOST) without this token's lock.

    file: the names of app and release; line: one line of text.
    """
    lock_file = lock.lock_file(environment)
    act = program(
        "record_once",
        lock_file,
        values.checked(values.token, token),
        _folder(lock_file),
        _file(*file),
        line,
        KEPT,
    )
    programs = (hold_lock(None, LOCK_WAIT_SECONDS), program("lock_functions"), act)
    return Script("writing down what is run once", programs, exit_code)


def show(environment: str, app: str, release: str) -> Script[tuple[bytes | None, bool]]:
    """Show a release's record, and whether the host ever had a release of the app.

    The record's bytes are empty where there is none, and None where the answer is missing.
    """
    file = f"{_folder(lock.lock_file(environment))}/{_file(app, release)}"
    act = program("show_once", file, lock.LINE_BYTES, f"{home(app)}/records/history")
    return Script("looking what was run once", (program("lock_functions"), act), _shown)


def _shown(result: CommandResult) -> tuple[bytes | None, bool]:
    has_history = "\nhistory=no" not in f"\n{result.stdout}"
    return lock.shown(result.stdout, "once"), has_history


def _prefix(app: str) -> str:
    return f"changeover-once.{values.checked(values.name, app)}"


def _folder(lock_file: str) -> str:
    """The folder of an environment's records, the same on each of its hosts."""
    return f"{lock_file.removesuffix('.lock')}.once"


def _file(app: str, release: str) -> str:
    return f"{values.checked(values.name, app)}.{values.checked(values.release_id, release)}"
