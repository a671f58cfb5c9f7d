"""What all changing scripts share: an app's lock, and exit codes.

Every builder returns a Script whose programs expect to be root, and raises values.Malformed for a
name outside the grammar. `locked` puts one under the app's lock; `framing` takes it to the host.
"""

from __future__ import annotations

from deploy import values
from deploy.hosts.scripts.script import Program, Script, nothing, program, source

# The programs of this folder end with these codes; `end_with_code.sh` lists those that are ours.
LOCK_BUSY, LOCK_LOST, LOCK_HELD, CONTENT_DIFFERS, HOST_UNSETTLED = 75, 76, 77, 78, 79
UNIT_REFUSED, SANDBOX_REFUSED, OTHER_RELEASE, UNIT_CHANGED = 80, 81, 82, 83
TOOLS_DIFFER, UNITS_UNWRITABLE = 84, 85
IDLE_SECONDS = 120
LOCK_FOLDER = "/run/changeover"
"""Files that commands lock on a host; the folder is root's, mode 0700."""


def lock_path(app: str | None = None) -> str:
    """Return the file that a command locks: an app's, or without one, the environments'.

    In a folder of its own, since any process may lock a file in /run that it can read.
    """
    return (
        f"{LOCK_FOLDER}/{values.checked(values.name, app)}.lock"
        if app is not None
        else f"{LOCK_FOLDER}/locks"
    )


def hold_lock(app: str | None, wait_seconds: int) -> Program:
    """Return the program that takes a lock until the shell and its children end; 75 (LOCK_BUSY)."""
    return program("hold_lock", lock_path(app), wait_seconds)


def locked(app: str, text: str, wait_seconds: int = 60) -> str:
    """The text of a script under the app's lock on the host.

    Every change goes through here: the remote commands of a killed workstation run on, and the
    next one must wait for them. They hold the lock by an open file, which their children inherit.
    Exit code 75 (LOCK_BUSY) when the lock stays taken; 79 (HOST_UNSETTLED) when the script failed
    on a host that is starting or stopping, where systemctl may fail for no fault of what it is
    given.
    """
    return f"{hold_lock(app, wait_seconds).text}(\n{text}\n)\n{source('end_with_code')}"


def wait_idle(app: str, wait_seconds: int = IDLE_SECONDS) -> Program:
    """Wait until no command of a deploy runs for the app here; 75 (LOCK_BUSY) names who does."""
    return program("wait_idle", lock_path(app), wait_seconds)


def see_ours() -> Script[None]:
    """Change nothing: the lock that every change stands under says whether it is still ours."""
    return Script("seeing that the environment is still ours", (program("end_with_zero"),), nothing)


def home(app: str) -> str:
    """The app's folder on a host."""
    return f"/srv/{values.checked(values.name, app)}"
