"""The event that a plan is: what will be done, by batch, host and step. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PlannedStep:
    """A step of a plan.

    Attributes:
        app: By name.
        text: What it does, as the dry run prints it.
        phase: What it is part of: `stage`, `drain`, `switch`, `prove`, …
        seconds: How long the settings have it wait.
        kind: Its type: `DeregisterTarget`, `StartUnit`, …
    """

    app: str
    text: str
    phase: str
    seconds: float
    kind: str = ""


@dataclass(frozen=True)
class PlannedHost:
    """One host's part.

    Attributes:
        host: By name.
        steps: In order.
        after: What is done while the next batch begins.
    """

    host: str
    steps: tuple[PlannedStep, ...]
    after: tuple[PlannedStep, ...] = ()


@dataclass(frozen=True)
class PlannedBatch:
    """Hosts that go together.

    Attributes:
        hosts: Their parts.
        minimums: How many targets stay in service meanwhile, by target group.
        at_a_time: So many hosts at once; 0 for all of them.
    """

    hosts: tuple[PlannedHost, ...]
    minimums: dict[str, int] = field(default_factory=dict)
    at_a_time: int = 0


@dataclass(frozen=True)
class PlanMade:
    """What will be done. A rollback of finished hosts has a plan of its own, later in the run.

    Attributes:
        verb: `Deploy`, `Roll back`, `Repair`, `Observe`.
        title: What for, in one line.
        releases: What each app shall run.
        hosts: All that were asked for, by name.
        staging: What is done before any batch.
        batches: In order.
        in_service: How many targets serve before it, by target group.
        warnings: One line each.
        left_out: Hosts that are not touched, with the reason.
        seconds: Of waiting that the settings ask for, over all.
        before: What each app ran before, on most of the hosts where that is known.
        groups: The target groups of each app, by name.
        out: Hosts whose target is not in service before it, by target group.
        tolerated: How many hosts may fail before no further one begins.
        environment: Of the settings.
    """

    verb: str
    title: str
    releases: dict[str, str]
    hosts: tuple[str, ...]
    staging: tuple[PlannedHost, ...]
    batches: tuple[PlannedBatch, ...]
    in_service: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    before: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tolerated: int = 0
    environment: str = ""
