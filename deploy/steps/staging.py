"""Steps that bring a release onto a host while the old one serves, without any effect on it."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.errors import CommandFailed, DeployError, Unfit
from deploy.foreign_text import visible
from deploy.hosts.scripts import base, read, rehearsal, service, upload
from deploy.package import manifest
from deploy.package.delta import Parcel
from deploy.steps.base import SHOWN_DIGITS, OnHost, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.package.manifest import Difference, File
    from deploy.package.opening import Package
    from deploy.steps.fleet import Fleet
    from deploy.unit.rendering import RenderedUnit

MEGABYTE = 1_000_000
FIND_SECONDS = 120.0
FIND_BYTES = read.MOST_FOUND_BYTES + 1024 * 1024


@dataclass(frozen=True)
class PrepareHost(OnHost):
    """Make the service's user and folders."""

    phase = Phase.STAGE

    def run(self, fleet: Fleet) -> None:
        """Change nothing where they are right.

        Raises Unfit where the host's own programs could not switch a release, or where its folder
        of units cannot be written to.
        """
        script = upload.prepare(self.app.name, self.app.settings.service_user)
        try:
            fleet.remote(self.host).change(self.app.name, script)
        except CommandFailed as error:
            if error.result.exit_code == base.UNITS_UNWRITABLE:
                raise Unfit(
                    f"{self.host}: no unit can be installed under /etc/systemd/system: "
                    f"{visible(error.result.stdout.strip())}; make it writable, or make room there"
                ) from error
            if error.result.exit_code != base.TOOLS_DIFFER:
                raise
            lines = [visible(line) for line in error.result.stdout.split("\n") if line.strip()]
            program, version, said = (*lines, *("",) * 3)[:3]
            raise Unfit(
                f"{self.host}: `{program}` there does not do what GNU's does, so no release can be "
                f"switched safely ({version}{f': {said}' if said else ''}); install GNU coreutils, "
                "or a newer version of what is there"
            ) from error

    def __str__(self) -> str:
        return f"prepare user {self.app.settings.service_user} and {base.home(self.app.name)}"


@dataclass(frozen=True)
class UploadRelease(OnHost):
    """Bring the package under the release's own name: send what the host lacks, copy the rest."""

    phase = Phase.STAGE

    package: Package = field(repr=False)

    def run(self, fleet: Fleet) -> None:
        """Trust the digests of releases that lie there; where a copy then is wrong, trust none."""
        sent = 0

        def count(size: int) -> None:
            nonlocal sent
            sent += size
            fleet.tell(self.host.name, self._sent(sent))

        try:
            try:
                found = self._bring(fleet, count)
            except CommandFailed as error:
                if error.result.exit_code != base.CONTENT_DIFFERS:
                    raise
                fleet.tell(self.host.name, f"sent after all: {error}")
                found = self._bring(fleet, count, checked_now=True)
        except CommandFailed:
            # A part stays after a broken connection alone: this one filled the disk, or is wrong.
            script = upload.discard_part(self.app.name, self.package.release.id)
            with suppress(DeployError):
                fleet.remote(self.host).change(self.app.name, script)
            raise
        copied = _also([each.file for each in found.copied], "copied there")
        kept = _also(found.kept, "left there by an upload before")
        fleet.tell(self.host.name, f"| {self._sent(sent)}{copied}{kept}")

    def _bring(
        self, fleet: Fleet, count: Callable[[int], None], *, checked_now: bool = False
    ) -> Difference:
        """Ask which files the host has, and send the rest; `count` gets the bytes of each chunk."""
        name, package, remote = self.app.name, self.package, fleet.remote(self.host)
        release = package.release.id
        question = read.find_contents(name, release, checked_now=checked_now)
        found = remote.ask(question, FIND_SECONDS, FIND_BYTES)
        place = f"{upload.part(release)}/files"
        difference = manifest.compare(package.manifest, found, place)
        user = self.app.settings.service_user
        digest = manifest.digest(package.manifest, package.release.digest)
        script = upload.receive_release(name, release, user, package.links, digest)
        with Parcel.opened(package, difference) as parcel:
            remote.send(name, script, parcel, count)
        return difference

    def _sent(self, size: int) -> str:
        whole = self.package.archive_bytes / MEGABYTE
        return f"sent {size / MEGABYTE:.1f} of {whole:.1f} MB"

    def __str__(self) -> str:
        size = self.package.archive_bytes / MEGABYTE
        return f"upload {self.app.name} {self.package.release.id} ({size:.1f} MB)"


