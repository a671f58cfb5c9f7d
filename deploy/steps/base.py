"""The type of a step: one action on one host with its arguments, safe to repeat."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.clock import Clock
    from deploy.settings.app import AppInSlot
    from deploy.steps.fleet import Fleet


ASK_SECONDS, ASK_SHARE = 0.05, 0.05
"""Between two questions at least, and as a share of the time that a start took so far: one that is
slow is not slowed by questions.
"""
NO_TIME = "no answer: there was no time to ask"
"""What an answer is called before there was one."""
SHOWN_DIGITS = 12
"""How many digits of a unit's digest are shown; all of them are stored and compared."""


class Phase(enum.Enum):
    """The phases of a host's plan, in their order."""

    STAGE = "stage"
    DRAIN = "drain"
    SWITCH = "switch"
    PROVE = "prove"
    CHECK = "health check"
    SOAK = "soak"
    SMOKE = "smoke tests"
    RECORD = "record"

    @property
    def is_in_turn(self) -> bool:
        """Whether the apps of a host go through it one after the other; else they overlap."""
        return self in {Phase.SWITCH, Phase.PROVE}


class Step(Protocol):
    """One intention on one host; `str()` says what, `run` does it or raises DeployError."""

    phase: ClassVar[Phase]
    is_beside: ClassVar[bool]
    is_entry: ClassVar[bool]
    asks_proxy: ClassVar[bool]

    @property
    def host(self) -> Host:
        """Where."""

    @property
    def app(self) -> AppInSlot:
        """For which app, in which slot."""

    def run(self, fleet: Fleet) -> None:
        """Do it.

        Raises:
            DeployError: It could not be done; `Stopped` where the operator wants an end.
        """

    def estimated_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """How long the settings have it wait; groups: the target groups of its app."""

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """How long the settings let it take at most, whether it fails then or not."""


@dataclass(frozen=True)
class OnHost:
    """The fields that every step has.

    Attributes:
        phase: What the step is part of.
        is_beside: Whether it touches only the slot that does not serve, of an app that has two.
        is_entry: Whether it registers the target, or records that this is done.
        asks_proxy: Whether it asks the proxy that several apps are behind.
        host: Where it is done.
        app: The app, in the slot that it is about.
    """

    phase: ClassVar[Phase]
    is_beside: ClassVar[bool] = False
    is_entry: ClassVar[bool] = False
    asks_proxy: ClassVar[bool] = False

    host: Host
    app: AppInSlot

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports by which requests reach the app: behind a proxy, its own one too."""
        return tuple(dict.fromkeys((self.app.target_port, self.app.port)))

    def estimated_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long the settings have it wait: nothing, unless a step says otherwise."""
        del groups
        return 0.0

    def longest_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it may take at most: its wait, unless a step says otherwise."""
        return self.estimated_seconds(groups)


@dataclass(frozen=True)
class Timed(OnHost):
    """A step that waits for as long as the settings say.

    Attributes:
        seconds: For how long.
    """

    seconds: float

    def estimated_seconds(self, groups: Sequence[TargetGroup]) -> float:
        """Return how long it waits, whatever its groups say."""
        del groups
        return self.seconds


def pause_asking(clock: Clock, began: float) -> None:
    """Wait between two questions to an app whose start began then, by the clock."""
    clock.sleep(max(ASK_SECONDS, ASK_SHARE * (clock.monotonic() - began)))
