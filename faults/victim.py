"""Runs `inv …` in this process with hooks: it prints each moment, or kills itself at one.

`python -m faults.victim '<hooks as JSON>' deploy --env lab …`; the product's own code runs as it
is, and its events are heard as the screen hears them.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from invoke.main import program

from deploy.events.event import BatchBegan, StepBegan
from deploy.hosts import records
from deploy.hosts.lock import lease
from deploy.screen import log_lines
from deploy.session import session

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Entry


def main(hooks: dict[str, Any], words: list[str]) -> None:
    """Run the command.

    tell: print `@ <moment>` at each moment; kill: the moment at which to end by SIGKILL; after:
    so many seconds inside it; clock_hours: how far this workstation's clock is off.
    """

    def moment(name: str) -> None:
        if hooks.get("tell"):
            print(f"@ {name}", flush=True)
        if hooks.get("kill") and name.startswith(hooks["kill"]):
            if hooks.get("after"):
                threading.Timer(hooks["after"], os.kill, (os.getpid(), signal.SIGKILL)).start()
            else:
                os.kill(os.getpid(), signal.SIGKILL)

    heard = log_lines.LogLines.__call__

    def hear(line: log_lines.LogLines, entry: Entry) -> None:
        heard(line, entry)
        match entry.event:
            case StepBegan(host=host, step=step):
                moment(f"{host}: {step}")
            case BatchBegan(number=number):
                moment(f"batch {number}")

    setattr(log_lines.LogLines, "__call__", hear)  # noqa: B010 - mypy allows no method to be assigned
    _around(lease.Lease, "take", moment, "lock", "locked")
    _around(session.Session, "survey", moment, "look", "looked")
    _around(lease.Lease, "__exit__", moment, "unlock", "unlocked")
    if hooks.get("clock_hours"):
        records.datetime = _clock(hooks["clock_hours"])  # type: ignore[attr-defined]
    program.run(["inv", *words])


def _around(owner: type, name: str, moment: Callable[[str], None], before: str, after: str) -> None:
    body = getattr(owner, name)

    @functools.wraps(body)
    def run(*arguments: Any, **options: Any) -> Any:
        moment(before)
        found = body(*arguments, **options)
        moment(after)
        return found

    setattr(owner, name, run)


def _clock(hours: float) -> type[datetime]:
    class Off(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(hours=hours)

    return Off


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