def _also(files: Sequence[File], how: str) -> str:
    size = sum(file.size for file in files) / MEGABYTE
    return f"; {len(files)} files ({size:.1f} MB) {how}" if files else ""


@dataclass(frozen=True)
class StageUnits(OnHost):
    """Let the host's systemd judge the units of the app's slots, and lay them beside the release.

    checks: the units with their paths on the staged release, as they are judged; trials: units
    that run /bin/true in the sandboxes of these.
    """

    phase = Phase.STAGE

    release: str
    units: tuple[RenderedUnit, ...] = field(repr=False)
    checks: tuple[str, ...] = field(repr=False)
    trials: tuple[str, ...] = field(default=(), repr=False)

    def run(self, fleet: Fleet) -> None:
        """Fail on an exit code, and on any line that names our file (a misspelt key gives 0).

        Raises Unfit where a sandbox does not work on the host.
        """
        names = [unit.name for unit in self.units]
        files = [
            service.kept_unit(self.app.name, unit.name, self.release, unit.digest)
            for unit in self.units
        ]
        checks = [text.encode() for text in self.checks]
        texts = [unit.text.encode() for unit in self.units]
        trials = [text.encode() for text in self.trials]
        script = upload.stage_units(
            list(zip(names, map(len, checks), strict=True)),
            list(zip(files, map(len, texts), strict=True)),
            [rehearsal.trials(self.app.name, [len(text) for text in trials])] if trials else (),
        )
        source = io.BytesIO(b"".join((*checks, *texts, *trials)))
        try:
            fleet.remote(self.host).send(self.app.name, script, source)
        except CommandFailed as error:
            if error.result.exit_code == base.SANDBOX_REFUSED:
                problem = rehearsal.explain(names[0], error.result.stdout)
                raise Unfit(f"{self.host}: {problem}") from error
            if error.result.exit_code != base.UNIT_REFUSED:
                raise
            raise self._refused(names, error.result.stdout.splitlines()) from error

    def _refused(self, names: list[str], said: list[str]) -> DeployError:
        lacks = next((line for line in said if "is not executable" in line), "")
        if lacks:
            return Unfit(f"{self.host}: {lacks}; repair the package, the host or `command:`")
        named = [(name, line) for line in said for name in names if f"/{name}" in line]
        name, line = (named or [(names[0], said[0] if said else "")])[0]
        problem = line.rpartition(f"/{name}:")[2].strip()
        return DeployError(
            f"{self.host}: systemd does not accept {name}: line {problem}; correct the "
            "template or the app's settings"
        )

    def __str__(self) -> str:
        units = " and ".join(f"{unit.name} ({unit.digest[:SHOWN_DIGITS]})" for unit in self.units)
        return f"verify {units} with the host's systemd, and try the sandbox"


@dataclass(frozen=True)
class RemoveReleases(OnHost):
    """Make room: releases that nothing runs, points to or may go back to; and partial uploads.

    coming: the release whose own partial upload is gone on with.
    """

    phase = Phase.STAGE

    releases: tuple[str, ...]
    coming: str = ""

    def run(self, fleet: Fleet) -> None:
        """The host itself refuses to remove what a slot points to."""
        script = upload.remove_releases(self.app.name, self.releases, self.coming)
        fleet.remote(self.host).change(self.app.name, script)

    def __str__(self) -> str:
        return f"remove {', '.join(self.releases) or 'what an upload left'}"
