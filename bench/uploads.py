"""A first upload against scp, sha256sum and tar of the same archive, and what a redeploy sends."""

from __future__ import annotations

import hashlib
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from deploy.plan import candidate
from deploy.session import arguments
from deploy.session.session import Session
from deploy.settings.scope import Scope
from deploy.steps.staging import PrepareHost, UploadRelease
from lab.fleet import Lab
from lab.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.aws.inventory import Host
    from deploy.package.opening import Package
    from deploy.settings.app import AppInSlot
    from deploy.steps.fleet import Fleet
    from lab.fleet import LabHost

ROOT = Path(__file__).parent.parent
HOSTS = 8
FILES = 40
FILE_BYTES = 2_600_000
ROUNDS = 3
MOST = 1.25
MOST_REDEPLOYED = 0.05


@dataclass(frozen=True)
class Uploads:
    """Medians over some rounds: wall time in seconds for all hosts at once, ours and the peer's.

    ratio: the median of the rounds' own; package, redeployed: megabytes, of a first upload and of
    one where a file of 40 changed.
    """

    hosts: int
    ours: float
    peer: float
    ratio: float
    package: float
    redeployed: float

    @property
    def share(self) -> float:
        """What a redeploy sends of the package."""
        return self.redeployed / self.package

    def __str__(self) -> str:
        return (
            f"uploads: {self.ratio:.2f} of scp, sha256sum and tar ({self.ours:.1f} s over "
            f"{self.peer:.1f} s, {self.package:.0f} MB to {self.hosts} hosts); a redeploy with one "
            f"file of {FILES} changed sends {self.redeployed:.1f} MB, {self.share:.1%} of it"
        )


def measure(lab: Lab, rounds: int = ROUNDS) -> Uploads:
    """Upload to all of the lab's hosts at once, by both ways in turn."""
    with tempfile.TemporaryDirectory(prefix="changeover-bench-") as folder:
        for version in ("1.0.0", "2.0.0"):
            _build(Path(folder) / "packages" / f"web.{version}", version)
        project = Project.on(Path(folder), lab)
        loaded = arguments.environment_of(project.file, "lab", "web", None)
        with Session(loaded, scope=Scope("lab")) as opened:
            app = opened.environment.apps[0]
            first, second = (
                candidate.prepare(
                    opened.environment,
                    app,
                    Path(folder) / "packages" / f"web.{version}",
                    opened.workspace,
                )
                for version in ("1.0.0", "2.0.0")
            )
            peers = _Peer(lab, first.package)
            times: list[tuple[float, float]] = []
            for _ in range(rounds):
                peer = _timed(lab, lambda: _all(lab.hosts, peers.upload))
                with Session(loaded, scope=Scope("lab")) as unconnected:
                    ours = _timed(lab, lambda: _upload(unconnected, app.slots[0], first.package))
                times.append((ours, peer))
            said = _upload(opened, app.slots[0], second.package)
        sent = [re.fullmatch(r"\| sent ([0-9.]+) of .*", text) for text in said.values()]
        return Uploads(
            hosts=len(lab.hosts),
            ours=statistics.median(ours for ours, _ in times),
            peer=statistics.median(peer for _, peer in times),
            ratio=statistics.median(ours / peer for ours, peer in times),
            package=first.package.archive_bytes / 1_000_000,
            redeployed=max(float(match[1]) for match in sent if match),
        )


def _build(folder: Path, version: str) -> None:
    """Half of the files do not compress, the others to half; the last is the version's own."""
    folder.mkdir(parents=True)
    (folder / "web").write_bytes(b"#!/bin/sh\n")
    noise = random.Random(1)  # noqa: S311  # repeatable, not secret
    for number in range(FILES):
        last = number == FILES - 1
        source = random.Random(version) if last else noise  # noqa: S311  # the same
        half = source.randbytes(FILE_BYTES // 2)
        data = half.hex().encode() if number % 2 else half + source.randbytes(FILE_BYTES // 2)
        (folder / f"part{number:02}.bin").write_bytes(data)


def _timed(lab: Lab, act: Callable[[], object]) -> float:
    """Seconds that it takes on hosts without a release and disks at rest."""
    for host in lab.hosts:
        lab.shell(host, "rm -rf /srv/web /home/ec2-user/web.tar.gz")
    os.sync()
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _all(hosts: Iterable[LabHost], act: Callable[[LabHost], None]) -> None:
    with ThreadPoolExecutor(max_workers=HOSTS) as pool:
        list(pool.map(act, hosts))


def _upload(opened: Session, app: AppInSlot, package: Package) -> dict[str, str]:
    """The deploy's own steps; what each host was said last."""
    fleet = opened.fleet()
    said: dict[str, str] = {}
    fleet.tell = said.__setitem__

    def bring(host: Host, fleet: Fleet = fleet) -> None:
        PrepareHost(host, app).run(fleet)
        UploadRelease(host, app, package).run(fleet)

    with ThreadPoolExecutor(max_workers=len(opened.hosts)) as pool:
        list(pool.map(bring, opened.hosts))
    return said


class _Peer:
    """What one would type: copy the archive, check it, unpack it."""

    def __init__(self, lab: Lab, package: Package) -> None:
        self._archive = str(package.archive)
        self._digest = hashlib.sha256(package.archive.read_bytes()).hexdigest()
        key, known = lab.folder / "id_ed25519", lab.folder / "known_hosts"
        self._options = ["-q", "-i", str(key), "-o", f"UserKnownHostsFile={known}"]
        self._options += ["-o", "BatchMode=yes"]

    def upload(self, host: LabHost) -> None:
        """To one host."""
        who = f"ec2-user@{host.address}"
        script = (
            f"echo '{self._digest}  web.tar.gz' | sha256sum --check --quiet && "
            "sudo mkdir -p /srv/web/releases/1 && "
            "sudo tar -xzpf web.tar.gz --no-same-owner -C /srv/web/releases/1"
        )
        for words in (
            ["scp", *self._options, self._archive, f"{who}:web.tar.gz"],
            ["ssh", *self._options, who, script],
        ):
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                raise DeployError(f"the peer's upload to {host.name} failed: {done.stderr}")


def main() -> int:
    """Print the figures; 1 when one is missed."""
    try:
        with Lab.borrowed(ROOT, HOSTS, ("bookworm",), print) as lab:
            found = measure(lab)
    except DeployError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    print(found)
    return 0 if found.ratio <= MOST and found.share <= MOST_REDEPLOYED else 1


if __name__ == "__main__":
    sys.exit(main())
