"""The threads of a simulated run: they take turns, in an order that can be had again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import crew

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from simulated.fate import Fate


class Crew(crew.Crew):
    """Stands in for the real one; whose turn is next is the fate's."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate
        self._left: list[Callable[[], None]] = []

    def together(self, acts: Sequence[Callable[[], None]], at_a_time: int) -> None:
        """So many of them at a time; what was begun aside meanwhile goes on with the next ones."""
        todo = iter(acts)

        def take() -> None:
            for act in todo:
                act()

        self._live([take] * min(at_a_time, len(acts)))

    def ahead(self, act: Callable[[], None]) -> None:
        """In the same thread: others that are staged take their turns between its steps."""
        act()

    def aside(self, act: Callable[[], None]) -> None:
        self._left.append(act)

    def finish(self) -> None:
        self._live([])

    def turn(self, host: str) -> AbstractContextManager[object]:
        """Nothing else happens meanwhile."""
        return self._fate.between_steps(host)

    def _live(self, acts: list[Callable[[], None]]) -> None:
        left, self._left = self._left, []
        self._fate.turns.together([*acts, *left])
        self._fate.acting = ""
