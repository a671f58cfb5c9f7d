"""A plan as an event: what will be done, by batch, host and step. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PlannedStep:
    """A step of a plan.

    Attributes:
        app: By name.
        text: What it does, as the plan lists it.
        phase: What it is part of: `stage`, `drain`, `switch`, `prove`, …
        seconds: How long the settings have it wait.
        kind: What kind of step it is: `deregister_target`, `switch_release`, …
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
        in_service: How many targets serve while it is out, at the least, by target group.
        seconds: Of waiting that the settings ask for, without what is done while the next begins.
    """

    hosts: tuple[PlannedHost, ...]
    minimums: dict[str, int] = field(default_factory=dict)
    at_a_time: int = 0
    in_service: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class PlannedFiles:
    """Files of a release that are added, changed or removed.

    Attributes:
        count: How many.
        bytes: Of all of them; those of a changed file are the new ones.
        largest: The largest of them: bytes by path.
    """

    count: int = 0
    bytes: int = 0
    largest: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedChange:
    """What changes of an app, on hosts where it is the same. No value of `Environment=` is in it.

    Attributes:
        app: By name.
        hosts: By name.
        before: The release that runs or lies in its place, or the unit that is replaced; empty for
            nothing.
        after: The release that is to run there, or the unit that is returned to.
        is_sent: Whether the release does not lie there yet.
        sent_bytes: So many bytes at most are sent to each of the hosts.
        package_bytes: Of the package as it is sent to a host that has nothing of it; 0 where no
            package is deployed.
        are_files_known: Whether the files of both releases are known. If not, nothing is counted.
        added: Files of the new release alone.
        changed: Files of both, with other contents.
        removed: Files of the old release alone.
        is_unit_known: Whether the texts of both units are known.
        unit: The unified diff of the unit files, without comments: the directives that differ, and
            those around them.
    """

    app: str
    hosts: tuple[str, ...]
    before: str
    after: str
    is_sent: bool = False
    sent_bytes: int = 0
    package_bytes: int = 0
    are_files_known: bool = False
    added: PlannedFiles = field(default_factory=PlannedFiles)
    changed: PlannedFiles = field(default_factory=PlannedFiles)
    removed: PlannedFiles = field(default_factory=PlannedFiles)
    is_unit_known: bool = False
    unit: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlanMade:
    """What will be done. A rollback of finished hosts has a plan of its own, later in the run.

    Attributes:
        verb: `Deploy`, `Roll back`, `Repair`, `Restart`, `Observe`.
        title: What for, in one line.
        releases: What each app shall run.
        hosts: All that were asked for, by name.
        staging: What is done before any batch.
        batches: In order.
        in_service: How many targets serve before it, by target group.
        warnings: One line each.
        left_out: Hosts that are not touched, with the reason.
        seconds: Of waiting that the settings ask for, over all.
        environment: Of the settings.
        policy: The strategy, how many hosts go at once, and how they drain.
        targets: How many targets each target group has, or shall have.
        changes: What changes of each app, and on which hosts.
        is_of_workers: Whether it is about workers alone, which have no target group.
        before: What each app ran before, on most of the hosts where that is known.
        groups: The target groups of each app, by name.
        out: Hosts whose target is not in service before it, by target group.
        tolerated: How many hosts may fail before no further one begins.
        earlier: What its steps took in an earlier run from this workstation, in seconds by kind of
            step, by app; empty where none is kept.
        once: What one host does when all are staged, before the first batch. Where its staging
            failed, another host does it.
        notes: What is not done, and why, in a line each.
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
    environment: str = ""
    policy: str = ""
    targets: dict[str, int] = field(default_factory=dict)
    changes: tuple[PlannedChange, ...] = ()
    is_of_workers: bool = False
    before: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tolerated: int = 0
    earlier: dict[str, dict[str, float]] = field(default_factory=dict)
    once: tuple[PlannedHost, ...] = ()
    notes: tuple[str, ...] = ()
