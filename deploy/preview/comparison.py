"""A plan, compared with what hosts have: what it changes of each app."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.difference import change, moves, stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.difference.moves import Move
    from deploy.difference.stored import Host
    from deploy.plan.plan import Plan


def compared(plan: Plan, remotes: Mapping[str, Host]) -> Plan:
    """The plan with what it changes, for which some of its hosts are asked, all at once.

    Raises nothing: what a host does not show is not known.
    """
    found = _moves(plan)
    return replace(plan, changes=change.of(found, stored.of(found, remotes)))


def expected(plan: Plan) -> Plan:
    """The plan with what it changes as far as the survey knows: no host is asked."""
    return replace(plan, changes=change.of(_moves(plan)))


def _moves(plan: Plan) -> tuple[Move, ...]:
    return moves.of_steps(plan.steps, plan.running, plan.packages)
