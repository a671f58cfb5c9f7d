"""A host's records of an app: what was deployed, by which run, what a rollback finds. Pure."""

from __future__ import annotations

import enum
import getpass
import json
import os
import platform
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy import __version__, ci_system, values
from deploy.hosts.file_format import FORMAT, WITH_PREVIOUS, refuse_newer

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(enum.StrEnum):
    """Why a release was put in service.

    DEPLOY: by a package, or by a repair of a deploy. ROLLBACK: it took the place of a later one.
    """

    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Record:
    """A release that was deployed on a slot: proven, and found healthy by the load balancer.

    Attributes:
        release: The release's id, or the name of the previous unit where that was returned to.
        unit_digest: The digest of the unit it ran under; empty for a previous unit.
        at: ISO time, by the clock of the workstation.
        by: Who deployed it, from where.
        run: The id of the command that did it, 32 hex digits; empty in lines of format 0.
        kind: Why it was put in service.
        tool_version: The version of Changeover that did it; empty in older lines.
    """

    release: str
    unit_digest: str
    at: str = ""
    by: str = ""
    run: str = ""
    kind: Kind = Kind.DEPLOY
    tool_version: str = __version__

    @classmethod
    def of_previous(cls, unit_name: str) -> Record:
        """The record of a previous unit, which no deploy of ours has started."""
        return cls(unit_name, "", kind=Kind.ROLLBACK)

    @property
    def is_previous(self) -> bool:
        """Whether it names a previous unit in place of a release."""
        return is_previous(self.release)

    @property
    def version(self) -> str:
        """The release's version, without its digest."""
        return self.release.rpartition("-")[0]

    @property
    def kept(self) -> str:
        """The name under which the host keeps the unit, beside those of other releases."""
        return f"{self.release}.{self.unit_digest}"

    def as_line(self) -> str:
        """One line of JSON."""
        body = {
            "format": WITH_PREVIOUS if self.is_previous else FORMAT,
            "release": self.release,
            "unit": self.unit_digest,
            "at": self.at,
            "by": self.by,
            "run": self.run,
            "kind": str(self.kind),
            "tool_version": self.tool_version,
        }
        return json.dumps(body)

    @classmethod
    def parse(cls, line: str) -> Record | None:
        """Parse a line of `as_line`; None for anything else, such as a line cut short by a crash.

        Raises:
            BadInput: A later version of Changeover wrote the line.
        """
        given = values.json_object(line)
        if given is None:
            return None
        refuse_newer(given, "a record of its deploys", WITH_PREVIOUS)
        names = ("release", "unit", "at", "by", "run", "kind", "tool_version")
        texts = {key: given.get(key, "") for key in names}
        if not all(isinstance(text, str) for text in texts.values()):
            return None
        found = {key: str(text) for key, text in texts.items()}
        is_known = (
            _is_release(found["release"], found["unit"])
            and values.printable(found["at"]) is not None
            and values.printable(found["by"]) is not None
            and values.printable(found["tool_version"]) is not None
            and (not found["run"] or values.token(found["run"]))
            and (not found["kind"] or found["kind"] in set(Kind))
        )
        if not is_known:
            return None
        kind = Kind(found.pop("kind") or Kind.DEPLOY)
        return cls(unit_digest=found.pop("unit"), **found, kind=kind)


def is_previous(release: str) -> bool:
    """Whether this names a previous unit in place of a release."""
    return values.service_name(release) is not None


def _is_release(release: str, unit_digest: str) -> bool:
    """Whether a record's values match their grammar."""
    if is_previous(release):
        return not unit_digest
    return None not in {values.release_id(release), values.unit_digest(unit_digest)}


def new_run() -> str:
    """An id for a command, 32 hex digits."""
    return uuid.uuid4().hex


def now() -> str:
    """The time for a record, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def author(environ: Mapping[str, str] = os.environ) -> str:
    """The person who deploys: who triggered the CI run; elsewhere the user and the workstation."""
    if person := ci_system.person(environ):
        return person
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{platform.node()}"
