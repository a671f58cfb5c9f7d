"""How a release goes through the fleet, as settings: batches, shares, strategy."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from deploy.settings.base import Seconds, Strict


class Batch(Strict):
    """Batch sizes: each a count or a percentage of the fleet; the last one repeats.

    A percentage rounds down and is at least 1 host (design: capacity is arithmetic).
    """

    sizes: Annotated[tuple[str, ...], Field(strict=False)]

    @classmethod
    def parse(cls, value: object) -> Batch:
        """From `1`, `"25%"` or a ramp such as `[1, "25%"]`; ValueError says what is wrong."""
        entries = value if isinstance(value, list) else [value]
        if not entries:
            raise ValueError("a ramp needs at least one batch size, such as [1, 25%]")
        return cls(sizes=tuple(cls._size(entry) for entry in entries))

    @staticmethod
    def _size(entry: object) -> str:
        text = str(entry).strip()
        if isinstance(entry, bool) or not re.fullmatch(r"-?\d+%?", text):
            raise ValueError(f"{entry!r} is no batch size; write a count (2) or a percentage (25%)")
        number, percent = int(text.rstrip("%")), text.endswith("%")
        if number < 1:
            raise ValueError(f"a batch of {text} deploys nothing; at least 1 is needed")
        if percent and number > 100:  # noqa: PLR2004 - the whole
            raise ValueError(f"{text} is more than the whole fleet; at most 100% is possible")
        return text

    def hosts(self, index: int, fleet: int) -> int:
        """How many hosts the batch with this index (from 0) holds in a fleet of this size."""
        size = self.sizes[min(index, len(self.sizes) - 1)]
        if size.endswith("%"):
            return max(1, fleet * int(size[:-1]) // 100)
        return int(size)

    def __str__(self) -> str:
        return ", ".join(self.sizes)


class Share(Strict):
    """A count of hosts or a percentage of the fleet; a percentage rounds down."""

    text: str

    @classmethod
    def parse(cls, value: object) -> Share:
        """From `2` or `"25%"`; ValueError says what is wrong."""
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"\d+%?", text):
            raise ValueError(f"{value!r} is no share; write a count (2) or a percentage (25%)")
        if text.endswith("%") and int(text[:-1]) > 100:  # noqa: PLR2004 - the whole
            raise ValueError(f"{text} is more than the whole fleet; at most 100% is possible")
        return cls(text=text)

    def hosts(self, fleet: int) -> int:
        """How many hosts of a fleet of this size it means."""
        if self.text.endswith("%"):
            return fleet * int(self.text[:-1]) // 100
        return int(self.text)

    def __str__(self) -> str:
        return self.text


class Rollout(Strict):
    """How a release goes through the fleet."""

    strategy: Literal["rolling", "surge"] = "rolling"
    """`rolling` replaces the release in place, host by host. `surge` starts the new release
    beside the old one, on the other of the app's two ports, so that capacity never drops.
    """
    batch: Batch = Batch(sizes=("1",))
    """How many hosts at a time: a count, a percentage, or a ramp such as `[1, 25%, 50%]` whose
    last entry repeats. Default with surge: `[1, 100%]`.
    """
    window: Annotated[int, Field(ge=1)] | None = None
    """How many hosts are worked on at a time, in place of `batch`: the next one starts as soon as
    one is done.
    """
    min_in_service: Share | None = None
    """How many targets stay healthy whatever happens: a count or a percentage. Default: the
    fleet less a batch.
    """
    drain: Literal["wait", "quiet"] = "wait"
    """`wait` waits for the whole deregistration delay. `quiet` ends a drain when the host's
    connections are idle.
    """
    soak_seconds: Seconds = 0.0
    """How long a batch must be healthy before the next one starts."""
    pause_after: Annotated[int, Field(ge=1)] | None = None
    """A deploy pauses after this many batches with the new release, until `inv promote` lets it go
    on or `inv abort` ends it.
    """
    pause_seconds: Annotated[float, Field(gt=0, le=86400)] | None = None
    """How long the pause lasts at most; then the deploy goes on by itself. Default: no limit."""
    on_failure: Literal["stop", "rollback"] = "stop"
    """`stop` leaves finished hosts on the new release. `rollback` returns them to the old one.
    On a terminal a person is asked first, unless `--yes` or `--on-failure` is given.
    """
    max_failures: Share = Share(text="0")
    """How many hosts may fail before the rollout stops: a count or a percentage. Each of them
    returns to its old release.
    """

    @model_validator(mode="before")
    @classmethod
    def _canary_then_all(cls, given: Any) -> Any:
        """Where capacity never drops, a canary is all that a batch is good for."""
        if not isinstance(given, dict):
            return given
        if given.get("window") is not None and "batch" in given:
            raise ValueError("window and batch exclude each other; keep one of the two")
        if given.get("window") is not None and given.get("pause_after") is not None:
            raise ValueError("a window has no batches to pause between; use batch in its place")
        if given.get("strategy") == "surge":
            return {"batch": [1, "100%"]} | given
        return given

    @field_validator("batch", mode="before")
    @classmethod
    def _batch(cls, value: object) -> object:
        return value if isinstance(value, Batch) else Batch.parse(value)

    @field_validator("min_in_service", "max_failures", mode="before")
    @classmethod
    def _share(cls, value: object) -> object:
        return value if isinstance(value, (Share, type(None))) else Share.parse(value)
