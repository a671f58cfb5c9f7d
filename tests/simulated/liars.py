"""A host that lies in its answers: garbage, forged facts, too much, too slowly, or nothing."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import builders

from deploy.errors import ConnectionLost, DeployError, RemoteError
from deploy.hosts.records import Kind, Record
from deploy.survey.parse import parse_host
from deploy.survey.slot import Listener, UnitState
from simulated.builds import LAST, OFFERED, OLD, OLDER
from simulated.clock import CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.survey.facts import HostFacts
    from deploy.survey.slot import Slot

SILENT_SECONDS, SLOW_SECONDS = 30.0, 25.0
FORGED_SHARE = 0.3  # of the facts
KNOWN = (OLDER, OLD, *OFFERED, LAST)
NEVER_MADE = "9.9.9-" + "f" * 12
"""A well-formed release id: what is not well-formed does not pass the survey's parser."""

STRANGE = (NEVER_MADE, "", "../../etc/passwd", "x\ny=z", "²", "-1", "9" * 5000, "\x1b[2J")


class Lie(enum.StrEnum):
    """What a host answers in place of the truth."""

    GARBAGE = "garbage"
    FORGED = "forged"
    ENDLESS = "too much"
    SLOW = "slowly"
    SILENT = "nothing"


@dataclass(frozen=True)
class Liar:
    """One host, from 1, and what it answers; what it is told to do, it does.

    seed: what it makes up.
    """

    host: int
    lie: Lie
    seed: int = 0

    @property
    def name(self) -> str:
        return f"host-{self.host}"

    def is_on(self, host: Host) -> bool:
        return host.name == self.name

    def facts(self, true: HostFacts, apps: Iterable[App]) -> HostFacts:
        """What a survey learns of the host; DeployError where that is nothing."""
        self._keep_waiting()
        made_up = random.Random(self.seed)  # noqa: S311 - no secret
        match self.lie:
            case Lie.GARBAGE:
                try:
                    return parse_host(true.host, self._noise(made_up).split("\n"), apps)
                except DeployError:
                    raise
                except Exception as error:  # as `survey.gather` does
                    raise RemoteError(f"{self.name}: {error}") from error
            case Lie.FORGED:
                return replace(
                    true,
                    free_kb=made_up.choice([true.free_kb, 0, 1 << 60]),
                    free_memory_kb=made_up.choice([0, 1 << 60]),
                    systemd=made_up.choice([252, 252, 252, 0, 999999]),
                    tools=made_up.choice([builders.TOOLS, builders.TOOLS, frozenset()]),
                    slots={name: _forged(slot, made_up) for name, slot in true.slots.items()},
                    spares={name: _forged(slot, made_up) for name, slot in true.spares.items()},
                )
            case _:
                return true

    def text(self, true: str) -> str:
        """What a command prints."""
        self._keep_waiting()
        made_up = random.Random(self.seed)  # noqa: S311 - no secret
        match self.lie:
            case Lie.GARBAGE:
                return self._noise(made_up)
            case Lie.FORGED:
                lines = true.splitlines()
                made_up.shuffle(lines)
                return "\n".join(lines[: made_up.randrange(len(lines) + 1)])
            case _:
                return true

    def code(self, true: int | None) -> int | None:
        """What its port answers, as far as the host lets us see."""
        self._keep_waiting()
        made_up = random.Random(self.seed)  # noqa: S311 - no secret
        is_true = self.lie not in {Lie.GARBAGE, Lie.FORGED}
        return true if is_true else made_up.choice([200, 503, 999, None])

    def _keep_waiting(self) -> None:
        if self.lie is Lie.SLOW:
            CLOCK.pass_slowly(SLOW_SECONDS)
        elif self.lie is Lie.SILENT:
            CLOCK.pass_slowly(SILENT_SECONDS)
            raise ConnectionLost(f"{self.name}: no answer in {SILENT_SECONDS:g} s")
        elif self.lie is Lie.ENDLESS:
            raise RemoteError(f"{self.name}: it answered more than is read")

    @staticmethod
    def _noise(made_up: random.Random) -> str:
        keys = ("web.history", "web.bad", "web.release", "web.5000.link", "free_kb", "systemd", "x")
        words = (*STRANGE, "[" * 3000, "\x00", LAST.record.as_line(), '{"format": 9}')
        lines = [f"{made_up.choice(keys)}={made_up.choice(words)}" for _ in range(20)]
        return "\n".join([*lines, made_up.randbytes(64).decode("latin-1")])


def _forged(true: Slot, made_up: random.Random) -> Slot:
    """A slot as an attacker may tell it, who may also leave some of it as it is."""

    def release() -> str:
        return made_up.choice([*(build.release for build in KNOWN), NEVER_MADE])

    def record() -> Record:
        build, at = made_up.choice(KNOWN), made_up.choice(["", "9999-01-01", "2026-01-01"])
        run, kind = made_up.choice(["", "a" * 32, "b" * 32]), made_up.choice(list(Kind))
        return Record(made_up.choice([build.release, release()]), build.digest, at, "me", run, kind)

    forged: dict[str, Any] = {
        "history": tuple(record() for _ in range(made_up.randrange(6))),
        "bad": frozenset(release() for _ in range(made_up.randrange(4))),
        "releases": tuple(release() for _ in range(made_up.randrange(4))),
        "kept": frozenset(record().kept for _ in range(made_up.randrange(3))),
        "unit_state": UnitState(
            "loaded", made_up.choice(["active", "failed", "²"]), "dead", "enabled"
        ),
        "out": made_up.choice(["", "{", '{"target": "i-1:5000"}', "[" * 3000]),
        "partial": {release(): 1 << 60},
        "memory_kb": 1 << 50,
        "has_environment_file": True,
        "group": made_up.choice(STRANGE),
        "listeners": (Listener(1, "nginx.service", "nginx"),),
    }
    # A host that forges both what it runs and its records is one that was deployed to alone.
    forged |= {} if made_up.random() < FORGED_SHARE else {"link": release()}
    given = {name: value for name, value in forged.items() if made_up.random() < FORGED_SHARE}
    if "history" in given:
        given.pop("link", None)
    return replace(true, **given)
