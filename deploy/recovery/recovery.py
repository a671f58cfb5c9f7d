"""A recovery as data: the steps for a host whose plan stopped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.steps.base import Step


@dataclass(frozen=True)
class Recovery:
    """The recovery steps after a host plan stopped, and whether all its apps serve afterwards.

    at_once: to be done first, since they put back in what never stopped to run; leaves: whether
    a slot beside the one that serves is left as it is, with what runs there.
    """

    at_once: tuple[Step, ...]
    then: tuple[Step, ...]
    serves: bool
    leaves: bool = False

    @classmethod
    def joined(cls, parts: Iterable[Recovery]) -> Recovery:
        """Several recoveries as one, in their order."""
        every = tuple(parts)
        return cls(
            tuple(step for each in every for step in each.at_once),
            tuple(step for each in every for step in each.then),
            serves=all(each.serves for each in every),
            leaves=any(each.leaves for each in every),
        )

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of them, in order."""
        return (*self.at_once, *self.then)
