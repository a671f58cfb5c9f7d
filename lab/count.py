"""How many targets were healthy at the least, while something happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.fleet import Lab

AROUND_SECONDS = 6.0


class Count:
    """The least number of healthy targets of a group while a with-block runs.

    It is read from the lab's own log of transitions after the block: nothing is missed between two
    questions, and nothing is asked meanwhile.
    """

    def __init__(self, lab: Lab, group: str = "web-lab") -> None:
        self.least = 0
        self._lab, self._group = lab, group
        self._seen = 0
        self._low: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        self._seen = max((event["seq"] for event in self._lab.events()), default=0)
        return self

    def __exit__(self, *_: object) -> None:
        events = [event for event in self._lab.events() if event["group"] == self._group]
        at_first = sum(change(event) for event in events if event["seq"] <= self._seen)
        self.least, self._low = lowest(
            at_first, [event for event in events if event["seq"] > self._seen]
        )

    @property
    def why(self) -> str:
        """The transition that made the least, and that target's checks around it; for a person."""
        low = self._low
        if low is None:
            return f"{self.least} from the start"
        checks = [
            f"\n       check at {one['began'] - low['at']:+.2f} s: {one['reason'] or one['status']}"
            f" in {one['seconds']:.2f} s, the lab itself {one['late_seconds']:.2f} s late"
            for one in self._lab.checks()
            if (one["group"], one["id"], one["port"]) == (low["group"], low["id"], low["port"])
            and abs(one["began"] - low["at"]) < AROUND_SECONDS
        ]
        names = {host.instance_id: host.name for host in self._lab.hosts}
        return (
            f"{names.get(low['id'], low['id'])}:{low['port']} from {low['from']} to {low['to']} "
            f"{low['reason']} at {low['at']:.2f}{''.join(checks)}"
        )


def change(event: dict[str, Any]) -> int:
    """By how many a transition changes the number of healthy targets: -1, 0 or 1."""
    return int(event["to"] == "healthy") - int(event["from"] == "healthy")


def lowest(healthy: int, events: Iterable[dict[str, Any]]) -> tuple[int, dict[str, Any] | None]:
    """The fewest healthy targets, of so many before these events; and the event that left so few.

    None where there never were fewer than at first.
    """
    least, found = healthy, None
    for event in events:
        healthy += change(event)
        if healthy < least:
            least, found = healthy, event
    return least, found
