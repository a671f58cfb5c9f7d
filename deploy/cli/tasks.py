"""The commands, as Invoke's tasks: `inv help` shows them.

Cheap to import: what a command needs is loaded when it is typed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke import Collection, Config, Exit, Program, task
from invoke.util import helpline

from deploy import __version__
from deploy.cli import invoke_patch
from deploy.cli.invoke_patch import USAGE_ERROR, program
from deploy.cli.options import CHANGING, EXAMPLES, SELECTING, command, loaded
from deploy.screen import streams

invoke_patch.exit_with_two()
invoke_patch.take_bare_words()


def done(change: Any) -> Any:
    """Do what a command that changes the fleet is; return its exit code."""
    return loaded("commands.pipeline").run(change)


SCHEMA = Path(__file__).parents[1] / "settings" / "schema.json"


@command("deploy", *CHANGING, "canary", "allow_downtime", "join", "package")
def deploy(asked: Any, package: str | None) -> Any:
    """Deploy a package without losing a request.

    Exit codes: 0 done; 1 failed, the fleet is on its old release; 2 nothing was changed;
    3 another deploy holds the lock; 4 more than one release runs, or a host was left out;
    5 hosts are out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").deploy(asked, package))


@command("rollback", *CHANGING, "allow_downtime", "join", "to")
def rollback(asked: Any, to: str | None) -> Any:
    """Return to the previous release; nothing is uploaded.

    Exit codes: 0 done; 1 failed, nothing has moved; 2 nothing was changed; 3 another deploy
    holds the lock; 4 more than one release runs, or a host was left out; 5 hosts are out of
    service; 6 the answer was no.
    """
    return done(loaded("commands.changes").roll_back(asked, to))


@command("repair", *CHANGING)
def repair(asked: Any) -> Any:
    """Return to service what an interrupted deploy left out.

    It finishes or takes back what was begun, and proves each host first.

    Exit codes: 0 done, or nothing to do; 1 failed; 2 nothing was changed; 3 another deploy
    holds the lock; 4 more than one release runs, or a host was left out; 5 hosts are
    out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").repair(asked))


@command("restart", *CHANGING, "allow_downtime", "join")
def restart(asked: Any) -> Any:
    """Start again the release that runs, host by host.

    For a file that is read at the start alone, such as `environment_file:`. Nothing is uploaded,
    and the unit stays: a setting that changed needs a deploy.

    Exit codes: 0 done; 1 failed, nothing has moved; 2 nothing was changed; 3 another deploy
    holds the lock; 4 a host was left out; 5 hosts are out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").restart(asked))


@command(
    "observe", *SELECTING, "host", "dry_run", "yes", "wait_lock", "allow_downtime", "trace", "json"
)
def observe(asked: Any, host: str, trace: str | None) -> Any:
    """Measure your account: one host out and in, twice.

    No service is stopped. It shows how long load balancers still send requests, and when the host
    is healthy again; it suggests settings, and says how long a deploy takes. The first thing to
    do on a new account.

    Exit codes: 0 done; 1 failed, the host is in service; 2 nothing was changed; 3 another deploy
    holds the lock; 5 hosts are out of service; 6 the answer was no.
    """
    return done(loaded("commands.changes").observe(asked, host, trace))


@command("status", *SELECTING, "json", "watch")
def status(asked: Any) -> Any:
    """Show what runs where, and the health of every target.

    Without --env it shows all environments of the settings, one after the other, and ends with
    the code of the worst.

    Exit codes: 0 all is well; 1 all serve, but not what was deployed last; 2 bad input, or the
    AWS API failed; 4 more than one release runs; 5 hosts are out of service, or cannot be read.
    """
    how = "watching" if asked.watch else "status"
    return loaded(f"commands.looking.{how}").status(asked)


@command("promote", "env", "settings")
def promote(asked: Any) -> Any:
    """Let a deploy go on that pauses after a batch.

    From any workstation. It counts where a majority of the hosts shows it.

    Exit codes: 0 done; 2 bad input, no deploy holds the lock, or too few hosts answered.
    """
    return loaded("commands.lock").decide(asked, "promote")


@command("abort", "env", "settings")
def abort(asked: Any) -> Any:
    """End a deploy that pauses after a batch.

    From any workstation. The deploy ends as if a host had failed: `on_failure:` decides whether
    the hosts that have the new release keep it.

    Exit codes: 0 done; 2 bad input, no deploy holds the lock, or too few hosts answered.
    """
    return loaded("commands.lock").decide(asked, "abort")


@command("report", "run", "file", "output", "no_open", "settings")
def report(asked: Any, run: str | None, file: str | None, output: str | None, no_open: bool) -> Any:
    """Write a run as one HTML page, and open it.

    The page needs nothing else, and asks nothing of a network. Without an id it is the last run
    that was kept on this machine; without a terminal the page is named, and not opened.

    Exit codes: 0 done; 2 there is no such run, its events are damaged, or the page cannot be
    written.
    """
    return loaded("commands.report").report(asked, run, file, output, no_open)


