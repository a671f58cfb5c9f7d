"""Who holds an environment's lock, as it lies on the hosts."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from deploy import records
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN_ADDRESSES = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. beat: grows while the holder lives; ttl_seconds: dead without a beat."""

    token: str
    author: str
    since: str
    what: str
    run: str
    ttl_seconds: float
    beat: int = 0

    @classmethod
    def of_this_process(cls, author: str, what: str, ttl_seconds: float) -> Self:
        """A holder that nobody else can be."""
        token = uuid.uuid4().hex
        return cls(token, author, records.now(), what, run_address(os.environ), ttl_seconds)

    def public(self) -> dict[str, object]:
        """All but the token, for scripts."""
        return {key: value for key, value in asdict(self).items() if key != "token"}

    def as_line(self) -> str:
        """One line of JSON, as it lies on the hosts."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> Holder | None:
        """What `as_line` wrote; None for anything else."""
        try:
            given = json.loads(line)
            return cls(
                token=str(given["token"]),
                author=str(given["author"]),
                since=str(given["since"]),
                what=str(given["what"]),
                run=str(given["run"]),
                ttl_seconds=float(given["ttl_seconds"]),
                beat=int(given["beat"]),
            )
        except (ValueError, KeyError, TypeError):
            return None

    def __str__(self) -> str:
        run = f", {visible(self.run)}" if self.run else ""
        return f"{visible(self.what)} by {visible(self.author)} since {visible(self.since)}{run}"


def run_address(environ: Mapping[str, str]) -> str:
    """The address of the CI run that we are part of; empty outside any that is known."""
    if "GITHUB_RUN_ID" in environ:
        words = (environ.get(key, "") for key in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"))
        return "/".join((*words, "actions/runs", environ["GITHUB_RUN_ID"]))
    if "BUILD_BUILDID" in environ:  # Azure Pipelines
        base = environ.get("SYSTEM_COLLECTIONURI", "") + environ.get("SYSTEM_TEAMPROJECT", "")
        return f"{base}/_build/results?buildId={environ['BUILD_BUILDID']}"
    return next((environ[key] for key in RUN_ADDRESSES if environ.get(key)), "")


def last_line(text: str) -> str:
    """The last line that says something; before it, a shell's start-up files may speak."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
