"""The steps of a rollout: each one intention with its arguments, each safe to repeat."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from deploy import commands
from deploy.balancer import State
from deploy.errors import BalancerError, DeployError
from deploy.fleet import Fleet, Stopped
from deploy.survey import parse_show

if TYPE_CHECKING:
    from deploy.inventory import Host
    from deploy.package import Package
    from deploy.settings import App
    from deploy.units import RenderedUnit

VERIFY_OUT_SECONDS = 60.0
SILENT_API_SECONDS = 60.0
MEGABYTE = 1_000_000


class Step(Protocol):
    """One intention on one host; `str()` says what, `run` does it or raises DeployError."""

    @property
    def host(self) -> Host:
        """Where."""

    @property
    def app(self) -> App:
        """For which app."""

    def run(self, fleet: Fleet) -> None:
        """Do it."""


@dataclass(frozen=True)
class OnHost:
    """What every step has."""

    host: Host
    app: App


@dataclass(frozen=True)
class PrepareHost(OnHost):
    """Make the service's user and folders."""

    def run(self, fleet: Fleet) -> None:
        """Change nothing where they are right."""
        script = commands.prepare(self.app.name, self.app.service_user)
        fleet.remote(self.host).change(self.app.name, script, "making user and folders")

    def __str__(self) -> str:
        return f"prepare user {self.app.service_user} and {commands.home(self.app.name)}"


@dataclass(frozen=True)
class UploadRelease(OnHost):
    """Send the package and unpack it under the release's own name."""

    package: Package = field(repr=False)

    def run(self, fleet: Fleet) -> None:
        """Stream the archive; it is published by rename once its digest is right."""
        total, sent, release = self.package.archive_bytes, 0, self.package.release

        def count(size: int) -> None:
            nonlocal sent
            sent += size
            fleet.tell(self.host.name, f"sent {sent / MEGABYTE:.1f} of {total / MEGABYTE:.1f} MB")

        script = commands.receive_release(
            self.app.name, release.id, self.app.service_user, self.package.archive_sha256
        )
        with self.package.archive.open("rb") as source:
            fleet.remote(self.host).send(self.app.name, script, "upload", source, count)

    def __str__(self) -> str:
        size = self.package.archive_bytes / MEGABYTE
        return f"upload {self.app.name} {self.package.release.id} ({size:.1f} MB)"


@dataclass(frozen=True)
class VerifyUnit(OnHost):
    """Let the host's systemd judge the unit before anything is drained."""

    unit: str
    text: str = field(repr=False)

    def run(self, fleet: Fleet) -> None:
        """Fail on an exit code, and on any line that names our file (a misspelt key gives 0)."""
        script = commands.verify_unit(self.unit)
        source = io.BytesIO(self.text.encode())
        result = fleet.remote(self.host).judge(script, "verifying the unit", source)
        ours = [line for line in result.stdout.splitlines() if f"/{self.unit}" in line]
        if result.exit_code or ours:
            said = (ours or result.stdout.splitlines() or [result.stderr])[0]
            problem = said.rpartition(f"/{self.unit}:")[2].strip()
            raise DeployError(
                f"{self.host}: systemd does not accept {self.unit}: line {problem}; mend the "
                "template or the app's settings"
            )

    def __str__(self) -> str:
        return f"verify {self.unit} with the host's systemd"


@dataclass(frozen=True)
class DeregisterTarget(OnHost):
    """Out: no new requests for this host. `was_healthy`: whether it served before."""

    was_healthy: bool = field(default=True, repr=False)

    def run(self, fleet: Fleet) -> None:
        """Write it down on the host, deregister, and see that AWS took it.

        Raises BalancerError when the target can still be sent requests: DeregisterTargets
        answers success for whatever it does not know (API reference).
        """
        group, target = fleet.groups[self.app.name], fleet.target(self.host, self.app)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = json.dumps(
            {"group": group.name, "target": str(target), "at": now, "by": fleet.author}
        )
        remote = fleet.remote(self.host)
        script = commands.record_out(self.app.name, self.app.port, note)
        remote.change(self.app.name, script, "writing down that the target leaves")
        fleet.desk.deregister(group, target)
        done = fleet.mark(self.host, self.app, "deregistered")
        health = fleet.health_since(self.host, self.app, done, VERIFY_OUT_SECONDS)
        if health.may_receive:
            raise BalancerError(
                f"{self.host}: {target} was deregistered from {group.name} but is {health}; "
                "something else registers it again"
            )

    def __str__(self) -> str:
        return f"deregister from {self.app.target_group}"


