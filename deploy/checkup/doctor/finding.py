"""A finding of `inv check`, and the list of them, in which a repeated one is kept once. Pure."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from deploy.aws import permissions
from deploy.checkup.refusals import Noted, Part
from deploy.errors import DeployError, NotAllowed
from deploy.folding import DETAIL, folded, listed, without_name
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

POLICY_REMEDY = "add it: docs/permissions.md in Changeover's repository has the policy"
MOST_SAID = 240
"""Characters of AWS's own words; those of EC2 have an encoded part of many more."""


class Level(enum.StrEnum):
    """How grave a finding is; a problem keeps a deploy from starting, or from going well."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, and the result.

    Attributes:
        part: What it is about.
        level: How grave it is.
        text: The finding in one line.
        details: Further lines, the remedy among them, each to be copied as it stands.
        said: What AWS or a host says of it, in its own words.
        hosts: The hosts that it is about, by name; none where it is about all, or about none.
    """

    part: Part
    level: Level
    text: str
    details: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    said: str = ""


class Findings:
    """All findings so far, in the order in which they came."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    @property
    def each(self) -> tuple[Finding, ...]:
        """The findings, part by part."""
        parts = list(Part)
        return tuple(sorted(self._found.values(), key=lambda each: parts.index(each.part)))

    def of(self, part: Part) -> tuple[Finding, ...]:
        """The findings about one part."""
        return tuple(each for each in self._found.values() if each.part is part)

    @property
    def has_problem(self) -> bool:
        """Whether one of them is a problem."""
        return any(each.level is Level.PROBLEM for each in self._found.values())

    def ok(self, part: Part, text: str, *details: str) -> None:
        """Note what is as it should be."""
        self._add(Finding(part, Level.OK, text, details))

    def warn(self, part: Part, text: str, *remedy: str, said: str = "") -> None:
        """Note what does not keep a deploy from starting."""
        self._add(Finding(part, Level.WARNING, text, remedy, said=said))

    def problem(self, part: Part, text: str, *remedy: str, said: str = "") -> None:
        """Note what keeps a deploy from starting, or from going well."""
        self._add(Finding(part, Level.PROBLEM, text, remedy, said=said))

    def refused(self, part: Part, error: DeployError, *, hosts: Iterable[str] = ()) -> None:
        """Note each line of an error as a problem, with the lines of details below it.

        hosts: the names of hosts; a line that begins with one is about hosts.
        """
        if isinstance(error, NotAllowed):
            self.denied(error)
            return
        names = tuple(hosts)
        for text, details in _with_details(error.args):
            about = Part.HOSTS if _is_about(text, names) else part
            self._add(Finding(about, Level.PROBLEM, text, details))

    def denied(self, error: NotAllowed, place: str = "") -> None:
        """Note a call that is not allowed; of those about Auto Scaling a deploy does without.

        place: what it is not allowed on, if it is one thing.
        """
        sids = {action: sid for sid, actions in permissions.ACTIONS.items() for action in actions}
        own = (each for each in sids if each.endswith(f":{error.action}"))
        action = next(own, error.action or "a call")
        note = self.warn if sids.get(action) == permissions.SCALING else self.problem
        said = visible(error.said, MOST_SAID)
        note(Part.AWS, f"not allowed: {action}{place}", POLICY_REMEDY, said=said)

    def of_hosts(
        self,
        problems: Mapping[str, Iterable[str]],
        *,
        level: Level = Level.PROBLEM,
    ) -> None:
        """Note what is wrong with hosts, by name: the same on several is one finding."""
        texts = {name: tuple(problems[name]) for name in sorted(problems)}
        about = _hosts_of_lines(texts)
        for text, details in _with_details(folded(texts)):
            self._add(Finding(Part.HOSTS, level, text, details, about.get(text, ())))

    def noted(self, part: Part) -> Noted:
        """Note a DeployError that ends the block as problems, and go on after it."""
        return Noted(partial(self.refused, part))

    def tolerate(self, hosts: Collection[str]) -> None:
        """Make warnings of problems of these hosts alone: a deploy goes on without them."""
        for text, each in self._found.items():
            if each.level is Level.PROBLEM and each.hosts and set(each.hosts) <= set(hosts):
                self._found[text] = replace(each, level=Level.WARNING)

    def _add(self, finding: Finding) -> None:
        """Add it, unless the same was found before: looks overlap."""
        self._found.setdefault(finding.text, finding)


def _hosts_of_lines(problems: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The hosts that each line of the folded problems is about."""
    hosts: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for name, texts in problems.items():
        for line in (line for text in texts for line in text.split("\n")):
            if not line.startswith(DETAIL):
                key = without_name(line, name)
                first.setdefault(key, line)
                hosts.setdefault(key, []).append(name)
    return {
        first[key] if len(names) == 1 else f"{listed(names)}{key}": tuple(names)
        for key, names in hosts.items()
    }


def _is_about(text: str, hosts: Iterable[str]) -> bool:
    """Whether a line is about one of these hosts, or about several of them (`folding.listed`)."""
    is_several = re.match(r"[0-9]+ hosts \(", text) is not None
    return is_several or any(without_name(text, name) != f": {text}" for name in hosts)


def _with_details(lines: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each line that is no detail, with the details below it."""
    text, details = "", list[str]()
    for line in lines:
        if line.startswith(DETAIL) and text:
            details.append(line.removeprefix(DETAIL))
            continue
        if text:
            yield text, tuple(details)
        text, details = line, []
    if text:
        yield text, tuple(details)
