"""What watching an environment's lock showed, as text for people and JSON for scripts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import Unreachable
from deploy.foreign_text import json_text
from deploy.hosts.lock.holder import why_unreadable
from deploy.hosts.lock.view import faulty
from deploy.hosts.lock.watch import Life
from deploy.hosts.scripts import lock as lock_script

if TYPE_CHECKING:
    from deploy.hosts.lock.view import View
    from deploy.hosts.lock.watch import Watched
    from deploy.settings.scope import Scope


def is_locked(seen: Watched) -> bool:
    """Whether the environment is locked: by a holder, or by files that no deploy can get past."""
    view = seen.view
    held = any(
        view.is_proven(holder.token) or seen.life(holder.token) is Life.ALIVE
        for holder, _ in view.each()
    )
    return held or len(view.unreadable) > faulty(view.size)


def refuse_unknown(environment: str, view: View) -> None:
    """Raise Unreachable where so few hosts answered that the lock may be anybody's."""
    if view.answered <= faulty(view.size):
        reasons = "; ".join(view.silent[name] for name in sorted(view.silent))
        raise Unreachable(
            f"{environment}: its lock cannot be read: {view.answered} of {view.size} hosts "
            f"answered: {reasons}"
        )


def text(scope: Scope, seen: Watched) -> str:
    """Describe each holder and each host that shows something else, a line each."""
    environment, view = scope.environment, seen.view
    file, remove = lock_script.lock_file(environment), scope.command("lock.break", "--reason", "…")
    lines = []
    for holder, hosts in view.each():
        life = seen.life(holder.token)
        if view.is_proven(holder.token) or life is Life.ALIVE:
            lines.append(
                f"{environment} is locked: {holder}; on {len(hosts)} of {view.size} hosts, "
                f"heartbeat {holder.beat}, {life.value}"
            )
        else:
            lines.append(
                f"{', '.join(hosts)}: {file} shows {holder}, which the other hosts do not: "
                f"it locks nothing; remove it: {remove}"
            )
    for name, raw in sorted(view.unreadable.items()):
        lines.append(
            f"{name}: {file} {why_unreadable(raw)}; if no deploy runs, remove it: {remove}"
        )
    if not is_locked(seen):
        lines.append(f"{environment} is not locked.")
    lines += [f"not read: {view.silent[name]}" for name in sorted(view.silent)]
    return "\n".join(lines)


def as_json(environment: str, seen: Watched) -> str:
    """Return the same for scripts."""
    view = seen.view
    holders = [
        {
            **holder.public(),
            "hosts": list(hosts),
            "life": seen.life(holder.token).value,
            "majority": view.is_proven(holder.token),
        }
        for holder, hosts in view.each()
    ]
    body = {
        "environment": environment,
        "locked": is_locked(seen),
        "holders": holders,
        "unreadable": {name: why_unreadable(raw) for name, raw in view.unreadable.items()},
        "silent": dict(view.silent),
    }
    return json_text(body)