@dataclass(frozen=True)
class WaitDrained(OnHost):
    """Let requests in flight finish: the whole deregistration delay, by our own clock."""

    seconds: float

    def run(self, fleet: Fleet) -> None:
        """Wait, then read the state once; Stopped when the operator wants an end.

        AWS shows `draining` for the full delay even when nothing is in flight, so the state
        cannot tell when it is over (ALB guide, deregistration delay).
        """
        began = fleet.marked(self.host, self.app, "deregistered")
        end = began + self.seconds
        while (left := end - time.monotonic()) > 0:
            gone = time.monotonic() - began
            fleet.tell(self.host.name, f"draining, {gone:.0f} of {self.seconds:g} s")
            if fleet.stop.wait(min(left, 0.5)):
                raise Stopped(f"{self.host}: stopped while draining")
        health = fleet.health_since(self.host, self.app, end, SILENT_API_SECONDS)
        if health.may_receive:
            raise BalancerError(
                f"{self.host}: the target is {health} again at the end of its drain; something "
                "else registered it"
            )

    def __str__(self) -> str:
        return f"drain {self.seconds:g} s"


@dataclass(frozen=True)
class StopUnit(OnHost):
    """Stop the old release; it finishes what it has."""

    def run(self, fleet: Fleet) -> None:
        """SIGTERM, and SIGKILL by systemd only after TimeoutStopSec."""
        script, name = commands.stop_unit(self.app.unit), self.app.name
        remote = fleet.remote(self.host)
        remote.change(name, script, f"stopping {self.app.unit}", self.app.stop_seconds + 30)

    def __str__(self) -> str:
        return f"stop {self.app.unit}"


@dataclass(frozen=True)
class RetireUnit(OnHost):
    """Stop and disable the unit of before, whose place the app takes."""

    unit: str

    def run(self, fleet: Fleet) -> None:
        """Both at once, so that it does not come back at the next boot."""
        script, seconds = commands.retire_unit(self.unit), self.app.stop_seconds + 30
        remote = fleet.remote(self.host)
        remote.change(self.app.name, script, f"retiring {self.unit}", max(seconds, 120))

    def __str__(self) -> str:
        return f"stop and disable {self.unit}, which the app replaces"


@dataclass(frozen=True)
class ReviveUnit(OnHost):
    """Give the unit of before its place back: the app's own unit goes, the old one starts."""

    unit: str

    def run(self, fleet: Fleet) -> None:
        """Stop and disable ours first, since both want the same port."""
        remote = fleet.remote(self.host)
        remote.ask(commands.retire_unit(self.app.unit), "retiring the app's unit", 120)
        script = commands.revive_unit(self.unit)
        remote.change(self.app.name, script, f"starting {self.unit} again", 120)

    def __str__(self) -> str:
        return f"start {self.unit} again"


@dataclass(frozen=True)
class SwitchRelease(OnHost):
    """Point the slot at the new release."""

    release: str

    def run(self, fleet: Fleet) -> None:
        """By rename: the link never points nowhere."""
        script = commands.switch_release(
            self.app.name, self.app.port, self.release, self.app.service_user
        )
        fleet.remote(self.host).change(self.app.name, script, "switching the release")

    def __str__(self) -> str:
        return f"switch slot {self.app.port} to {self.release}"


@dataclass(frozen=True)
class InstallUnit(OnHost):
    """Install the rendered unit under the service's name."""

    release: str
    unit: RenderedUnit = field(repr=False)

    def run(self, fleet: Fleet) -> None:
        """By rename; a copy is kept with the release's records."""
        script = commands.install_unit(self.app.name, self.unit.name, self.release)
        source = io.BytesIO(self.unit.text.encode())
        fleet.remote(self.host).send(self.app.name, script, "installing the unit", source)

    def __str__(self) -> str:
        return f"install {self.unit.name} ({self.unit.digest})"


@dataclass(frozen=True)
class StartUnit(OnHost):
    """Load, enable and start the new release."""

    def run(self, fleet: Fleet) -> None:
        """Remember the invocation, by which a restart is told later."""
        seconds = self.app.start_timeout_seconds + 30
        remote = fleet.remote(self.host)
        script = commands.start_unit(self.app.unit)
        shown = remote.change(self.app.name, script, f"starting {self.app.unit}", seconds)
        fleet.started[self.host.name, self.app.name] = parse_show(shown)

    def __str__(self) -> str:
        return f"daemon-reload, enable and start {self.app.unit}"


