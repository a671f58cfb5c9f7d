"""The host image: a small Debian with systemd, sshd, sudo and python3, built once per suite."""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import BadInput, DeployError
from lab.podman import PATH, as_root, podman, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUITES = {"bullseye": 247, "bookworm": 252, "trixie": 257}
"""Debian's suites, and the systemd version of each."""

VARIANTS = {"bookworm-java": ("bookworm", ("openjdk-17-jre-headless", "tomcat10-user"))}
"""A suite with more packages on its hosts, by the name that is asked for."""

PACKAGES = (
    "ca-certificates,curl,dbus,iproute2,openssh-server,procps,python3,sudo,systemd,systemd-sysv,"
    "unzip"
)
REPOSITORY = "localhost/changeover-host"
SETUP = Path(__file__).with_name("host-setup")
SCRATCH = Path("/var/tmp")  # noqa: S108  # an image is too large for a /tmp in memory
BUILD_SECONDS = 900


class SuiteUnavailable(DeployError):
    """A suite's image cannot be built here: its mirror is gone, or cannot be reached."""


def known_suite(name: str) -> str:
    """Return the name; raise BadInput naming the nearest when it is no suite of ours."""
    known = [*SUITES, *VARIANTS]
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise BadInput(f"suite {name!r} is unknown: {guess}The lab knows {', '.join(known)}")


def recipe(suite: str) -> list[str]:
    """What makes an image: mmdebstrap's words, without where they are put."""
    debian, more = VARIANTS.get(suite, (suite, ()))
    include = ",".join([PACKAGES, *more])
    return ["--mode=root", "--variant=minbase", f"--include={include}", debian]


def tag(suite: str) -> str:
    """The image's name: changes with its recipe, so an old one is never mistaken for it."""
    digest = hashlib.sha256(json.dumps(recipe(suite)).encode() + SETUP.read_bytes())
    return f"{REPOSITORY}:{suite}-{digest.hexdigest()[:12]}"


def exists(suite: str) -> bool:
    """Whether podman already holds this suite's image."""
    return podman("image", "exists", tag(suite), check=False).returncode == 0


def ensure(suite: str, say: Callable[[str], None] = lambda _: None) -> str:
    """Build the suite's image unless podman holds it, and return its name.

    Two checkouts that ask at once build it once. Raises SuiteUnavailable when the build fails.
    """
    name = tag(known_suite(suite))
    if exists(suite):
        return name
    with _alone():
        if not exists(suite):
            say(f"building the Debian host image {name} (once, about 40 s)")
            _build(suite, name)
    return name


def _build(suite: str, name: str) -> None:
    require("mmdebstrap")
    with tempfile.TemporaryDirectory(dir=SCRATCH, prefix="changeover-image-") as folder:
        # Root's apt drops its rights to download and must be able to look in here.
        Path(folder).chmod(0o755)
        archive = Path(folder, "root.tar")
        *options, debian = recipe(suite)
        hook = f"--customize-hook={SETUP}"
        command = [*as_root(), "mmdebstrap", *options, hook, debian, str(archive)]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
                env={**os.environ, "PATH": PATH},
            )
        except subprocess.TimeoutExpired as late:
            raise SuiteUnavailable(
                f"the image of Debian {suite!r} was not built within {BUILD_SECONDS} s: "
                "is Debian's mirror reachable?"
            ) from late
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if not line.startswith("I:")]
            raise SuiteUnavailable(
                f"the image of Debian {suite!r} could not be built: {' / '.join(lines[-4:])}"
            )
        podman("import", str(archive), name, timeout_seconds=BUILD_SECONDS)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold this machine's image lock; it goes with the process that dies."""
    with (SCRATCH / "changeover-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