@command(
    "init",
    *("target_group", "env", "app", "region", "profile"),
    *("ssh_user", "key", "yes", "settings"),
)
def init(asked: Any, **given: Any) -> Any:
    """Write a project's first files, from a target group.

    These are fabric.yaml, known_hosts, an IAM policy and tasks.py: AWS and the hosts are asked for
    what goes into them. No file is overwritten. On a terminal it asks before it writes; without
    one, only those host keys are taken that AWS vouches for.

    Exit codes: 0 done; 2 nothing was written; 6 the answer was no.
    """
    return loaded("commands.setup.init").init(asked, **given)


@command("check", *SELECTING, "package", "json")
def check(asked: Any, package: str | None) -> Any:
    """Find what would keep a deploy from starting.

    It asks AWS, the target groups and every host for all that a deploy needs, and changes nothing.
    Each finding comes with its remedy, all in one run.

    Exit codes: 0 a deploy would start; 2 it would not.
    """
    return loaded("commands.setup.check").check(asked, package)


@command("logs", *SELECTING, "hosts", "lines", "follow", "since", "grep", "release", "json")
def logs(asked: Any, **options: Any) -> Any:
    """Show the services' journals of all hosts, by time.

    With --json each line is an object of its own.

    Exit codes: 0 done; 1 not all hosts could be read; 2 bad input, or none could; 130 Ctrl-C
    ended --follow.
    """
    return loaded("commands.records.logs").logs(asked, **options)


@command("history", "env", "settings", "last", "run", "json")
def history(asked: Any, last: str | None, run: str | None) -> Any:
    """Show who deployed what, when, and how it ended.

    The hosts remember it, so it is the same from every workstation. A run whose events are kept
    here is shown again from them.

    Exit codes: 0 done; 2 bad input, or no host could be read.
    """
    return loaded("commands.records.history").history(asked, last, run)


@command("lock.status", "env", "settings", "json")
def lock_status(asked: Any) -> Any:
    """Show which deploy holds the lock, and if it is alive.

    Exit codes: 0 not locked; 2 bad input, the AWS API failed, or too few hosts answer to know;
    3 locked.
    """
    return loaded("commands.lock").status(asked)


@command("lock.break", "env", "settings", "reason", "force")
def lock_break(asked: Any, reason: str, force: bool) -> Any:
    """Take the lock from a deploy that is dead.

    Exit codes: 0 done, or not locked; 2 bad input, the AWS API failed, or too few hosts answered:
    look again with lock.status; 3 the deploy is alive.
    """
    return loaded("commands.lock").destroy(asked, reason=reason, force=force)


@task
def version(_context: Any) -> None:
    """Print Changeover's version."""
    streams.guard()[0].write(f"Changeover {__version__}\n")


@task
def schema(_context: Any) -> None:
    """Print the JSON Schema of the settings, for editors."""
    streams.guard()[0].write(SCHEMA.read_text(encoding="utf-8"))


@task(name="help", default=True)
def show_help(_context: Any) -> None:
    """Print the commands, one sentence each."""
    ours = {*EXAMPLES, "schema", "version"}
    names = [name for name in namespace.task_names if name in ours]
    width = max(map(len, names))
    lines = [f"Changeover {__version__}: deploys without losing a request.", ""]
    lines += [f"  {program()} {name:{width}}  {helpline(namespace[name])}" for name in names]
    lines += ["", f"Example: {program()} {EXAMPLES['deploy']}"]
    lines += [f"The options of a command, and its exit codes: {program()} deploy --help"]
    if set(namespace.task_names) - {*ours, "help"}:
        lines += [f"Other tasks: {program()} --list"]
    streams.guard()[0].write("\n".join([*lines, ""]))


namespace = Collection(
    deploy,
    rollback,
    repair,
    restart,
    observe,
    status,
    promote,
    abort,
    report,
    init,
    check,
    logs,
    history,
    schema,
    version,
    show_help,
    Collection("lock", lock_status, lock_break),
)


class NoFiles(Config):
    """Invoke's configuration without its files and variables, which are not about deploys.

    A damaged ~/.invoke.yaml, or INVOKE_RUN_WATCHERS=x, would end each command with a traceback.
    """

    def load_base_conf_files(self) -> None:
        """Read none of /etc/invoke.yaml and ~/.invoke.yaml."""

    def load_shell_env(self) -> None:
        """Read none of the variables INVOKE_*."""

    def load_runtime(self, merge: bool = True) -> None:
        """Refuse a file of Invoke's that is named, which is no settings file."""
        del merge
        if vars(self).get("_runtime_path"):
            raise Exit(
                "-f/--config, and INVOKE_RUNTIME_CONFIG, are Invoke's; name the settings file "
                "with --settings, after the command",
                USAGE_ERROR,
            )


def main() -> None:
    """Run the console command `changeover`: the same commands, without a tasks.py."""
    Program(
        namespace=namespace,
        name="Changeover",
        binary="changeover",
        version=__version__,
        config_class=NoFiles,
    ).run()
