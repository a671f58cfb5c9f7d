"""Hosts that hold a lock: real files under real scripts, memory that does the same, and liars."""

from __future__ import annotations

import itertools
import json
import random
import re
import subprocess
import threading
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from shell import typed

from deploy.command_result import CommandResult
from deploy.errors import ConnectionLost, DeployError, Unreachable
from deploy.hosts.lock.holder import Holder
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.base import LOCK_HELD, LOCK_LOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deploy.hosts.lock.lease import Lease
    from deploy.hosts.scripts.script import Script

PATIENCE_SECONDS = 20.0
TTL_SECONDS = 1.0
T = TypeVar("T")


@dataclass
class FolderHost:
    """A host whose root is a folder: its scripts are really run, under another path."""

    root: Path
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    held_up: threading.Event | None = None

    @property
    def file(self) -> Path:
        """The lock of the environment `lab`."""
        return self.root / "changeover" / "lab.lock"

    def ask(self, script: Script[T], timeout_seconds: float = 30) -> T:
        """Run the script's own text, with the folder in place of /var/lib and /run."""
        del timeout_seconds
        if self.held_up:
            self.held_up.wait(PATIENCE_SECONDS)
        if self.is_down:
            raise Unreachable(f"{self.root.name}: no connection")
        self.asked.append(script.text)
        words = ["sh", "-c", self.moved(script.text)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return script.parse(CommandResult(str(script), done.returncode, done.stdout, done.stderr))

    def moved(self, text: str) -> str:
        """A script's text with this host's folder in place of its root."""
        return text.replace("/var/lib/", f"{self.root}/").replace("/run/", f"{self.root}/run-")

    def run_beside(self, script: Script[T], timeout_seconds: float) -> T:
        return self.ask(script, timeout_seconds)

    def may_change(self, lease: Lease) -> bool:
        """Whether the host lets this lease change something, as `Remote.change` asks it."""
        try:
            lease.confirm()
        except DeployError:
            return False
        return self.ask(typed(f"{lease.fence.text}echo changed")).exit_code == 0


@dataclass
class MemoryHost:
    """What the scripts do, without a process: thousands of them a second."""

    name: str
    line: str = ""
    broken: set[str] = field(default_factory=set)
    alone: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, script: Script[T], timeout_seconds: float = 30) -> T:
        del timeout_seconds
        act = script.programs[-1]
        with self.alone:
            code, out = getattr(self, act.name)(*act.arguments[1:])
        return script.parse(CommandResult(act.name, code, out, ""))

    def run_beside(self, script: Script[T], timeout_seconds: float) -> T:
        return self.ask(script, timeout_seconds)

    def is_of(self, token: str) -> bool:
        return self.line.startswith(lock.head(token))

    def take_lock(
        self, token: str, line: str, _most: str, instead_of: str, seen: str
    ) -> tuple[int, str]:
        is_dead = bool(instead_of) and self.is_of(instead_of)
        is_dead = is_dead and (not seen or self.line.encode().hex() == seen)
        if self.line and not (self.is_of(token) or is_dead):
            return LOCK_HELD, shown(self.line)
        if token in self.broken:
            return LOCK_LOST, ""
        self.line = line
        return 0, ""

    def beat_lock(self, token: str, line: str) -> tuple[int, str]:
        if not self.is_of(token):
            return LOCK_LOST if self.line else lock.LOCK_GONE, ""
        self.line = line
        return 0, ""

    def holds_lock(self, token: str) -> tuple[int, str]:
        return 0 if self.is_of(token) else LOCK_LOST, ""

    def drop_lock(self, token: str) -> tuple[int, str]:
        self.line = "" if self.is_of(token) else self.line
        return 0, ""

    def break_lock(self, token: str, _note: str) -> tuple[int, str]:
        if self.is_of(token):
            self.line = ""
            self.broken.add(token)
        return 0, ""

    def show_lock(self, _most: str) -> tuple[int, str]:
        return 0, shown(self.line)

    def may_change(self, lease: Lease) -> bool:
        """Whether the host lets this lease change something, as `Remote.change` asks it."""
        try:
            lease.confirm()
        except DeployError:
            return False
        return self.ask(lease.fence) == 0


def shown(text: str) -> str:
    """What a host prints that is asked to show its lock."""
    return f"lock={text.encode().hex()}\n"


def forged(beat: int = 0, token: str = "f" * 32) -> str:
    """A holder that nobody is."""
    holder = Holder(token, "eve@host", "2026-11-28T00:00:00+00:00", "deploy", "", 3600.0, beat)
    return holder.as_line()


LIES: dict[str, Callable[[itertools.count[int]], tuple[int, str]]] = {
    "garbage": lambda _: (LOCK_HELD, shown("who knows")),
    "binary": lambda _: (0, "\x00\xff\ufffd" * 2000),
    "forged": lambda _: (LOCK_HELD, shown(forged())),
    "growing": lambda beats: (LOCK_HELD, shown(forged(next(beats)))),
    "first": lambda beats: (LOCK_HELD, shown(forged(next(beats), "0" * 32))),
    "changing": lambda beats: (LOCK_HELD, shown(forged(next(beats), uuid.uuid4().hex))),
    "pattern": lambda _: (LOCK_HELD, shown(json.dumps({"token": ".*", "ttl_seconds": 30}))),
    "lost": lambda _: (LOCK_LOST, ""),
    "gone": lambda _: (lock.LOCK_GONE, ""),
    "ok": lambda _: (0, shown("")),
    "busy": lambda _: (75, ""),
    "odd code": lambda _: (random.randint(-1, 255), "x\n" * random.randint(0, 9)),  # noqa: S311
}
EVERY_LIE = (*LIES, "silent", "slow", "endless", "defect", "puppet", "two faces")


@dataclass
class LyingHost(MemoryHost):
    """A host that answers every script of the lock with a lie."""

    lie: str = "garbage"
    beats: itertools.count[int] = field(default_factory=itertools.count)
    end: threading.Event = field(default_factory=threading.Event)
    seen: Holder | None = None

    def ask(self, script: Script[T], timeout_seconds: float = 30) -> T:
        act = script.programs[-1].name
        match self.lie:
            case "silent":
                self.end.wait(PATIENCE_SECONDS)
                raise ConnectionLost(f"{self.name}: it ended at last")
            case "slow":
                self.end.wait(min(timeout_seconds, 0.4))
                said = 0, ""
            case "endless":
                said = 0, "lock=" + "61" * 500_000
            case "defect":
                raise RuntimeError("a parser of ours stumbled")
            case "puppet":
                said = self._puppet(script.text, act)
            case "two faces" if act == "show_lock":  # free when it is looked at, held when asked
                said = 0, shown("")
            case "two faces":
                said = LIES["changing"](self.beats)
            case _:
                said = LIES[self.lie](self.beats)
        return script.parse(CommandResult(act, *said, ""))

    def _puppet(self, text: str, act: str) -> tuple[int, str]:
        """Agree to everything; show the last deploy seen as alive for ever."""
        found = re.findall(r'\{"token": "[0-9a-f]{32}", .*?\}', text)
        if found:
            self.seen = Holder.parse(found[-1])
        if self.seen is None or act != "show_lock":
            return 0, shown("")
        return 0, shown(replace(self.seen, beat=self.seen.beat + next(self.beats)).as_line())
