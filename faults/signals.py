"""Signals at every kind of step, and a terminal that is closed."""

from __future__ import annotations

import os
import pty
import signal
import threading
import time
from typing import TYPE_CHECKING

from lab.project import ROOT, called

if TYPE_CHECKING:
    from faults.ground import Ground, Trial
    from lab.project import Ran, Running

KINDS = (
    "prepare",
    "upload",
    "verify",
    "deregister",
    "drain",
    "stop",
    "switch",
    "daemon-reload",
    "prove",
    "register",
    "wait",
    "record",
)


def signals(ground: Ground) -> None:
    """At every kind of step: Ctrl-C, SIGTERM, and a CI's cancel to the letter."""
    for kind in KINDS:
        for name, sequence, codes in (
            ("SIGINT", (signal.SIGINT,), (130, 0)),
            ("SIGTERM", (signal.SIGTERM,), (143, 0)),
            ("SIGINT, SIGTERM, SIGKILL", (signal.SIGINT, signal.SIGTERM, signal.SIGKILL), None),
        ):
            version = ground.build()
            with ground.trial(f"{name} in {kind!r}", on=version) as trial:
                running = ground.deploy(version)
                running.until(f"@ {called(ground.first)}: {kind}")
                ran = _cancelled(running, sequence)
                if codes:
                    trial.ended(ran, *codes)
                    _see_all_in_service(ground, trial)
                    trial.said = f"ended with {ran.code}, all in service"
                else:
                    trial.said = f"ended with {ran.code}"
                trial.ended(ground.project.deploy(version), 0)
    _terminal(ground)


def _cancelled(running: Running, sequence: tuple[signal.Signals, ...]) -> Ran:
    """SIGINT; 7.5 s later SIGTERM; 2.5 s later the end."""
    pauses = {signal.SIGINT: 7.5, signal.SIGTERM: 2.5}
    for number in sequence:
        if running.process.poll() is None:
            running.send(number)
        end = time.monotonic() + pauses.get(number, 0) * (number != sequence[-1])
        while running.process.poll() is None and time.monotonic() < end:
            threading.Event().wait(0.05)
    return running.wait()


def _see_all_in_service(ground: Ground, trial: Trial) -> None:
    rows = ground.project.status()["hosts"]
    out = [row["host"] for row in rows if row["state"] != "healthy"]
    trial.expect(not out, f"{out} left out of the load balancer")


def _terminal(ground: Ground) -> None:
    """The terminal window is closed: SIGHUP, and every write fails with EIO."""
    version = ground.build()
    with ground.trial("the terminal closed in a drain", on=version) as trial:
        words = ("deploy", "--env", "lab", "--app", "web", "--package", version, "--yes")
        command = ground.project.command(*words)
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            os.execv(command[0], command)  # noqa: S606 - the terminal is what is tried
        until_draining(ground)
        os.close(master)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        trial.expect(code in {129, -signal.SIGHUP}, f"exit code {code}")
        trial.expect(code == 129, "it did not end by its own hand")
        _see_all_in_service(ground, trial)
        trial.ended(ground.project.deploy(version), 0)


def until_draining(ground: Ground) -> None:
    """Wait until a target drains."""
    end = time.monotonic() + 60
    while "draining" not in ground.lab.health("web-lab").values():
        if time.monotonic() > end:
            raise TimeoutError("no target drains")
        threading.Event().wait(0.1)
