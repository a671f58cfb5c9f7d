"""What the waits in the settings come to: no tool that takes them in turn can be faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.job import LAG_SECONDS

if TYPE_CHECKING:
    from lab.fleet import Lab

DELAY_SECONDS = 10.0
PROPAGATION_SECONDS = 2.0
PROVE_SECONDS = 4.0
START_SECONDS = 1.0
UNIT = "web@5000.service"
# systemd's catalogue of messages: a unit begins to stop, and has stopped.
STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"
STOPPED = "9d1aaa27d60140bd96365438aad20286"


@dataclass(frozen=True)
class Limit:
    """The parts of the limit, each summed over what waits in turn, in seconds.

    shown: from a target's becoming healthy until the API shows it.
    """

    delay: float
    prove: float
    stop: float
    start: float
    healthy: float
    shown: float

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.delay + self.prove + self.stop + self.start + self.healthy + self.shown

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s: delay {self.delay:.0f}, prove {self.prove:.0f}, stop "
            f"{self.stop:.1f}, start {self.start:.0f}, healthy {self.healthy:.1f}, "
            f"shown {self.shown:.0f}"
        )


def in_turn(lab: Lab, events: list[dict[str, Any]]) -> Limit:
    """The limit of a rollout of one host at a time, by the group's events and the journals."""
    hosts = len(lab.hosts)
    return Limit(
        delay=hosts * DELAY_SECONDS,
        prove=hosts * PROVE_SECONDS,
        stop=sum(_stop_seconds(lab, host.name) for host in lab.hosts),
        start=hosts * START_SECONDS,
        healthy=sum(healthy_seconds(events)),
        shown=hosts * LAG_SECONDS,
    )


def canary_then_all(lab: Lab, events: list[dict[str, Any]]) -> Limit:
    """The limit of a surge: a canary, then all others at once, whose old slots drain at the end.

    The canary's own drains while the others begin. A drain takes the propagation time alone, as if
    nothing were busy any more.
    """
    canary, *others = healthy_seconds(events)
    return Limit(
        delay=PROPAGATION_SECONDS,
        prove=2 * PROVE_SECONDS,
        stop=max(_stop_seconds(lab, host.name) for host in lab.hosts),
        start=2 * START_SECONDS,
        healthy=canary + max(others),
        shown=2 * LAG_SECONDS,
    )


def _stop_seconds(lab: Lab, host: str) -> float:
    """How long the unit's last stop took, by systemd's own entries in the journal.

    Not by the unit's timestamps: systemd forgets them when it unloads a stopped unit.
    """
    entry = f"journalctl --output export --lines 1 UNIT={UNIT} MESSAGE_ID={{}} "
    times: list[int] = []
    for message in (STOPPING, STOPPED):
        line = lab.shell(host, entry.format(message) + "| grep -a ^__MONOTONIC_TIMESTAMP=")
        times.append(int(line.partition("=")[2]))
    began, ended = times
    return (ended - began) / 1_000_000


def healthy_seconds(events: list[dict[str, Any]]) -> list[float]:
    """From registered to healthy, for each target in the order of their registrations."""
    registered: dict[tuple[str, int], float] = {}
    seconds: dict[tuple[str, int], float] = {}
    for event in events:
        target = event["id"], event["port"]
        if event["to"] == "initial":
            registered[target] = event["at"]
        if event["to"] == "healthy" and target in registered:
            seconds[target] = event["at"] - registered[target]
    return [seconds[target] for target in registered]
