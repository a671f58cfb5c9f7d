"""The note on a host that one of its targets is out, written before the target is deregistered."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.file_format import FORMAT, refuse_newer

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Note:
    """The note that a target is taken out, written before that is done.

    Attributes:
        group: The target group's name; empty for a worker.
        target: The target, as `id:port`; of a worker its unit.
        at: ISO time, by the clock of the workstation.
        by: Who took it out, from where.
        run: The id of the command that did; empty in notes of format 0.
        zones: By the group's name, the availability zone that the target was registered with,
            where AWS gives one. AWS forgets it, and wants it to take back an address of another
            VPC.
    """

    group: str
    target: str
    at: str = ""
    by: str = ""
    run: str = ""
    zones: Mapping[str, str] = field(default_factory=dict)

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def parse(cls, line: str) -> Note | None:
        """Parse a line of `as_line`; None for anything else.

        Raises:
            BadInput: A later version of Changeover wrote it.
        """
        given = values.json_object(line)
        if given is None:
            return None
        refuse_newer(given, "the note that its target is out")
        if not given.get("target"):
            return None
        group, target, at, by, run = (
            str(given.get(name, "")) for name in ("group", "target", "at", "by", "run")
        )
        return cls(group, target, at, by, run, _zones(given.get("zones")))


def _zones(given: object) -> dict[str, str]:
    """Those that match their grammar; a host cannot have others sent to AWS."""
    listed = given if isinstance(given, dict) else {}
    found = ((str(name), values.zone(str(zone))) for name, zone in listed.items())
    return {name: zone for name, zone in found if zone}
