"""What a step is: one intention on one host with its arguments, safe to repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from deploy.aws.inventory import Host
    from deploy.settings.app import App
    from deploy.steps.fleet import Fleet


SHOWN_DIGITS = 12
"""How many digits of a unit's digest are shown; all of them are stored and compared."""


class Step(Protocol):
    """One intention on one host; `str()` says what, `run` does it or raises DeployError."""

    @property
    def host(self) -> Host:
        """Where."""

    @property
    def app(self) -> App:
        """For which app."""

    def run(self, fleet: Fleet) -> None:
        """Do it."""


@dataclass(frozen=True)
class OnHost:
    """What every step has."""

    host: Host
    app: App
