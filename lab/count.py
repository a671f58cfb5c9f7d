"""How many targets were healthy at the least, while something happened."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from lab.fleet import Lab


class Count:
    """The least number of healthy targets that was seen, asked several times a second."""

    def __init__(self, lab: Lab, group: str = "web-lab") -> None:
        self.least = len(lab.hosts)
        self._lab, self._group = lab, group
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._ended.wait(0.2):
            states = list(self._lab.health(self._group).values())
            self.least = min(self.least, states.count("healthy"))
