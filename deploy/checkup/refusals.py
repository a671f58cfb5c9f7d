"""Problems that do not depend on each other, as one error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.errors import BadInput, DeployError
from deploy.folding import folded
from deploy.plan import exclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.plan.exclusion import Problems
    from deploy.survey.facts import Survey


class Refusals:
    """What was found wrong so far; true where something was."""

    def __init__(self) -> None:
        self._errors: list[DeployError] = []
        self._of_hosts: Problems = {}

    def __bool__(self) -> bool:
        """Whether something is wrong."""
        return bool(self._errors or self._of_hosts)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep an error of ours that ends this block, once if it comes twice, and go on."""
        try:
            yield
        except DeployError as error:
            if error.args not in [each.args for each in self._errors]:
                self._errors.append(error)

    def of_hosts(self, *problems: Mapping[str, Iterable[str]]) -> None:
        """Keep problems of hosts, by name; each begins with the host's name."""
        self._of_hosts = exclusion.joined(self._of_hosts, *problems)

    def unread(self, seen: Survey) -> None:
        """Keep why hosts could not be read."""
        self.of_hosts(one_each(seen.unreachable))

    def raise_all(self) -> None:
        """Raise what was kept: a single error as it is, several as one BadInput with all lines."""
        match self._errors:
            case []:
                if self._of_hosts:
                    raise BadInput(*folded(self._of_hosts))
            case [one] if not self._of_hosts:
                raise one
            case [first, *_]:
                lines = [line for error in self._errors for line in error.args]
                raise BadInput(*lines, *folded(self._of_hosts)) from first


def one_each(reasons: Mapping[str, str]) -> Problems:
    """Return hosts' problems of which each has but one, by name."""
    return {name: (why,) for name, why in reasons.items()}
