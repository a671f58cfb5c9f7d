"""The commands to type for an environment in which not all is well. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import visible
from deploy.hosts.lock.watch import Life
from deploy.hosts.records import is_previous

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.screen.fleet.lock_seen import HolderSeen
    from deploy.screen.fleet.row import Row
    from deploy.settings.scope import Scope


def next_step(  # noqa: PLR0911 - one return for each case
    scope: Scope,
    rows: Sequence[Row],
    holders: Sequence[HolderSeen],
    *,
    is_mixed: bool,
    has_unknown: bool,
) -> str:
    """Return one line: why, and the command; empty where nothing is left to do.

    Args:
        scope: What the status was asked for.
        rows: Of the environment.
        holders: Who holds its lock.
        is_mixed: Whether an app runs in more than one release.
        has_unknown: Whether targets get requests that are no hosts, and are not accepted.
    """
    held = next((each for each in holders if each.is_proven), None)
    if held and held.life is not Life.GONE:
        return _locked(scope, held)
    if unread := [row.host for row in rows if not row.is_readable]:
        first = ", ".join(map(visible, dict.fromkeys(unread[:3])))
        return f"repair what keeps {first} from being read, then: {scope.again()}"
    if out := [row for row in rows if row.is_out]:
        return _out(scope, out)
    if is_mixed:
        back = scope.command("rollback")
        return f"take all hosts forward: {_deploy(scope, rows)}; or all of them back: {back}"
    if has_unknown:
        return "add the targets that are no hosts to `hosts:`, or deregister them"
    if any(row.is_before_first for row in rows):
        return f"the first deploy: {scope.command('deploy', '--dry-run')}"
    if not all(row.is_well for row in rows):
        return f"deploy again what was deployed: {_deploy(scope, rows)}"
    return ""


def _locked(scope: Scope, held: HolderSeen) -> str:
    if held.life is Life.DEAD:
        return f"recover what the dead deploy left: {scope.command('repair')}"
    if held.life is Life.ALIVE:
        return f"follow that deploy until it ends: {scope.command('watch')}"
    return f"see whether that deploy lives: {scope.command('lock.status')}"


def _out(scope: Scope, out: Sequence[Row]) -> str:
    """What returns hosts to service, by what took them out."""
    if all(row.is_new for row in out):
        is_left = any(row.is_unproven for row in out)
        end = f"; or only stop what was left: {scope.command('repair')}" if is_left else ""
        return f"the first deploy: {scope.command('deploy', '--dry-run')}{end}"
    if all(row.is_out_by_hand for row in out):
        join = scope.command("deploy", "--join")
        return f"they were taken out by hand; put them back: {join}"
    return f"return them to service: {scope.command('repair')}"


def _deploy(scope: Scope, rows: Sequence[Row]) -> str:
    """The deploy of what the fleet is on, of the first app that is not as it should be."""
    row = next((each for each in rows if not each.is_well or each.is_behind), rows[0])
    release = row.expected or row.recorded
    version = "" if is_previous(release) else release.rpartition("-")[0]
    own = scope.of_app(row.app) if len({each.app for each in rows}) > 1 else scope
    return own.command("deploy", *(("--package", version) if version else ()))
