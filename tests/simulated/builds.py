"""What is deployed, and how each build behaves once it is started."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

import builders

from deploy.hosts.records import Record


class Kind(enum.StrEnum):
    """What happens to a build that is started."""

    GOOD = "good"
    SILENT = "never answers"
    RESTLESS = "answers, and is restarted"
    STILLBORN = "does not start"
    REJECTED = "answers on its host, unhealthy for the load balancer"
    LATE = "healthy at first"


@dataclass(frozen=True)
class Build:
    """What is deployed: a release, and the setting that its unit is rendered with."""

    release: str
    setting: int = 0

    @property
    def text(self) -> str:
        """The unit, from which `of` reads the build again."""
        return f"[Service]\n# {self.release} {self.setting}\n"

    @property
    def digest(self) -> str:
        return builders.unit(text=self.text).digest

    @property
    def record(self) -> Record:
        return Record(self.release, self.digest)

    @classmethod
    def of(cls, text: str) -> Build:
        """The build that a unit was rendered for."""
        words = text.split()
        return cls(words[2], int(words[3]))


def release(number: int) -> str:
    """A release id that tells the number, of one digit."""
    return f"{number}.0.0-" + "0123456789abcdef"[number] * 12


OLDER, OLD, LAST = (Build(release(number)) for number in (1, 2, 9))
OFFERED = (Build(release(3)), Build(release(3), 1), Build(release(4)), replace(OLD, setting=1))
"""What commands deploy: two releases, one with two settings, and the old one with a new setting."""
