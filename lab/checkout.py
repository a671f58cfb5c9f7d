"""A checkout's state folder `.lab/`: whose lab it is, one command at a time, and taking it down."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab import hosts as containers
from lab import process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ".lab"
REGION = "eu-west-1"


def identity(root: Path) -> str:
    """Six hex digits of the checkout's path: in the name of everything that its lab makes."""
    return hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:6]


def take_down(root: Path) -> int:
    """Remove the checkout's lab, alive or dead; returns how many hosts it had."""
    root = root.resolve()
    with alone(root):
        return clear(root)


def clear(root: Path) -> int:
    """Remove what this checkout's lab made, within `alone`; returns how many hosts it had."""
    folder = root / FOLDER
    for name in ("state.json", "server.json"):
        try:
            process.stop(int(json.loads((folder / name).read_text())["pid"]), folder)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    removed = containers.remove_all(identity(root))
    for name in ("environment.yaml", "state.json", "server.json", "spec.json"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "hosts", ignore_errors=True)
    return removed


def write_environment(folder: Path, api: str) -> None:
    """What fabric.yaml's environment `lab` includes."""
    (folder / "aws-credentials").write_text(
        "[lab]\naws_access_key_id = lab\naws_secret_access_key = lab\n"
    )
    (folder / "environment.yaml").write_text(
        f"""\
# Written by `inv lab.up`, removed by `inv lab.down`.
aws:
  region: {REGION}
  profile: lab
  endpoint_url: "{api}"
  credentials_file: "{folder / "aws-credentials"}"
ssh:
  user: ec2-user
  key_files: ["{folder / "id_ed25519"}"]
  known_hosts: ["{folder / "known_hosts"}"]
hosts: {{tags: {{Environment: lab}}}}
poll_seconds: 0.1
"""
    )


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Let one process at a time bring this checkout's lab up or down."""
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
