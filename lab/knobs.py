"""What a test can turn while the lab runs, and what the lab writes down meanwhile."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from threading import Lock
from typing import TYPE_CHECKING, Any

from deploy.errors import BadInput
from lab.zones import ZONES

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Page:
    """An HTML page, as a proxy sends one, in place of what the API would answer.

    action: of which calls, by its name or `*` for any; count: so many more; status: 200 to 599.
    """

    action: str
    count: int = 1
    status: int = 200

    @classmethod
    def of(cls, value: Any) -> Page | None:
        """Read the knob's JSON; raises BadInput where it is none of a page's, or null."""
        if value is None:
            return None
        try:
            page = cls(**value)
            if page.action and page.count >= 1 and 200 <= page.status < 600:
                return page
        except TypeError:
            pass
        raise BadInput(
            f'api_html: {value!r} is no page; give {{"action": "DescribeTargetHealth"}}, and '
            "perhaps a count from 1 and a status from 200 to 599"
        )


@dataclass
class Knobs:
    """The lab's settings of the moment; durations in seconds.

    propagation_lag_seconds    so long a deregistered target still gets new requests; not divided
    node_lag_seconds           so much longer from the nodes of these zones: {"eu-west-1c": 3}
    time_divisor               divides health check intervals, not their time limits
    delay_divisor              divides the deregistration delay
    first_check_delay_seconds  between a registration and its first health check; not divided
    describe_lag_seconds       DescribeTargetHealth answers what was true so long ago
    shifted_zone               an availability zone that traffic is shifted away from
    throttle                   ELB, EC2 and STS calls are throttled by token buckets (gate.Throttle)
    api_error                  an AWS error code that every API call is answered with
    denied                     the actions that the credentials are not allowed
    api_html                   so many calls of an action are answered with an HTML page (Page)
    api_down                   API connections are closed without an answer
    """

    propagation_lag_seconds: float = 1.0
    node_lag_seconds: dict[str, float] = field(default_factory=dict)
    time_divisor: float = 1.0
    delay_divisor: float = 1.0
    first_check_delay_seconds: float = 0.0
    describe_lag_seconds: float = 1.0
    shifted_zone: str | None = None
    throttle: bool = False
    api_error: str | None = None
    denied: tuple[str, ...] = ()
    api_html: Page | None = None
    api_down: bool = False

    def update(self, values: dict[str, Any]) -> None:
        """Set the named knobs, all or none; raises BadInput for a wrong name, type or value."""
        checked = {name: self._checked(name, value) for name, value in values.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def reset(self) -> None:
        """Every knob back to its default."""
        self.update(asdict(Knobs()))

    def as_dict(self) -> dict[str, Any]:
        """Give the knobs as JSON would have them."""
        return asdict(self)

    @staticmethod
    def _checked(name: str, value: Any) -> Any:
        known = {each.name: each.default for each in fields(Knobs)}
        if name not in known:
            raise BadInput(f"{name}: no such knob of the lab; there are {', '.join(known)}")
        if name in READERS:
            return READERS[name](value)
        if name == "shifted_zone":
            if value is None or value in ZONES:
                return value
            raise BadInput(f"{name}: {value!r} is no zone of the lab: {', '.join(ZONES)}")
        if name == "api_error":
            if value is None or (isinstance(value, str) and value.isalnum()):
                return value
            raise BadInput(f"{name}: {value!r} is no AWS error code; give one such as ExpiredToken")
        if isinstance(known[name], bool):
            return _truth(name, value)
        lowest = 0.1 if name.endswith("_divisor") else 0.0
        if not _is_seconds(value) or value < lowest:
            raise BadInput(f"{name}: {value!r} is no number of at least {lowest:g}")
        return float(value)


def _actions(value: Any) -> tuple[str, ...]:
    """Read a list of API actions; raises BadInput for anything else."""
    is_list = isinstance(value, list | tuple)
    if is_list and all(isinstance(each, str) and each.isalnum() for each in value):
        return tuple(value)
    raise BadInput(f'denied: {value!r} is no list of actions; give one such as ["RegisterTargets"]')


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _truth(name: str, value: Any) -> bool:
    """Read a knob that is on or off; raises BadInput."""
    if isinstance(value, bool):
        return value
    raise BadInput(f"{name}: {value!r} is neither true nor false")


def _node_lags(value: Any) -> dict[str, float]:
    """Read the knob's JSON: seconds by zone; raises BadInput for anything else."""
    is_mapping = isinstance(value, dict) and value.keys() <= set(ZONES)
    if is_mapping and all(_is_seconds(each) for each in value.values()):
        return {zone: float(seconds) for zone, seconds in value.items()}
    raise BadInput(
        f"node_lag_seconds: {value!r} is no mapping of the lab's zones ({', '.join(ZONES)}) to "
        'seconds of at least 0; give one such as {"eu-west-1c": 3}'
    )


READERS: dict[str, Callable[[Any], Any]] = {
    "api_html": Page.of,
    "node_lag_seconds": _node_lags,
    "denied": _actions,
}
"""What reads the JSON of knobs that are neither numbers nor truths."""


@dataclass(frozen=True)
class Event:
    """A target's step from one state to the next; `at` in unix seconds."""

    seq: int
    at: float
    group: str
    id: str
    port: int
    before: str
    after: str
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Give the event in the words of the control API, `from` and `to` among them."""
        values = asdict(self)
        values["from"], values["to"] = values.pop("before"), values.pop("after")
        return values


class Events:
    """The log of all transitions, numbered from 1."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = Lock()

    def add(self, at: float, key: tuple[str, str, int], before: str, after: str, why: str) -> None:
        """Write one transition down; the key is (group, id, port)."""
        with self._lock:
            self._events.append(Event(len(self._events) + 1, at, *key, before, after, why))

    def since(self, seq: int) -> list[Event]:
        """All events numbered above `seq`, oldest first."""
        with self._lock:
            return self._events[max(seq, 0) :]


class Calls:
    """How often each API operation was called, answered or not."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def add(self, operation: str) -> None:
        """Count one call."""
        with self._lock:
            self._counts[operation] += 1

    def counts(self) -> dict[str, int]:
        """All counts so far."""
        with self._lock:
            return dict(self._counts)

    def clear(self) -> None:
        """Begin at zero again."""
        with self._lock:
            self._counts.clear()
