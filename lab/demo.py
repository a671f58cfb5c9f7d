"""`make demo`: four hosts, a service in version 1.0.0, load, and 2.0.0 deployed under it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from deploy.errors import DeployError
from lab import packages
from lab.fleet import Lab
from lab.load import Load

ROOT = Path(__file__).parent.parent
HOSTS = 4
RATE = 150.0
HEALTHY_SECONDS = 90
OLD, NEW = "1.0.0", "2.0.0"


def say(line: str) -> None:
    """Print a line of the demo's own."""
    print(f"demo: {line}", flush=True)


def deploy(version: str, *more: str) -> None:
    """Run the command a person would type; raises DeployError with its exit code."""
    words = ["deploy", "--env", "lab", "--app", "web", "--package"]
    words += [f"packages/web.{version}.zip", *more, "--yes"]
    say(f"inv {' '.join(words)}")
    code = subprocess.run([sys.executable, "-m", "invoke", *words], cwd=ROOT, check=False)
    if code.returncode != 0:
        raise DeployError(f"`inv deploy` of {version} ended with exit code {code.returncode}")


def await_healthy(lab: Lab, group: str = "web-lab") -> None:
    """Wait until every target of the group is healthy; raises DeployError with the states."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        states = lab.health(group)
        if set(states.values()) == {"healthy"}:
            return
        time.sleep(0.5)
    raise DeployError(f"not healthy within {HEALTHY_SECONDS} s: {states}")


def run(lab: Lab) -> bool:
    """Show it on a lab that is up; returns whether nothing failed."""
    lab.reset()
    for version in (OLD, NEW):
        packages.build(ROOT / "packages", "web", version)
    deploy(OLD, "--batch", "100%")
    await_healthy(lab)
    say(f"{OLD} serves on {len(lab.hosts)} hosts; load: {RATE:g} requests/s")
    with Load(lab.url("web"), rate=RATE) as load:
        deploy(NEW)
    result = load.result
    say(f"{result}")
    for failure in result.failures[:10]:
        say(f"failed: {failure}")
    versions = f"{OLD} -> {NEW}"
    if not result.by_version.get(NEW):
        raise DeployError(f"no answer came from {NEW}: {result}")
    print(
        f"demo: {len(lab.hosts)} hosts, {versions}, {result.requests} requests, "
        f"{result.failed} failed",
        flush=True,
    )
    return result.failed == 0


def main() -> int:
    """Run the demo; 0 when no request failed. A lab that ran before is left running."""
    try:
        with Lab.borrowed(ROOT, HOSTS, say=say) as lab:
            is_clean = run(lab)
    except DeployError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
