"""A host's record of a run-once command: started or done, when, by whom. Pure."""

from __future__ import annotations

import enum
import json
from dataclasses import asdict, dataclass

from deploy import values
from deploy.hosts.file_format import FORMAT, refuse_newer


class State(enum.StrEnum):
    """How far the command came."""

    STARTED = "started"
    DONE = "done"
    SKIPPED = "skipped"
    """A person decided that it needs no run."""

    @property
    def is_over(self) -> bool:
        """Whether the release may be deployed."""
        return self is not State.STARTED


@dataclass(frozen=True)
class OnceRecord:
    """One line on a host, the same on all hosts.

    Attributes:
        state: How far it came.
        run: The id of the command that wrote it, which the unit is named for.
        host: Where it runs, by name; empty where it was skipped.
        at: ISO time, by the clock of the workstation.
        by: Who deployed, from where.
    """

    state: State
    run: str
    host: str
    at: str
    by: str

    def as_line(self) -> str:
        """One line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def parse(cls, raw: bytes) -> OnceRecord | None:
        """Parse a line of `as_line`; None for anything else.

        Raises:
            BadInput: A later version of Changeover wrote it.
        """
        given = values.json_object(raw.decode(errors="replace"))
        if given is None:
            return None
        refuse_newer(given, "the record of run_once")
        state, run, host, at, by = (
            str(given.get(name, "")) for name in ("state", "run", "host", "at", "by")
        )
        is_plain = all(values.printable(each) is not None for each in (host, at, by))
        if state not in set(State) or values.token(run) is None or not is_plain:
            return None
        return cls(State(state), run, host, at, by)

    def __str__(self) -> str:
        return f"{self.state} by {self.by} at {self.at}"
