"""The commands that show something or write files of a project, as they are typed."""

from __future__ import annotations

from typing import Any

from deploy.cli.options import SELECTING, command, loaded


@command("status", *SELECTING, "json", "watch")
def status(asked: Any) -> Any:
    """Show what runs where, and the health of every target.

    Without --env it shows all environments of the settings, one after the
    other, and ends with the code of the worst.

    Exit codes: 0 all is well; 1 all serve, but not what was deployed last; 2
    bad input, or the AWS API failed; 4 more than one release runs; 5 hosts are
    out of service, or cannot be read.
    """
    how = "watching" if asked.watch else "status"
    return loaded(f"commands.looking.{how}").status(asked)


@command("watch", *SELECTING, "json")
def watch(asked: Any) -> Any:
    """Follow a deploy that someone else runs, until it ends.

    On a terminal the view is redrawn; elsewhere, and with --json, each change
    is a line. Ctrl-C ends the watching, not the deploy.

    Exit codes: 0 that deploy is done, or the last run where none runs;
    otherwise the code with which it ended; 2 bad input, or the hosts cannot be
    read; 5 the deploy is dead, or nothing shows how it ended; 6 it ended before
    it began; 130 Ctrl-C.
    """
    return loaded("commands.looking.following").watch(asked)


@command("report", "run", "file", "output", "no_open", "settings")
def report(asked: Any, run: str | None, file: str | None, output: str | None, no_open: bool) -> Any:
    """Write a run as one HTML page, and open it.

    The page is one file that loads nothing from a network. Without an id it
    shows the last run that is kept on this machine. Without a terminal the
    command only names the page.

    Exit codes: 0 done; 2 there is no such run, its events are damaged, or the
    page cannot be written.
    """
    return loaded("commands.report").report(asked, run, file, output, no_open)


@command(
    "init",
    *("target_group", "env", "app", "region", "profile"),
    *("ssh_user", "key", "yes", "settings"),
)
def init(asked: Any, **given: Any) -> Any:
    """Write a project's first files, from a target group.

    These are fabric.yaml, known_hosts, an IAM policy and tasks.py. Their
    contents come from AWS and the hosts. No file is overwritten. On a terminal
    it asks before it writes; without one, only host keys from the instances'
    consoles, as EC2 has them, are written.

    Exit codes: 0 done; 2 nothing was written; 6 the answer was no.
    """
    return loaded("commands.setup.init").init(asked, **given)


@command("check", *SELECTING, "package", "json")
def check(asked: Any, package: str | None) -> Any:
    """Find what would keep a deploy from starting.

    The command checks in AWS, in the target groups and on every host what a
    deploy needs, and changes nothing. One run lists every finding with its
    remedy.

    Exit codes: 0 a deploy would start; 2 it would not.
    """
    return loaded("commands.setup.check").check(asked, package)


@command("logs", *SELECTING, "hosts", "lines", "follow", "since", "grep", "release", "json")
def logs(asked: Any, **options: Any) -> Any:
    """Show the services' journals of all hosts, by time.

    With --json each line is an object of its own.

    Exit codes: 0 done; 1 not all hosts could be read; 2 bad input, or none
    could; 130 Ctrl-C ended --follow.
    """
    return loaded("commands.records.logs").logs(asked, **options)


@command("history", "env", "settings", "last", "run", "json")
def history(asked: Any, last: str | None, run: str | None) -> Any:
    """Show who deployed what, when, and how it ended.

    The hosts store the history, so it is the same from every workstation. A run
    whose events are kept here is shown again from them.

    Exit codes: 0 done; 2 bad input, or no host could be read.
    """
    return loaded("commands.records.history").history(asked, last, run)


@command("lock.status", "env", "settings", "json")
def lock_status(asked: Any) -> Any:
    """Show which deploy holds the lock, and if it is alive.

    Exit codes: 0 not locked; 2 bad input, the AWS API failed, or too few hosts
    answer to know; 3 locked.
    """
    return loaded("commands.lock").status(asked)
