"""`make bench`: a rolling deploy of four hosts against its limit, and the time of `inv --list`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from lab import packages
from lab.fleet import Lab
from lab.load import Load

ROOT = Path(__file__).parent.parent
HOSTS = 4
RATE = 150
DELAY_SECONDS = 10.0
PROVE_SECONDS = 4.0
START_SECONDS = 1.0
PACKAGE_MB = 20
MOST = 1.10
LIST_ROUNDS = 9
LIST_MOST = 1.5
# systemd's catalogue of messages: a unit begins to stop, and has stopped.
STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"
STOPPED = "9d1aaa27d60140bd96365438aad20286"

SETTINGS = """\
deploy:
  apps:
    web:
      package: packages/web.*.zip
      command: web --port {{port}}
      ports: [5000]
      target_group: web-lab
      longest_request_seconds: 5
      prove_seconds: {prove:g}
  environments:
    lab:
      from: {environment}
      propagation_seconds: 2
      rollout: {{batch: 1}}
"""


@dataclass(frozen=True)
class Rolling:
    """One rolling deploy; all in seconds, the parts of the limit summed over the batches."""

    wall: float
    delay: float
    prove: float
    stop: float
    start: float
    healthy: float
    requests: int
    failed: int

    @property
    def limit(self) -> float:
        """What the settings and the systems ask for; nobody who keeps them can be faster."""
        return self.delay + self.prove + self.stop + self.start + self.healthy

    @property
    def ratio(self) -> float:
        """Wall time over the limit."""
        return self.wall / self.limit

    def __str__(self) -> str:
        return (
            f"rolling: {self.ratio:.2f} of the limit ({self.wall:.1f} s over {self.limit:.1f} s: "
            f"delay {self.delay:.0f}, prove {self.prove:.0f}, stop {self.stop:.1f}, start "
            f"{self.start:.0f}, healthy {self.healthy:.1f}), {self.requests} requests, "
            f"{self.failed} failed"
        )


def deploy(settings: Path, version: str, *more: str) -> float:
    """Run the command a person would type; its wall time in seconds."""
    words = ["deploy", "--env", "lab", "--package", version, "--yes", *more]
    words += ["--settings", str(settings)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DeployError(f"the deploy of {version} failed:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began


def rolling(lab: Lab, folder: Path) -> Rolling:
    """Install 1.0.0, then measure 2.0.0 under load."""
    lab.reset()
    settings = folder / "fabric.yaml"
    environment = lab.folder / "environment.yaml"
    settings.write_text(SETTINGS.format(prove=PROVE_SECONDS, environment=environment))
    for version in ("1.0.0", "2.0.0"):
        packages.build(
            folder / "packages", "web", version, size_mb=PACKAGE_MB, start_seconds=START_SECONDS
        )
    deploy(settings, "1.0.0", "--batch", "100%")
    seen = lab.events()[-1]["seq"]
    with Load(lab.url("web"), rate=RATE) as load:
        wall = deploy(settings, "2.0.0")
    return Rolling(
        wall=wall,
        delay=HOSTS * DELAY_SECONDS,
        prove=HOSTS * PROVE_SECONDS,
        stop=sum(stop_seconds(lab, host.name) for host in lab.hosts),
        start=HOSTS * START_SECONDS,
        healthy=healthy_seconds(lab, seen),
        requests=load.result.requests,
        failed=load.result.failed,
    )


def stop_seconds(lab: Lab, host: str) -> float:
    """How long the unit's last stop took, by systemd's own entries in the journal.

    Not by the unit's timestamps: systemd forgets them when it unloads a stopped unit.
    """
    entry = "journalctl --output export --lines 1 UNIT=web@5000.service MESSAGE_ID={} "
    times: list[int] = []
    for message in (STOPPING, STOPPED):
        told = lab.shell(host, entry.format(message) + "| grep -a ^__MONOTONIC_TIMESTAMP=")
        times.append(int(told.partition("=")[2]))
    began, ended = times
    return (ended - began) / 1_000_000


def healthy_seconds(lab: Lab, since: int) -> float:
    """From registered to healthy, summed over the targets, by the lab's log."""
    registered: dict[str, float] = {}
    total = 0.0
    for event in lab.events(since):
        if event["group"] == "web-lab" and event["to"] == "initial":
            registered[event["id"]] = event["at"]
        if event["group"] == "web-lab" and event["to"] == "healthy":
            total += event["at"] - registered.pop(event["id"])
    return total


def list_ratio() -> tuple[float, float]:
    """Median time of `inv --list` here, and of the same with an empty tasks.py; in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tasks.py").write_text(
            "from invoke import task\n\n\n@task\ndef nothing(_):\n    pass\n"
        )
        times: dict[Path, list[float]] = {ROOT: [], Path(folder): []}
        for _ in range(LIST_ROUNDS):
            for place, found in times.items():
                began = time.monotonic()
                words = [sys.executable, "-m", "invoke", "--list"]
                subprocess.run(words, cwd=place, check=True, capture_output=True)
                found.append(time.monotonic() - began)
    return statistics.median(times[ROOT]), statistics.median(times[Path(folder)])


def main() -> int:
    """Print each figure; 1 when one is missed or a request failed."""
    try:
        with (
            Lab.borrowed(ROOT, HOSTS, ("bookworm",), print) as lab,
            tempfile.TemporaryDirectory() as folder,
        ):
            found = rolling(lab, Path(folder))
    except DeployError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code
    ours, empty = list_ratio()
    print(found)
    print(f"inv --list: {ours / empty:.2f} of an empty tasks.py ({ours:.2f} s over {empty:.2f} s)")
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    figures = found.__dict__ | {"limit": found.limit, "ratio": found.ratio, "list": ours / empty}
    (results / "rolling.json").write_text(json.dumps(figures, indent=2) + "\n")
    reached = found.ratio <= MOST and ours / empty <= LIST_MOST and found.failed == 0
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
