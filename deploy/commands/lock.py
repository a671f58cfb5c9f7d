"""The commands about an environment's lock: show the holder, promote, abort, break."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from deploy.errors import BadInput, Locked, Unreachable
from deploy.hosts import records
from deploy.hosts.lock import decision
from deploy.hosts.lock import watch as other_holders
from deploy.hosts.lock.view import faulty, quorum
from deploy.hosts.lock.witness import Witness
from deploy.run.report import ExitCode
from deploy.screen import lock as lock_view
from deploy.screen.console import Screen
from deploy.session.arguments import read_settings
from deploy.session.session import Session

if TYPE_CHECKING:
    from deploy.hosts.lock.watch import Watched
    from deploy.session.arguments import CommandOptions


def status(asked: CommandOptions) -> ExitCode:
    """Show who holds the environment's lock, and whether that deploy lives.

    LOCKED if a deploy holds it. Raises Unreachable where too few hosts answer to know.
    """
    screen = Screen()
    scope = asked.scope("lock.status")
    loaded = read_settings(asked, screen)
    with Session(loaded, scope=scope) as opened:
        seen = _watched(opened, screen, quiet=asked.json)
    lock_view.refuse_unknown(loaded.name, seen.view)
    screen.say(lock_view.as_json(loaded.name, seen) if asked.json else lock_view.text(scope, seen))
    return ExitCode.LOCKED if lock_view.is_locked(seen) else ExitCode.DONE


def destroy(asked: CommandOptions, *, reason: str, force: bool) -> ExitCode:
    """Take the lock from a holder that is dead, or from a living one by force.

    Locks that name no holder are removed, too. Raises Locked where the holder lives, Unreachable
    where too few hosts answer, or could be reached to break it.
    """
    screen = Screen()
    if not reason.strip():
        raise BadInput("--reason is empty; write for the others why the lock is broken")
    loaded = read_settings(asked, screen)
    environment = loaded.name
    with Session(loaded, scope=asked.scope("lock.break")) as opened:
        remotes = opened.everyone
        seen = other_holders.look(environment, remotes) if force else _watched(opened, screen)
        lock_view.refuse_unknown(environment, seen.view)
        alive = seen.alive()
        if alive and not force:
            raise Locked(
                f"{environment} is held by {alive}, which is alive; end it there (Ctrl-C), "
                "or take the lock from it with --force: it then stops before its next change"
            )
        by = f"{records.now()} {records.author()} broke"
        failed = dict(seen.view.silent)
        for holder, hosts in seen.view.each():
            note = f"{by} {holder}: {reason}"
            failed |= other_holders.destroy(environment, remotes, seen.view, holder.token, note)
            reached = [name for name in hosts if name not in failed]
            screen.say(f"Broken on {', '.join(reached) or 'no host'}: {holder}.")
        note = f"{by} a lock that names no holder: {reason}"
        failed |= other_holders.clean(environment, remotes, seen.view, note)
    for name in sorted(seen.view.unreadable.keys() - failed.keys()):
        screen.say(f"Removed on {name}: a lock that names no holder.")
    if not (seen.view.holders or seen.view.unreadable):
        screen.say(f"{environment} is not locked.")
        return ExitCode.DONE
    if len(failed) > faulty(len(remotes)):
        raise Unreachable(
            f"{environment}: the lock may still be held on hosts that did not obey: "
            f"{'; '.join(failed[name] for name in sorted(failed))}; try again"
        )
    for name in sorted(failed):
        screen.complain(f"Not reached: {failed[name]}")
    screen.say(
        f"See what the deploy left with {asked.command('status')}; "
        f"{asked.command('repair')} repairs it."
    )
    return ExitCode.DONE


def decide(asked: CommandOptions, word: str) -> ExitCode:
    """Write what a person decided about the deploy that holds the lock: `promote` or `abort`.

    Raises BadInput where none holds it, Unreachable where too few hosts could be written to.
    """
    screen = Screen()
    loaded = read_settings(asked, screen)
    environment = loaded.name
    with Session(loaded, scope=asked.scope(word)) as opened:
        view = other_holders.look(environment, opened.everyone).view
        lock_view.refuse_unknown(environment, view)
        holder = next((held for held, _ in view.each() if view.is_proven(held.token)), None)
        if holder is None:
            raise BadInput(f"{environment}: no deploy holds the lock, so there is none to {word}")
        by = f"{records.author()} at {records.now()}"
        failed = decision.write(environment, opened.everyone, holder.token, decision.Word(word), by)
        size = len(opened.everyone)
    needed, reached = quorum(size), size - len(failed)
    for name in sorted(failed):
        screen.complain(f"Not written: {failed[name]}")
    if reached < needed:
        raise Unreachable(
            f"{environment}: `{word}` counts where {needed} of {size} hosts show it, and {reached} "
            "do; try again"
        )
    screen.say(
        f"{word}: {holder}. It hears of it within seconds if it pauses; what was decided before "
        "it does so counts for nothing."
    )
    return ExitCode.DONE


def _watched(opened: Session, screen: Screen, *, quiet: bool = False) -> Watched:
    """Watch the environment's lock for its time to live at most."""
    environment = opened.environment
    watch = partial(
        other_holders.watch,
        environment.name,
        opened.everyone,
        environment.lock_ttl_seconds,
        has_ended=Witness().has_ended,
    )
    if quiet:
        return watch()
    with screen.busy(f"watching the lock of {environment.name} for its heartbeat"):
        return watch()
