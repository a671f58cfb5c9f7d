"""What is changed on a host: builders that return scripts and run nothing.

Shell quoting lives here, in `read` and in `lock`. Every builder returns a POSIX sh script that
expects to be root, and raises values.Malformed for a name outside the grammar. `locked` puts one
under the app's lock; `framing` takes it to the host.
"""

from __future__ import annotations

from deploy import values

LOCK_BUSY, LOCK_LOST, LOCK_HELD, CONTENT_DIFFERS, HOST_UNSETTLED = 75, 76, 77, 78, 79
UNIT_REFUSED, SANDBOX_REFUSED, OTHER_RELEASE, UNIT_CHANGED = 80, 81, 82, 83
OURS = (
    LOCK_BUSY,
    LOCK_LOST,
    LOCK_HELD,
    CONTENT_DIFFERS,
    UNIT_REFUSED,
    OTHER_RELEASE,
    UNIT_CHANGED,
    SANDBOX_REFUSED,
)
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


def open_lock_folder() -> str:
    """Return commands that make the lock folder; exit code 1 where it is not root's own."""
    return (
        f"install -d -m 0700 {LOCK_FOLDER} && [ ! -L {LOCK_FOLDER} ] && [ -O {LOCK_FOLDER} ] || "
        f"{{ echo '{LOCK_FOLDER} is not a folder of root; remove it' >&2; exit 1; }}"
    )


def hold_lock(app: str | None, wait_seconds: int) -> str:
    """Return commands that take a lock until the shell and its children end; 75 (LOCK_BUSY)."""
    return (
        f"{open_lock_folder()}\nexec 9>> {lock_path(app)} || exit 1\n"
        f"flock -w {wait_seconds} -E {LOCK_BUSY} 9 || exit $?"
    )


def locked(app: str, script: str, wait_seconds: int = 60) -> str:
    """The script under the app's lock on the host.

    Every change goes through here: the remote commands of a killed workstation run on, and the
    next one must wait for them. They hold the lock by an open file, which their children inherit.
    Exit code 75 (LOCK_BUSY) when the lock stays taken; 79 (HOST_UNSETTLED) when the script failed
    on a host that is starting or stopping, where systemctl may fail for no fault of what it is
    given.
    """
    ours = "|".join(str(code) for code in (0, *OURS))
    settled = "$(systemctl is-system-running 2>/dev/null)"
    return "\n".join(
        (
            hold_lock(app, wait_seconds),
            f"(\n{script}\n)",
            f"rc=$?; case $rc in {ours}) exit $rc;; esac",
            f"case {settled} in initializing|starting|stopping|offline|'') "
            f"exit {HOST_UNSETTLED};; esac; exit $rc",
        )
    )


def wait_idle(app: str, wait_seconds: int = IDLE_SECONDS) -> str:
    """Wait until no command of a deploy runs for the app here; 75 (LOCK_BUSY) names who does."""
    lock = lock_path(app)
    pids = (
        f"$(find /proc/[0-9]*/fd -lname {lock} 2>/dev/null | cut -d / -f 3 | sort -u | "
        "paste -s -d ,)"
    )
    named = f"ps -o pid=,etime=,comm= -p {pids} | head -n 5 >&2"
    return (
        f"if [ -e {lock} ]; then flock -w {wait_seconds} {lock} true || "
        f"{{ {named}; exit {LOCK_BUSY}; }}; fi"
    )


def home(app: str) -> str:
    """The app's folder on a host."""
    return f"/srv/{values.checked(values.name, app)}"


def release_path(app: str, release: str) -> str:
    """Where a release lies, unpacked."""
    return f"{home(app)}/releases/{values.checked(values.release_id, release)}"
