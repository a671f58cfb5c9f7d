"""What a second plan, made while a run goes on, has for one host of the run. Pure.

A host is never retried by the first plan: its recovery may have returned it to service where it
was out before, and the first plan's steps would then stop what serves now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan


@dataclass(frozen=True)
class Replanned:
    """What the second plan does on a host.

    Attributes:
        staging: Before anything that serves is touched; at most one.
        turns: Its host plans, in order; none where it runs already what it should.
    """

    staging: tuple[HostPlan, ...]
    turns: tuple[HostPlan, ...]


def on_host(made: Plan, host: str) -> Replanned:
    """A plan's part for a host, by name; DeployError where the plan leaves that host out."""
    for other, why in made.left_out.items():
        if other.name == host:
            raise DeployError(f"{host}: {why}")
    return Replanned(
        tuple(each for each in made.staging if each.host.name == host),
        tuple(each for batch in made.batches for each in batch if each.host.name == host),
    )


def refuse_other(made: Plan, releases: Mapping[str, str]) -> None:
    """Raise DeployError where a plan has other releases than the run it is for, both by app."""
    if made.releases != releases:
        other = ", ".join(f"{app} {release}" for app, release in made.releases.items())
        raise DeployError(f"the same command would bring {other} now")
