"""Steps that bring a release onto a host while the old one serves: nothing here can be noticed."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import commands
from deploy.errors import DeployError
from deploy.steps import OnHost

if TYPE_CHECKING:
    from deploy.fleet import Fleet
    from deploy.package import Package
    from deploy.units import RenderedUnit

MEGABYTE = 1_000_000


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
            self.app.name, release.id, self.app.service_user, self.package.archive_blake2
        )
        with self.package.archive.open("rb") as source:
            fleet.remote(self.host).send(self.app.name, script, "upload", source, count)

    def __str__(self) -> str:
        size = self.package.archive_bytes / MEGABYTE
        return f"upload {self.app.name} {self.package.release.id} ({size:.1f} MB)"


@dataclass(frozen=True)
class StageUnit(OnHost):
    """Let the host's systemd judge the unit, and lay it beside its release.

    check: the unit with its paths on the staged release, as it is judged.
    """

    release: str
    unit: RenderedUnit = field(repr=False)
    check: str = field(repr=False)

    def run(self, fleet: Fleet) -> None:
        """Fail on an exit code, and on any line that names our file (a misspelt key gives 0)."""
        name = self.unit.name
        remote = fleet.remote(self.host)
        source = io.BytesIO(self.check.encode())
        result = remote.judge(commands.verify_unit(name), "verifying the unit", source)
        ours = [line for line in result.stdout.splitlines() if f"/{name}" in line]
        if result.exit_code or ours:
            said = (ours or result.stdout.splitlines() or [result.stderr])[0]
            problem = said.rpartition(f"/{name}:")[2].strip()
            raise DeployError(
                f"{self.host}: systemd does not accept {name}: line {problem}; mend the "
                "template or the app's settings"
            )
        kept = commands.kept_unit(self.app.name, name, self.release, self.unit.digest)
        text = io.BytesIO(self.unit.text.encode())
        remote.send(self.app.name, commands.keep_unit(kept), "keeping the unit", text)

    def __str__(self) -> str:
        return f"verify {self.unit.name} ({self.unit.digest}) with the host's systemd"


@dataclass(frozen=True)
class RemoveReleases(OnHost):
    """Make room: releases that nothing runs, points to or may go back to."""

    releases: tuple[str, ...]

    def run(self, fleet: Fleet) -> None:
        """The host itself refuses to remove what a slot points to."""
        script = commands.remove_releases(self.app.name, self.releases)
        fleet.remote(self.host).change(self.app.name, script, "removing old releases")

    def __str__(self) -> str:
        return f"remove {', '.join(self.releases) or 'what an upload left'}"
