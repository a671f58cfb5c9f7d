"""The commands that change the fleet, and those that decide about a deploy, as they are typed."""

from __future__ import annotations

from typing import Any

from deploy.cli.options import CHANGING, RUNNING, SELECTING, command, loaded


def done(change: Any) -> Any:
    """Execute a command that changes the fleet; return its exit code."""
    return loaded("commands.pipeline").run(change)


@command(
    "deploy", *CHANGING, "canary", "on_failure", "allow_downtime", "join", "package", "run_once"
)
def deploy(asked: Any, package: str | None, run_once: str | None) -> Any:
    """Deploy a package without losing a request.

    Exit codes: 0 done; 1 failed, the fleet is on its old release; 2 nothing was
    changed; 3 another deploy holds the lock; 4 more than one release runs, or a
    host was left out; 5 hosts are out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").deploy(asked, package, run_once))


@command("rollback", *CHANGING, "on_failure", "allow_downtime", "join", "to")
def rollback(asked: Any, to: str | None) -> Any:
    """Return to the previous release; nothing is uploaded.

    Exit codes: 0 done; 1 failed, the fleet is on one release; 2 nothing was
    changed; 3 another deploy holds the lock; 4 more than one release runs, or a
    host was left out; 5 hosts are out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").roll_back(asked, to))


@command("repair", *CHANGING)
def repair(asked: Any) -> Any:
    """Return to service what an interrupted deploy left out.

    It finishes or takes back what was begun, and proves each host first.

    Exit codes: 0 done, or nothing to do; 1 failed; 2 nothing was changed; 3
    another deploy holds the lock; 4 more than one release runs, or a host was
    left out; 5 hosts are out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").repair(asked))


@command("restart", *CHANGING, "on_failure", "allow_downtime", "join")
def restart(asked: Any) -> Any:
    """Start again the release that runs, host by host.

    Use it for a file that a service reads only when it starts, such as
    `environment_file:`. Nothing is uploaded, and the unit stays the same: a
    changed setting needs a deploy.

    Exit codes: 0 done; 1 failed, the fleet is on one release; 2 nothing was
    changed; 3 another deploy holds the lock; 4 a host was left out; 5 hosts are
    out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").restart(asked))


@command("observe", *SELECTING, *RUNNING, "host", "allow_downtime", "trace")
def observe(asked: Any, host: str, trace: str | None) -> Any:
    """Measure your account: one host out and in, twice.

    No service is stopped. It shows how long load balancers still send requests,
    and when the host is healthy again; it suggests settings, and says how long
    a deploy takes. Run it first on a new account.

    Exit codes: 0 done; 1 failed, the host is in service; 2 nothing was changed;
    3 another deploy holds the lock; 5 hosts are out of service; 6 the answer
    was no.
    """
    return done(loaded("commands.changes").observe(asked, host, trace))


@command("promote", "env", "settings")
def promote(asked: Any) -> Any:
    """Continue a deploy that pauses after a batch.

    It works from any workstation. The decision counts once a majority of the
    hosts shows it.

    Exit codes: 0 done; 2 bad input, no deploy holds the lock, or too few hosts
    answered.
    """
    return loaded("commands.lock").decide(asked, "promote")


@command("abort", "env", "settings")
def abort(asked: Any) -> Any:
    """End a deploy that pauses after a batch.

    It works from any workstation. The deploy ends as if a host had failed:
    `on_failure:` decides whether the hosts that have the new release keep it.

    Exit codes: 0 done; 2 bad input, no deploy holds the lock, or too few hosts
    answered.
    """
    return loaded("commands.lock").decide(asked, "abort")


@command("lock.break", "env", "settings", "reason", "force")
def lock_break(asked: Any, reason: str, force: bool) -> Any:
    """Remove the lock of a deploy that is dead.

    Exit codes: 0 done, or not locked; 2 bad input, the AWS API failed, or too
    few hosts answered: look again with lock.status; 3 the deploy is alive.
    """
    return loaded("commands.lock").destroy(asked, reason=reason, force=force)