@dataclass(frozen=True)
class ShowJournal(OnHost):
    """Show the last lines of the unit's journal."""

    lines: int = 5

    def run(self, fleet: Fleet) -> None:
        """For the person at the keyboard; decides nothing."""
        script = commands.journal(self.app.unit, self.lines)
        for line in fleet.remote(self.host).ask(script, "journal").stdout.splitlines():
            fleet.tell(self.host.name, f"| {line}")

    def __str__(self) -> str:
        return f"show the last lines of {self.app.unit}'s journal"


@dataclass(frozen=True)
class RegisterTarget(OnHost):
    """In: the load balancer may send requests again."""

    def run(self, fleet: Fleet) -> None:
        """Ask for it; WaitHealthy sees it through.

        An address cannot come back before its deregistration delay is over (ALB guide, register
        targets): on the way back from a drain, a group of type `ip` waits for that first.
        """
        group = fleet.groups[self.app.name]
        out = fleet.moments.get((self.host.name, self.app.name, "deregistered"))
        if group.target_type == "ip" and out is not None:
            while (left := out + group.delay_seconds - time.monotonic()) > 0:
                fleet.tell(self.host.name, f"its address may come back in {left:.0f} s")
                time.sleep(min(left, 1.0))
        fleet.desk.register(group, fleet.target(self.host, self.app))
        fleet.mark(self.host, self.app, "registered")

    def __str__(self) -> str:
        return f"register in {self.app.target_group}"


@dataclass(frozen=True)
class WaitHealthy(OnHost):
    """See the target become healthy."""

    def run(self, fleet: Fleet) -> None:
        """Poll state and reason; a state that waiting cannot mend fails at once."""
        began = moment = fleet.marked(self.host, self.app, "registered")
        limit = self.app.healthy_timeout_seconds
        while True:
            health = fleet.health_since(
                self.host, self.app, moment, SILENT_API_SECONDS, at_once=moment == began
            )
            gone = time.monotonic() - began
            if health.state is State.HEALTHY:
                fleet.mark(self.host, self.app, "healthy")
                return
            fleet.tell(self.host.name, f"target {health}, {gone:.0f} of {limit:g} s")
            if health.is_hopeless or gone > limit:
                said = health.description or "AWS gives no description"
                why = "can never become healthy" if health.is_hopeless else f"after {gone:.0f} s"
                raise BalancerError(
                    f"{self.host}: target {fleet.target(self.host, self.app)} of "
                    f"{self.app.target_group} is {health} {why}: {said}"
                )
            moment = time.monotonic()

    def __str__(self) -> str:
        return f"wait until healthy in {self.app.target_group}"


@dataclass(frozen=True)
class Soak(OnHost):
    """See the target stay healthy before the rollout goes on."""

    seconds: float

    def run(self, fleet: Fleet) -> None:
        """Fail as soon as it is not; a slow start counts as part of the soak."""
        began = fleet.marked(self.host, self.app, "healthy")
        while (gone := time.monotonic() - began) < self.seconds:
            fleet.tell(self.host.name, f"soaking, {gone:.0f} of {self.seconds:g} s")
            moment = time.monotonic()
            health = fleet.health_since(
                self.host, self.app, moment, SILENT_API_SECONDS, at_once=False
            )
            if health.state is not State.HEALTHY:
                raise BalancerError(f"{self.host}: target became {health} while soaking")
            if fleet.stop.wait(0.1):
                return

    def __str__(self) -> str:
        return f"soak {self.seconds:g} s"


@dataclass(frozen=True)
class RecordDeployed(OnHost):
    """Write down on the host what was deployed, when and by whom."""

    release: str

    def run(self, fleet: Fleet) -> None:
        """The note that the target is out falls with it."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        note = json.dumps({"release": self.release, "at": now, "by": fleet.author})
        script = commands.record_deployed(self.app.name, self.app.port, note)
        fleet.remote(self.host).change(self.app.name, script, "recording the deploy")

    def __str__(self) -> str:
        return f"record {self.app.name} {self.release}"


@dataclass(frozen=True)
class ForgetOut(OnHost):
    """The target is back on the release of before: the note that it is out falls."""

    def run(self, fleet: Fleet) -> None:
        """Remove the note alone."""
        script = commands.forget_out(self.app.name, self.app.port)
        fleet.remote(self.host).change(self.app.name, script, "forgetting the note")

    def __str__(self) -> str:
        return f"note that {self.app.name} is back"
