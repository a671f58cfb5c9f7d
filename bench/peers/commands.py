"""A peer's command, run to its end against the lab's hosts and API."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from lab.checkout import REGION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.fleet import Lab

LONGEST_SECONDS = 1800


def environment(lab: Lab, **more: str) -> dict[str, str]:
    """What makes boto3 speak to the lab, whatever the account of who runs the bench."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return own | {
        "AWS_ENDPOINT_URL": lab.api,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
        **more,
    }


def run(words: Sequence[str], environ: Mapping[str, str], said: str = "") -> None:
    """Run it with `said` as its stdin; raises DeployError with its last lines."""
    try:
        done = subprocess.run(
            words,
            env=environ,
            input=said,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeployError(f"{words[0]} had no end after {LONGEST_SECONDS} s") from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise DeployError(f"{words[0]} ended with exit code {done.returncode}:", *last.splitlines())
