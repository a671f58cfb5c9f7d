"""The lab's server process (`lab.server`) from the outside: start, recognise, ask, stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from lab.podman import PATH, require

CODE = Path(__file__).parent.parent
START_SECONDS = 60
STOP_SECONDS = 15
ASK_SECONDS = 10

_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
"""Servers that this process started: they may outlive it, and must be reaped if they do not."""


class ServerError(DeployError):
    """The lab's server did not start, or does not answer."""


def start(state: Path, spec: dict[str, Any]) -> dict[str, Any]:
    """Start the server on `spec` and return what it wrote to server.json when all was ready.

    Raises ServerError with the end of its log when it ends or stays silent.
    """
    require("haproxy")
    ready = state / "server.json"
    ready.unlink(missing_ok=True)
    log = state / "server.log"
    (state / "spec.json").write_text(json.dumps(spec, indent=2))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.server", "--state", str(state)],
            cwd=CODE,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PATH": PATH},
            # Ctrl-C at the terminal is for the command typed there, not for the lab.
            start_new_session=True,
        )
    _CHILDREN[process.pid] = process
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if ready.exists():
            server: dict[str, Any] = json.loads(ready.read_text())
            return server
        time.sleep(0.05)
    why = f"no answer within {START_SECONDS} s"
    if process.poll() is not None:
        why = f"exit code {process.returncode}"
    stop(process.pid, state)
    last = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise ServerError(f"the lab's server did not start ({why}); {log}: {' / '.join(last)}")


def is_ours(pid: int, state: Path) -> bool:
    """Whether the process with this id is the server of this state folder, not a later one."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"lab.server" in words and str(state).encode() in words


def stop(pid: int, state: Path) -> None:
    """End the server: SIGTERM, then SIGKILL. A process that is not ours is left alone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if is_ours(pid, state):
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while is_ours(pid, state) and time.monotonic() < deadline:
            time.sleep(0.02)
    child = _CHILDREN.pop(pid, None)
    if child:
        child.wait(STOP_SECONDS)


def ask(url: str, body: dict[str, Any] | None = None, *, post: bool = False) -> Any:
    """GET a path of the control API, or POST; returns its JSON. Raises ServerError."""
    data = json.dumps(body or {}).encode() if post else None
    request = urllib.request.Request(url, data=data)  # noqa: S310  # our own loopback address
    try:
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            said = refusal.read().decode(errors="replace")
        raise ServerError(f"the lab refused {url}: {said}") from refusal
    except (OSError, ValueError) as silence:
        raise ServerError(f"the lab's server does not answer at {url}: {silence}") from silence
