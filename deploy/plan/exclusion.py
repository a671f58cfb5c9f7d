"""Decides which hosts are left out of a command, each as one failure of the policy. Pure.

A host that cannot be read or is unfit costs its own part and nothing else: the others go on
within `max_failures`, and beyond it the command is refused with the words that leave it out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.folding import folded, short
from deploy.foreign_text import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey

Problems = dict[str, tuple[str, ...]]
"""What is wrong with hosts, by name: sentences that begin with the host's name."""


def joined(*parts: Mapping[str, Iterable[str]]) -> Problems:
    """The problems of several checks as one."""
    found: dict[str, list[str]] = {}
    for part in parts:
        for name, problems in part.items():
            found.setdefault(name, []).extend(problems)
    return {name: tuple(problems) for name, problems in found.items() if problems}


def leave_out(
    environment: Environment,
    survey: Survey,
    problems: Mapping[str, tuple[str, ...]],
    scope: Scope,
    *,
    any_number: bool = False,
) -> Survey:
    """The survey without the hosts that could not be read or have a problem.

    Args:
        environment: Its policy says how many hosts may fail.
        survey: All hosts that were asked for.
        problems: What is wrong with hosts that could be read.
        scope: What the command was asked for, for the words that leave the hosts out.
        any_number: Whether there is no limit, since the command exists for broken fleets.

    Raises:
        BadInput: More hosts than the policy lets fail, or no host would be left.
    """
    unread = {name: (why,) for name, why in survey.unreachable.items()}
    reasons = joined({host.name: (why,) for host, why in survey.left_out.items()}, unread, problems)
    if not reasons:
        return survey
    everyone = {host.name: host for host in survey.everyone}
    kept = tuple(facts for facts in survey.hosts if facts.host.name not in reasons)
    tolerated = environment.rollout.max_failures.hosts(len(everyone))
    left_out = [everyone[name].typed for name in sorted(reasons)]
    if not kept or (len(reasons) > tolerated and not any_number):
        raise BadInput(*listed(reasons), _remedy(left_out, len(kept), tolerated, scope))
    left: dict[Host, str] = {
        everyone[name]: short("\n".join(texts))
        .replace(f"; {name}: ", "; ")
        .removeprefix(f"{name}: ")
        for name, texts in sorted(reasons.items())
    }
    return replace(survey, hosts=kept, unreachable={}, left_out=left)


def listed(reasons: Problems) -> tuple[str, ...]:
    """The lines of all hosts' problems; the same problem of several hosts is one."""
    return folded(dict(sorted(reasons.items())))


def _remedy(left_out: Sequence[str], kept: int, tolerated: int, scope: Scope) -> str:
    """What to type; nothing is left out where no host would be left."""
    if not kept:
        return "No host is left for this command: repair at least one of them first."
    names = word(",".join(left_out))
    count = f"{len(left_out)} host{'s' if len(left_out) > 1 else ''}"
    return (
        f"{count} cannot take part, and max_failures tolerates {tolerated}. Repair first, or "
        f"leave out with --skip-host {names}: {scope.without(left_out).again()}"
    )
