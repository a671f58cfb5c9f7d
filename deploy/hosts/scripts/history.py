"""What writes down, on a host, how its part of a deploy went.

Builders of scripts, as in `base`.
"""

from __future__ import annotations

from deploy import values
from deploy.hosts.scripts.script import Script, nothing, program

HISTORY = 50


def record_out(app: str, port: int, note: str) -> Script[None]:
    """Write down, on the host, that its target is about to go out, or a worker to stop."""
    act = program("record_out", values.checked(values.name, app), int(port), note)
    return Script("writing down what is about to go out", (act,), nothing)


def record_deployed(app: str, port: int, record: str, release: str) -> Script[None]:
    """Write down what was deployed; the note that the target is out falls, and a bad mark too.

    The history's new text replaces the old one by rename; its last lines are kept. release: its
    id, or the name of a previous unit, which has no mark.
    """
    parse = values.service_name if values.service_name(release) else values.release_id
    name, marked = values.checked(values.name, app), values.checked(parse, release)
    act = program("record_deployed", name, int(port), record, marked, HISTORY - 1)
    return Script("recording the deploy", (act,), nothing)


def mark_bad(app: str, release: str, mark: str) -> Script[None]:
    """Write down that a release failed; the mark says under which unit, when, who, and why."""
    name, release_id = values.checked(values.name, app), values.checked(values.release_id, release)
    return Script("marking the release", (program("mark_bad", name, release_id, mark),), nothing)


def forget_out(app: str, port: int) -> Script[None]:
    """The target is back: the note that it is out falls."""
    act = program("forget_out", values.checked(values.name, app), int(port))
    return Script("forgetting the note", (act,), nothing)
