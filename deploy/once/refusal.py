"""The message about a run-once command that was started and is not known to be done. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import BadInput, Unreachable
from deploy.hosts.once import scripts

if TYPE_CHECKING:
    from deploy.hosts.once.evidence import Evidence
    from deploy.hosts.once.record import OnceRecord
    from deploy.settings.scope import Scope
    from deploy.survey.slot import UnitState

RUNNING = frozenset({"activating", "deactivating", "reloading"})
"""The states of a unit that has not ended (org.freedesktop.systemd1(5), ActiveState)."""
ANSWERS = ("again", "skip")
"""What `--run-once` takes."""


@dataclass(frozen=True)
class Begun:
    """A command that was started for a release.

    Attributes:
        app: By name.
        release: The release's id.
        command: As in the settings.
        record: What most hosts show.
        unit_state: Of its unit on its host, now; None where the host does not answer.
    """

    app: str
    release: str
    command: str
    record: OnceRecord
    unit_state: UnitState | None

    @property
    def is_running(self) -> bool:
        """Whether it is known to run at this moment."""
        return self.unit_state is not None and self.unit_state.active in RUNNING

    @property
    def unit_name(self) -> str:
        """The unit that runs it."""
        return scripts.unit_name(self.app, self.record.run)


def still_running(begun: Begun) -> BadInput:
    """Refuse a deploy while the command runs, whatever was answered."""
    return BadInput(
        f"{_what(begun)} still runs on {begun.record.host}: {begun.record}",
        f"its output: {_journal(begun)}",
        "wait for its end and deploy again; or end it there first: "
        f"sudo systemctl stop {begun.unit_name}",
    )


def unanswered(begun: Begun, scope: Scope) -> BadInput:
    """Refuse a deploy that has to ask whether the command is run again."""
    again, skip = (scope.command("deploy", *scope.more, "--run-once", each) for each in ANSWERS)
    return BadInput(
        f"{_what(begun)} was begun on {begun.record.host} and is not known to have ended well: "
        f"{begun.record}; {_seen(begun)}",
        f"its output: {_journal(begun)}",
        f"run it again: {again}",
        f"or, where it did its work or none is needed: {skip}",
    )


def unknown(environment: str, evidence: Evidence) -> Unreachable:
    """Refuse a deploy that cannot know whether the command was started."""
    why = "; ".join(evidence.silent[name] for name in sorted(evidence.silent))
    return Unreachable(
        f"{environment}: whether run_once ran is known where a majority of its {evidence.size} "
        f"hosts answers: {why}; try again"
    )


def answered(text: str | None) -> None:
    """Raise BadInput for what `--run-once` does not take; None where it was not typed."""
    if text is not None and text not in ANSWERS:
        raise BadInput(f"--run-once {text}: write {' or '.join(ANSWERS)}")


def _what(begun: Begun) -> str:
    return f"{begun.app}: `{begun.command}` of {begun.release}"


def _journal(begun: Begun) -> str:
    return shlex.join(("ssh", begun.record.host, "sudo", "journalctl", "-u", begun.unit_name))


def _seen(begun: Begun) -> str:
    """What its host shows of it now."""
    state = begun.unit_state
    if state is None:
        return "its host does not answer, so it may still run"
    if state.active == "active":
        return "its host shows that it ended well"
    if state.active == "failed":
        return f"its host shows that it failed (exit status {state.exit_status})"
    return "its host no longer knows how it ended"
