"""The crash sweep: a deploy is killed at every fleet-level step and at every step of one host."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING

from faults.ground import BATCH, HOSTS
from lab.count import Count
from lab.project import called

if TYPE_CHECKING:
    from faults.ground import Ground

FLEET = ("lock", "locked", "look", "looked", "batch 1", "batch 2", "unlock", "unlocked")
SEED = 20261123
LEAST_SECONDS = 0.02


SLOTS = [5000, 5001]


def surge(ground: Ground) -> None:
    """The same where each host's new release starts in a second slot."""
    ground.set({"ports": SLOTS}, {"rollout": {"strategy": "surge"}})
    sweep(ground)


def sweep(ground: Ground) -> None:
    """Kill at each boundary and at a random instant inside; a fresh process goes on.

    Every other time `inv repair` goes first.
    """
    instants = random.Random(SEED)  # noqa: S311 - instants, no secrets
    seconds = _measured(ground)
    print(f"crash sweep: {len(FLEET)} fleet-level moments, {len(seconds)} steps of one host")
    killed = repaired = 0
    moments = [(name, 0.3) for name in FLEET] + list(seconds.items())
    for index, (moment, length) in enumerate(moments):
        for inside in (False, True):
            after = instants.uniform(0.1, 0.9) * max(length, LEAST_SECONDS) if inside else 0
            repairs = (index + inside) % 2 == 1
            is_killed, is_repaired = _crash(ground, moment, after, repairs=repairs)
            killed += is_killed
            repaired += is_repaired
    _slow_command(ground)
    requests = sum(line.requests for line in ground.lines)
    failed = sum(line.failed for line in ground.lines)
    figures = f"{killed} killed, {repaired} repaired, {requests} requests, {failed} failed"
    print(f"crash points: {figures}")


def _measured(ground: Ground) -> dict[str, float]:
    """The steps of the host that goes first, as a clean deploy printed them, with their time."""
    version = ground.build(size_mb=2)
    ran = ground.project.deploy(version)
    ground.good = version
    found: dict[str, float] = {}
    start = f"{called(ground.first)}: "
    for line in ran.stdout.splitlines():
        text = line.partition(" ")[2]
        step, _, ended = text.rpartition(": ")
        if text.startswith(start) and ended.split(" ")[0].replace(".", "").isdigit():
            verb = step.removeprefix(start).split()[0]
            found[start + verb] = float(ended.split(" ")[0])
    return found


def _crash(ground: Ground, moment: str, after: float, *, repairs: bool) -> tuple[int, int]:
    version = ground.build(size_mb=2)
    how = f"{after:.2f} s into" if after else "at"
    then = "repair, deploy" if repairs else "deploy"
    surges = ground.project.web["ports"] == SLOTS
    least = HOSTS if surges else HOSTS - BATCH
    name = f"{'surge, ' * surges}killed {how} {moment!r}, then {then}"
    with ground.trial(name, on=version) as trial:
        with Count(ground.lab) as count:
            ended = ground.deploy(version, kill=moment, after=after).wait()
            was_killed = ended.code == -signal.SIGKILL
            # An instant inside the last moments may come after the end: then nothing was killed.
            trial.expect(was_killed or bool(after), f"it was not killed: exit code {ended.code}")
            if repairs:
                trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
                trial.expect(ground.healthy() == len(ground.lab.hosts), "repair left a host out")
            trial.ended(ground.project.deploy(version), 0)
        trial.expect(count.least >= least, f"only {count.least} were healthy: {count.why}")
        trial.said = "killed, repaired" if was_killed else "it had ended"
    return was_killed, was_killed and ground.lines[-1].is_good


def _slow_command(ground: Ground) -> None:
    """Killed while a remote command runs that takes its time, `inv repair` at once."""
    ground.set({"type": "notify"}, {})
    version = ground.build(notify=True, start_seconds=4)
    with ground.trial("killed in a slow start, repair at once", on=version) as trial:
        step = f"{called(ground.first)}: daemon-reload"
        ended = ground.deploy(version, kill=step, after=1.0).wait()
        trial.expect(ended.code == -signal.SIGKILL, "it was not killed")
        trial.ended(ground.project.inv("repair", "--env", "lab"), 0)
        trial.expect(ground.healthy() == len(ground.lab.hosts), "repair left a host out")
        trial.ended(ground.project.deploy(version), 0)
    ground.set({"type": None}, {})
    ground.good = ground.build()
    ground.project.deploy(ground.good)
