"""One deploy at a time: races, a dead holder, a suspended one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from faults.ground import APP
from lab.project import until

if TYPE_CHECKING:
    from faults.ground import Ground

RACES = 50


def races(ground: Ground, count: int = RACES) -> None:
    """Two deploys at once, over and over: each time exactly one wins, the other ends with 3."""
    # Long enough that the one that lost sees the other alive before it is done.
    ground.set({"prove_seconds": 3}, {})
    won = {"one": 0, "none": 0, "both": 0}
    with ground.trial(f"{count} races of two deploys") as trial:
        for _ in range(count):
            both = [ground.deploy(ground.good) for _ in range(2)]
            codes = sorted(each.wait().code for each in both)
            won["one" if codes == [0, 3] else "both" if codes == [0, 0] else "none"] += 1
        trial.expect(won["one"] == count, f"{won}")
        trial.said = f"one winner in {won['one']}"
    ground.set({"prove_seconds": APP["prove_seconds"]}, {})


def suspended(ground: Ground) -> None:
    """SIGSTOP past its time to live, taken over, then SIGCONT: it must stop."""
    version, newer = ground.build(), ground.build()
    with ground.trial("a suspended deploy, taken over, that wakes up", on=newer) as trial:
        first = ground.deploy(version)
        first.until("@ batch 2")
        until("it drains", lambda: "draining" in ground.lab.health("web-lab").values())
        first.send(signal.SIGSTOP)
        trial.ended(ground.project.deploy(newer), 0)
        seen = ground.lab.events()[-1]["seq"]
        first.send(signal.SIGCONT)
        trial.ended(first.wait(), 3)
        trial.expect(not ground.lab.events(seen), "it changed the target group after that")
        trial.said = "it stopped with 3 and changed nothing"
