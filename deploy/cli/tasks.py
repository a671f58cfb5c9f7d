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
from deploy.cli.options import CHANGING, EXAMPLES, RUNNING, SELECTING, command, loaded
from deploy.screen import streams

invoke_patch.exit_with_two()

SCHEMA = Path(__file__).parents[1] / "settings" / "schema.json"


@command("deploy", *CHANGING, "allow_downtime", "join", "package")
def deploy(asked: Any, package: str | None) -> Any:
    """Deploy a package without losing a request.

    Exit codes: 0 done; 1 failed, the fleet is on its old release; 2 nothing was changed;
    3 another deploy holds the lock; 4 more than one release runs, or a host was left out;
    5 hosts are out of service; 6 the answer was no.
    """
    return loaded("commands").deploy(asked, package)


@command("rollback", *CHANGING, "allow_downtime", "join", "to")
def rollback(asked: Any, to: str | None) -> Any:
    """Return to the previous release; nothing is uploaded.

    Exit codes: 0 done; 1 failed, nothing has moved; 2 nothing was changed; 3 another deploy
    holds the lock; 4 more than one release runs, or a host was left out; 5 hosts are out of
    service; 6 the answer was no.
    """
    return loaded("commands").roll_back(asked, to)


@command("repair", *CHANGING)
def repair(asked: Any) -> Any:
    """Return to service what an interrupted deploy left out.

    It finishes or takes back what was begun, and proves each host first.

    Exit codes: 0 done, or nothing to do; 1 failed; 2 nothing was changed; 3 another deploy
    holds the lock; 4 more than one release runs, or a host was left out; 5 hosts are
    out of service; 6 the answer was no.
    """
    return loaded("commands").repair(asked)


@command("observe", *SELECTING, *RUNNING, "host", "allow_downtime", "trace")
def observe(asked: Any, host: str, trace: str | None) -> Any:
    """Measure your account: one host out and in, twice.

    No service is stopped. It shows how long load balancers still send requests, and when the host
    is healthy again; it suggests settings, and says how long a deploy takes. The first thing to
    do on a new account.

    Exit codes: 0 done; 1 failed, the host is in service; 2 nothing was changed; 3 another deploy
    holds the lock; 5 hosts are out of service; 6 the answer was no.
    """
    return loaded("commands").observe(asked, host, trace)


@command("status", *SELECTING, "json")
def status(asked: Any) -> Any:
    """Show what runs where, and the health of every target.

    Exit codes: 0 all is well; 1 all serve, but not what was deployed last; 2 bad input, or the
    AWS API failed; 4 more than one release runs; 5 hosts are out of service, or cannot be read.
    """
    return loaded("commands").status(asked)


@command("lock.status", "env", "settings", "json")
def lock_status(asked: Any) -> Any:
    """Show which deploy holds the lock, and if it is alive.

    Exit codes: 0 not locked; 2 bad input, the AWS API failed, or too few hosts answer to know;
    3 locked.
    """
    return loaded("lock_commands").status(asked)


@command("lock.break", "env", "settings", "reason", "force")
def lock_break(asked: Any, reason: str, force: bool) -> Any:
    """Take the lock from a deploy that is dead.

    Exit codes: 0 done, or not locked; 2 bad input, the AWS API failed, or too few hosts answered:
    look again with lock.status; 3 the deploy is alive.
    """
    return loaded("lock_commands").destroy(asked, reason=reason, force=force)


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
    observe,
    status,
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
