"""What one time out of the load balancer and back in took. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Observation:
    """One time out of the load balancer and back in; seconds since AWS took the deregistration.

    Attributes:
        arrivals: Connections that brought requests while the target served, summed over samples.
        watched_seconds: For how long they were counted.
        draining_seconds: Until the API showed that no group sends requests any more.
        last_request_seconds: Until data last came in, or until the API showed it draining, where
            that is later: what comes before is not watched.
        drain_seconds: For how long that was watched.
        healthy_seconds: From the registration until every group found the target healthy.
    """

    arrivals: int
    watched_seconds: float
    draining_seconds: float
    last_request_seconds: float
    drain_seconds: float
    healthy_seconds: float
