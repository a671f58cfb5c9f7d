"""The part of a terminal that is drawn again and again."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Self, cast

from rich.file_proxy import FileProxy
from rich.live import Live

from deploy.screen.streams import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType


class Region:
    """The part of a terminal that is drawn again and again; whatever is printed goes above it."""

    def __init__(
        self, render: Callable[[], RenderableType], console: Console, times_a_second: float = 4
    ) -> None:
        self._console = console
        # Rich's own redirection would read foreign escapes as styles: ours guards before.
        self._live = Live(
            get_renderable=render,
            console=console,
            refresh_per_second=times_a_second,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def is_drawn(self) -> bool:
        """Whether it is on the screen."""
        return self._live.is_started

    def refresh(self) -> None:
        """Draw it now, where it is drawn at all."""
        if self.is_drawn:
            self._live.refresh()

    def __enter__(self) -> Self:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Guarded) and stream.is_terminal:
                stream.target = FileProxy(self._console, cast("IO[str]", stream.direct))
        try:
            self._live.start(refresh=True)
        except BaseException:  # Ctrl-C, while it is drawn first
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Guarded):
                stream.target = stream.direct
