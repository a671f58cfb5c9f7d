"""The commands as Invoke's tasks, as `inv help` lists them.

Cheap to import: what a command needs is loaded when it is typed.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import invoke.program
from invoke import Collection, Config, Exit, Program, task
from invoke.util import helpline

from deploy import __version__
from deploy.cli import changing, invoke_patch, looking
from deploy.cli.invoke_patch import USAGE_ERROR, program
from deploy.cli.options import EXAMPLES, loaded
from deploy.screen import streams

invoke_patch.exit_with_two()
invoke_patch.take_bare_words()
invoke_patch.refuse_password()

SCHEMA = Path(__file__).parents[1] / "settings" / "schema.json"
SCRIPTS = Path(__file__).parent / "shells"


@task
def version(_context: Any) -> None:
    """Print Changeover's version."""
    streams.guard()[0].write(f"Changeover {__version__}\n")


@task
def schema(_context: Any) -> None:
    """Print the JSON Schema of the settings, for editors."""
    streams.guard()[0].write(SCHEMA.read_text(encoding="utf-8"))


@task(positional=[], auto_shortflags=False, help={"shell": "bash, zsh or fish; required"})
def completion(_context: Any, shell: str | None = None) -> None:
    """Print a script by which a shell completes commands.

    It completes options too, and the names in the settings and in the last runs
    that are kept here.
    """
    scripts = {script.suffix[1:]: script for script in sorted(SCRIPTS.iterdir())}
    names = ", ".join(scripts)
    if not shell:
        raise Exit(f"no shell is given: name one of {names}", USAGE_ERROR)
    if shell not in scripts:
        raise Exit(f"no completion for {shell!r}: name one of {names}", USAGE_ERROR)
    streams.guard()[0].write(scripts[shell].read_text(encoding="utf-8"))


@task(name="help", default=True)
def show_help(_context: Any) -> None:
    """Print the commands, one sentence each."""
    ours = {*EXAMPLES, "completion", "schema", "version"}
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
    looking.init,
    looking.check,
    changing.observe,
    changing.deploy,
    changing.promote,
    changing.abort,
    changing.rollback,
    changing.restart,
    changing.repair,
    looking.status,
    looking.watch,
    looking.logs,
    looking.history,
    looking.report,
    completion,
    schema,
    version,
    show_help,
    Collection("lock", looking.lock_status, changing.lock_break),
)


def _complete(*, core: Any, initial_context: Any, parser: Any, **_: Any) -> None:
    """Print what the shell may complete, in place of what Invoke does, and end."""
    # Whatever is wrong, such as the settings: a line that is being typed is no place to show it.
    with suppress(Exception):
        found = loaded("cli.completion").candidates(
            core.remainder, initial_context, parser.contexts
        )
        streams.guard()[0].write("".join(f"{each}\n" for each in found))
    invoke_patch.settle()
    raise Exit


setattr(invoke.program, "complete", _complete)  # noqa: B010 - mypy lets no function be replaced


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
