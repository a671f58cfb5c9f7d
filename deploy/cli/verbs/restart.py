"""The plan of `restart`, from a look at the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.plan import preflight
from deploy.recovery.restarts import restart

if TYPE_CHECKING:
    from deploy.cli.arguments import Asked
    from deploy.cli.session import Session
    from deploy.plan.plan import Plan


def plan(asked: Asked, opened: Session) -> Plan:
    """Start again, host by host, the release that each host runs.

    Raises:
        BadInput: See `restart.make`.
    """
    seen = opened.survey(settled=not asked.dry_run)
    preflight.refuse_surge(opened.environment, seen)
    seen, problems = opened.vetted(seen, join=asked.join)
    return restart.make(
        opened.environment,
        seen,
        scope=opened.scope,
        problems=problems,
        allow_downtime=asked.allow_downtime,
    )
