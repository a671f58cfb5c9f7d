"""Which host of the lab leaves the load balancer, by the lab's own log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.project import until

if TYPE_CHECKING:
    from lab.fleet import Lab, LabHost

SETTLED_SECONDS = 2.0
"""A second more than the load balancer takes to hear of a deregistration, as the lab starts."""


def first_to_drain(lab: Lab, seen: int) -> LabHost:
    """Wait until a host drains and gets no new requests, and return it.

    One that is frozen or ended before that would lose them: no deploy could help it. `seen` is the
    number of the last event that belongs to the past. Raises DeployError after 30 s.
    """

    def drained() -> list[str]:
        events = [event for event in lab.events(seen) if event["to"] == "draining"]
        return [event["id"] for event in events if time.time() > event["at"] + SETTLED_SECONDS]

    until("a host drains and gets no new requests", lambda: bool(drained()))
    return next(host for host in lab.hosts if host.instance_id == drained()[0])
