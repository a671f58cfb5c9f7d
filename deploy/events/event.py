"""The types of events, as frozen values of plain data; `text` writes them. Pure.

All text in them may be foreign (a host's error, a journal's line): views make it safe to show.
No event holds a secret of ours: settings' values under `environment:` are in none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from deploy.events.planned import PlanMade
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.events.recovery import RecoveryBegan
from deploy.events.user import HoldBegan, HoldEnded, HookBegan, HookEnded

VERSION = 1
"""Of the format; a field that readers may miss, or another meaning, makes it one more."""


@dataclass(frozen=True)
class RunBegan:
    """A command that may change the fleet has the lock and begins.

    Attributes:
        version: VERSION.
        run: The command's id, 32 hex digits, which the hosts' records name too.
        tool: The version of Changeover.
        verb: The command: `deploy`, `rollback`, `repair`, `restart`, `observe`.
        environment: Of the settings.
        by: Who typed it, from where.
        command: The command as it would be typed again.
        address: Of the CI run that typed it; empty outside of CI, and where it is not known.
    """

    version: int
    run: str
    tool: str
    verb: str
    environment: str
    by: str
    command: str
    address: str = ""


@dataclass(frozen=True)
class BatchBegan:
    """A batch starts.

    Attributes:
        number: From 1.
        total: Of the plan.
        hosts: Those that begin, by name.
    """

    number: int
    total: int
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class StepBegan:
    """A step starts.

    Attributes:
        host: By name.
        app: By name.
        step: What it does, as the plan has it.
        phase: What it is part of.
        is_planned: Whether it is the plan's, not of a recovery.
        kind: What kind of step it is: `deregister_target`, `start_unit`, …
        port: Of its slot.
    """

    host: str
    app: str
    step: str
    phase: str
    is_planned: bool = True
    kind: str = ""
    port: int = 0


@dataclass(frozen=True)
class StepEnded:
    """A step ended.

    Attributes:
        host: By name.
        app: By name.
        step: What it does, as the plan has it.
        phase: What it is part of.
        seconds: Of wall time.
        health: The state of its target then, and the reason.
        error: What it failed with; empty where it did what it says.
        is_stopped: Whether the operator wanted an end while it waited, which is no error.
        is_planned: Whether it is the plan's, not of a recovery.
        kind: What kind of step it is: `deregister_target`, `start_unit`, …
        port: Of its slot.
    """

    host: str
    app: str
    step: str
    phase: str
    seconds: float
    health: str = ""
    error: str = ""
    is_stopped: bool = False
    is_planned: bool = True
    kind: str = ""
    port: int = 0


@dataclass(frozen=True)
class HostSaid:
    """What a host is doing within its step.

    Attributes:
        host: By name.
        text: One line; a line of a journal begins with `|`.
        is_remark: Whether no view may leave it out.
    """

    host: str
    text: str
    is_remark: bool = False


@dataclass(frozen=True)
class HostFailed:
    """Why a host's part failed, and what was done about it.

    Attributes:
        host: By name.
        step: Which one.
        error: In words.
        command: What the host ran; empty where that is not what failed.
        exit_code: Of the command.
        journal: The last lines of the unit's journal.
        health: The state of its target when it failed, and the reason.
        undone: The steps of the recovery, and how they ended.
        is_stop: Whether nothing failed: the rollout ended in order.
        is_of_release: Whether it is no host's fault alone, so that no further one begins.
    """

    host: str
    step: str
    error: str
    command: str = ""
    exit_code: int | None = None
    journal: tuple[str, ...] = ()
    health: str = ""
    undone: tuple[str, ...] = ()
    is_stop: bool = False
    is_of_release: bool = False


@dataclass(frozen=True)
class HostEnded:
    """A host's part is over.

    Attributes:
        host: By name.
        outcome: How it ended: `deployed`, `out of service`, …
    """

    host: str
    outcome: str


@dataclass(frozen=True)
class StopAsked:
    """The operator wants an end, in order.

    Attributes:
        signal: Its number.
    """

    signal: int


@dataclass(frozen=True)
class LockTaken:
    """Another deploy took the environment over: nothing more is changed."""


@dataclass(frozen=True)
class RunEnded:
    """It is over, and the fleet was looked at.

    Attributes:
        exit_code: Of the command.
        meaning: Of the exit code.
        seconds: Of wall time.
        outcomes: By host, corrected by the look.
        remarks: What steps said for the report.
        foreign: Registered targets that are no hosts, in words.
        appeared: Those of them that were not there when it was planned.
        defects: Errors of Changeover itself.
        next: What to type; empty where nothing is left to do.
        runs: The hosts that run each release, by app, as the look showed them.
        notes: What else the look showed, one line each.
    """

    exit_code: int
    meaning: str
    seconds: float
    outcomes: dict[str, str]
    remarks: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    appeared: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()
    next: str = ""
    runs: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


Event = (
    RunBegan
    | PlanMade
    | BatchBegan
    | StepBegan
    | StepEnded
    | HostSaid
    | RecoveryBegan
    | HostFailed
    | HostEnded
    | QuestionAsked
    | QuestionAnswered
    | HoldBegan
    | HoldEnded
    | HookBegan
    | HookEnded
    | StopAsked
    | LockTaken
    | RunEnded
)


@dataclass(frozen=True)
class Entry:
    """An event and when it happened.

    Attributes:
        at: Unix seconds, by the workstation's clock.
        event: What happened.
    """

    at: float
    event: Event
