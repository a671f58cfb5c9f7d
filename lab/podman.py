"""podman and its runtime, run as root: the lab's only way to make, watch and enter containers."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

from deploy.errors import BadInput, DeployError

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNTIME = "runc"
COMMAND_SECONDS = 60
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""Where programs are looked for: haproxy and others live where a plain user does not look."""


class PodmanError(DeployError):
    """A podman command failed; the message holds its own words, `said` all of them."""

    def __init__(self, what: str, said: str) -> None:
        self.said = said
        lines = said.strip().splitlines() or ["it said nothing"]
        super().__init__(f"podman {what}: {lines[-1]}")


@cache
def as_root() -> tuple[str, ...]:
    """Words to put before a command that needs root: none for root, sudo's otherwise.

    Raises BadInput where neither root nor a sudo that asks no question is at hand.
    """
    if os.geteuid() == 0:
        return ()
    asked = ("sudo", "-n")
    if (
        shutil.which("sudo")
        and subprocess.run([*asked, "true"], capture_output=True, check=False).returncode == 0
    ):
        return asked
    raise BadInput(
        "the lab starts system containers, which needs root: run this as root, or `sudo -v` first"
    )


def podman(
    *words: str, check: bool = True, timeout_seconds: float = COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run `podman words…` and return its output.

    Raises PodmanError when it fails and `check` is on, or when it takes longer than
    `timeout_seconds`; BadInput when podman is not installed.
    """
    done = _run(("podman", "--runtime", RUNTIME, *words), words[0], None, timeout_seconds)
    if check and done.returncode != 0:
        raise PodmanError(words[0], done.stderr or done.stdout)
    return done


def inside(
    name: str, *words: str, stdin: str | None = None, timeout_seconds: float = COMMAND_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a program in a running container as root and return its output and exit code.

    What `podman exec` does, asked of the runtime: 0.05 s instead of 0.16, which tests do by the
    thousand. The output ends when the last program that holds it ends.

    Args:
        name: The container's.
        words: The program and its arguments.
        stdin: Text to feed it.
        timeout_seconds: After this, PodmanError is raised.
    """
    done = _run((RUNTIME, "exec", _id(name), *words), "exec", stdin, timeout_seconds)
    if done.returncode != 0 and "container does not exist" in done.stderr:
        _id.cache_clear()  # it was made again under its name, or does not run
        done = _run((RUNTIME, "exec", _id(name), *words), "exec", stdin, timeout_seconds)
    return done


@cache
def _id(name: str) -> str:
    return podman("inspect", "--format={{.Id}}", name).stdout.strip()


def _run(
    words: Sequence[str], what: str, stdin: str | None, timeout_seconds: float
) -> subprocess.CompletedProcess[str]:
    require(words[0])
    try:
        return subprocess.run(
            [*as_root(), *words],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
            env={**os.environ, "PATH": PATH},
        )
    except subprocess.TimeoutExpired as late:
        raise PodmanError(what, f"no end after {timeout_seconds:g} s") from late


def require(*programs: str) -> None:
    """Raise BadInput naming the programs that are not installed."""
    missing = [name for name in programs if not shutil.which(name, path=PATH)]
    if missing:
        raise BadInput(
            f"the lab needs {', '.join(missing)}, not installed here: "
            "run `scripts/debian-packages lab`"
        )
