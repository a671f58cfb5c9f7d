"""Collects problems that do not depend on each other, and raises them as one error."""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from deploy.errors import BadInput, DeployError
from deploy.folding import folded
from deploy.plan import exclusion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from deploy.plan.exclusion import Problems
    from deploy.survey.facts import Survey


class Part(enum.StrEnum):
    """The subject of a problem, in the order in which subjects are checked."""

    AWS = "AWS"
    BALANCER = "load balancer"
    HOSTS = "hosts"
    DEPLOY = "deploy"


class Refusal(NamedTuple):
    """A problem that was met.

    Attributes:
        part: What it is about.
        error: The error that it is.
    """

    part: Part
    error: DeployError


class Noted:
    """A block whose DeployError is kept instead of raised."""

    def __init__(self, keep: Callable[[DeployError], object]) -> None:
        """`keep` gets the error that ends the block."""
        self._keep = keep

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        """Whether the block ended with a DeployError."""
        if not isinstance(error, DeployError):
            return False
        self._keep(error)
        return True


class Refusals:
    """The problems that were found so far; true if there are any."""

    def __init__(self) -> None:
        self._refusals: list[Refusal] = []
        self._of_hosts: Problems = {}

    def __bool__(self) -> bool:
        """Whether something is wrong."""
        return bool(self._refusals or self._of_hosts)

    @property
    def each(self) -> tuple[Refusal, ...]:
        """The errors that were kept, without problems of single hosts."""
        return tuple(self._refusals)

    def noted(self, part: Part = Part.DEPLOY) -> Noted:
        """Keep a DeployError that ends the block, once if it comes twice, and go on."""
        return Noted(partial(self._refused, part))

    def _refused(self, part: Part, error: DeployError) -> None:
        if error.args not in [each.error.args for each in self._refusals]:
            self._refusals.append(Refusal(part, error))

    def of_hosts(self, *problems: Mapping[str, Iterable[str]]) -> None:
        """Keep problems of hosts, by name; each begins with the host's name."""
        self._of_hosts = exclusion.joined(self._of_hosts, *problems)

    def unread(self, seen: Survey) -> None:
        """Keep why hosts could not be read."""
        self.of_hosts(one_each(seen.unreachable))

    def raise_all(self) -> None:
        """Raise what was kept: a single error as it is, several as one BadInput with all lines."""
        errors = [each.error for each in self._refusals]
        known = {str(error) for error in errors}
        # What is wrong with the settings of all connections was met at each host again.
        own = {name: [t for t in texts if t not in known] for name, texts in self._of_hosts.items()}
        of_hosts = folded(own)
        match errors:
            case []:
                if of_hosts:
                    raise BadInput(*of_hosts)
            case [one] if not of_hosts:
                raise one
            case [first, *_]:
                lines = [line for error in errors for line in error.args]
                raise BadInput(*lines, *of_hosts) from first


def one_each(reasons: Mapping[str, str]) -> Problems:
    """Return hosts' problems of which each has but one, by name."""
    return {name: (why,) for name, why in reasons.items()}
