"""The podman command, run as root: the lab's only way to make, watch and remove containers."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

from deploy.errors import BadInput, DeployError

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
    *words: str,
    check: bool = True,
    stdin: str | None = None,
    timeout_seconds: float = COMMAND_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run `podman words…` and return its output.

    `stdin` is text to feed it. Raises PodmanError when it fails and `check` is on, or when it
    takes longer than `timeout_seconds`; BadInput when podman is not installed.
    """
    require("podman")
    command = [*as_root(), "podman", "--runtime", "runc", *words]
    try:
        done = subprocess.run(
            command,
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
        raise PodmanError(words[0], f"no end after {timeout_seconds:g} s") from late
    if check and done.returncode != 0:
        raise PodmanError(words[0], done.stderr or done.stdout)
    return done


def require(*programs: str) -> None:
    """Raise BadInput naming the programs that are not installed."""
    missing = [name for name in programs if not shutil.which(name, path=PATH)]
    if missing:
        raise BadInput(
            f"the lab needs {', '.join(missing)}, not installed here: "
            "run `scripts/debian-packages lab`"
        )
