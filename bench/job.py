"""The job that all contestants do, and one measured run of it.

2.0.0 comes in place of 1.0.0 on a fleet under load, behind a load balancer that hears of a
deregistration a second late and shows health as it was a second ago. Each run begins on hosts with
nothing but 1.0.0, and ends with a look at every host.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from deploy.errors import DeployError
from lab import packages
from lab.count import lowest
from lab.load import Load
from lab.project import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from bench.limit import Limit
    from lab.fleet import Lab

    Waits = Callable[[Lab, list[dict[str, Any]]], Limit]

APP, GROUP, PORT = "web", "web-lab", 5000
OLD, NEW = "1.0.0", "2.0.0"
RATE = 150.0
SLOW_SHARE, SLOW_SECONDS = 0.02, 2.0
LAG_SECONDS = 1.0
START_SECONDS = 1.0
PACKAGE_MB = 20
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 2.0
READY_SECONDS = 60.0
LONGEST_SECONDS = 1800.0


class NotMeasured(DeployError):
    """A contestant cannot do the job here; the message says why."""


class Driver(Protocol):
    """How one contestant is made to do the job; both raise NotMeasured or DeployError."""

    def begin(self, ground: Ground) -> None:
        """Install 1.0.0 on every host, which has nothing yet."""

    def deploy(self, ground: Ground) -> None:
        """Bring 2.0.0: what is measured."""


@dataclass(frozen=True)
class Ground:
    """The lab, and a folder for settings and packages."""

    lab: Lab
    folder: Path

    @classmethod
    def made(cls, lab: Lab, folder: Path) -> Ground:
        """With both packages built."""
        for version in (OLD, NEW):
            packages.build(
                folder / "packages",
                APP,
                version,
                size_mb=PACKAGE_MB,
                start_seconds=START_SECONDS,
            )
        return cls(lab, folder)

    def package(self, version: str) -> Path:
        """A version's package."""
        return self.folder / "packages" / f"{APP}.{version}.zip"

    def serving(self) -> dict[str, set[str]]:
        """What each host's healthy targets answer, by host; a host without one is left out.

        Asked of the hosts themselves, not through the load balancer.
        """
        elb = self.lab.client("elbv2")
        arn = elb.describe_target_groups(Names=[GROUP])["TargetGroups"][0]["TargetGroupArn"]
        health = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        addresses = {host.instance_id: (host.name, host.address) for host in self.lab.hosts}
        found: dict[str, set[str]] = {}
        for each in health:
            if each["TargetHealth"]["State"] == "healthy":
                name, address = addresses[each["Target"]["Id"]]
                found.setdefault(name, set()).add(_version(address, each["Target"]["Port"]))
        return found

    def serves(self, version: str) -> bool:
        """Whether every host is in service, with this version alone."""
        return self.serving() == {host.name: {version} for host in self.lab.hosts}


@dataclass(frozen=True)
class Run:
    """One measured run; times in seconds from the moment the command was typed.

    until_new_seconds: the last answer of the old version; least: the fewest targets in service
    meanwhile; calls: API calls; limit: what the waits come to, where that is known.
    """

    contestant: str
    hosts: int
    wall_seconds: float
    until_new_seconds: float
    requests: int
    failed: int
    p99_ms: float
    least: int
    calls: int
    limit: Limit | None


def measure(ground: Ground, name: str, driver: Driver, waits: Waits | None = None) -> Run:
    """Begin anew, and measure one deploy; DeployError where it does not end as it should.

    waits: says what its waits come to, where that is known.
    """
    lab = ground.lab
    lab.reset()
    lab.knobs(propagation_lag_seconds=LAG_SECONDS, describe_lag_seconds=LAG_SECONDS)
    driver.begin(ground)
    until(f"{OLD} serves on all hosts", lambda: ground.serves(OLD), READY_SECONDS)
    seen, called = lab.events()[-1]["seq"], sum(lab.calls().values())
    with Load(lab.url("web"), RATE, SLOW_SHARE, SLOW_SECONDS, LONGEST_SECONDS) as load:
        time.sleep(BEFORE_SECONDS)
        typed, began = time.time(), time.monotonic()
        driver.deploy(ground)
        wall = time.monotonic() - began
        calls = sum(lab.calls().values()) - called
        time.sleep(AFTER_SECONDS)
    if not ground.serves(NEW):
        raise DeployError(f"{name}: not every host serves {NEW} at the end: {ground.serving()}")
    found = [event for event in lab.events(seen) if event["group"] == GROUP]
    result = load.result
    return Run(
        contestant=name,
        hosts=len(lab.hosts),
        wall_seconds=wall,
        until_new_seconds=result.last_seen[OLD] - typed,
        requests=result.requests,
        failed=result.failed,
        p99_ms=result.p99_ms,
        least=lowest(len(lab.hosts), found)[0],
        calls=calls,
        limit=waits(lab, found) if waits else None,
    )


def _version(address: str, port: int) -> str:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().headers["X-Version"] or ""
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
