"""The note on a host that a target of it was taken out: written before that is done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from deploy import values
from deploy.hosts.file_format import FORMAT, refuse_newer


@dataclass(frozen=True)
class Note:
    """That a target was taken out, as it is written down before it is done.

    Attributes:
        group: The target group's name; empty for a worker.
        target: The target, as `id:port`; of a worker its unit.
        at: ISO time, by the clock of the workstation.
        by: Who took it out, from where.
        run: The id of the command that did; empty in notes of format 0.
    """

    group: str
    target: str
    at: str = ""
    by: str = ""
    run: str = ""

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def parse(cls, line: str) -> Note | None:
        """What `as_line` wrote; None for anything else.

        Raises:
            BadInput: A later version of Changeover wrote it.
        """
        given = values.json_object(line)
        if given is None:
            return None
        refuse_newer(given, "the note that its target is out")
        names = ("group", "target", "at", "by", "run")
        return cls(*(str(given.get(name, "")) for name in names)) if given.get("target") else None
