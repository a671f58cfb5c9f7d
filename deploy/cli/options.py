"""Turns a function into a command: its options, its help, one message for an error.

Cheap to import: every start does so.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from invoke import Exit, Task, task

from deploy.cli import early_end, invoke_patch
from deploy.cli.invoke_patch import USAGE_ERROR, program
from deploy.settings.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT = {
    "env": "e",
    "yes": "y",
    "dry_run": "n",
    "quiet": "q",
    "verbose": "v",
    "lines": "n",
    "last": "n",
    "follow": "f",
}
"""The options with a short form; `-n` is a number for commands that change nothing."""

EXAMPLES = {
    "deploy": "deploy --env prod --package 2.0.0",
    "rollback": "rollback --env prod --dry-run",
    "repair": "repair --env prod",
    "restart": "restart --env prod --app web",
    "status": "status --env prod --json",
    "watch": "watch --env prod",
    "report": "report 0123abcd",
    "init": "init --target-group web-prod --env prod",
    "check": "check --env prod",
    "logs": "logs --env prod --follow",
    "history": "history --env prod",
    "observe": "observe --env prod --host web-1",
    "promote": "promote --env prod",
    "abort": "abort --env prod",
    "lock.status": "lock.status --env prod",
    "lock.break": 'lock.break --env prod --reason "its CI job was cancelled"',
}

REQUIRED = inspect.Parameter.empty


class Option(NamedTuple):
    """An option of commands: its help, and its default."""

    help: str
    default: Any = None


OPTIONS = {
    "env": Option("the environment, a key under `environments:`; required", REQUIRED),
    "app": Option("only this app (default: all of the environment)"),
    "package": Option(
        "a package's path, or a version (default: the newest of the app's `package:`)"
    ),
    "to": Option("a release or its version (default: the one that was deployed before)"),
    "hosts": Option("only these hosts: names, comma-separated"),
    "host": Option("the host, by its name; required", REQUIRED),
    "skip_host": Option("not these hosts: names, comma-separated"),
    "batch": Option("a count, a percentage or a ramp such as 1,25%,50% (default: the settings')"),
    "canary": Option("pause after the first batch, at most for: 10m, 1h"),
    "run_once": Option("a `run_once:` that did not end well: again, or skip"),
    "on_failure": Option(
        "a host that fails: ask, retry, put-back, leave-out, stop or rollback (default: ask on "
        "a terminal; otherwise as the settings have it)"
    ),
    "dry_run": Option("print the plan, change nothing", default=False),
    "yes": Option("do not ask", default=False),
    "allow_downtime": Option(
        "accept a batch that leaves less in service than the policy requires", default=False
    ),
    "join": Option("register hosts that were taken out by hand", default=False),
    "wait_lock": Option("wait this long for another deploy to end: 90s, 15m, 2h", "0"),
    "json": Option("print JSON, for scripts", default=False),
    "watch": Option("look again every few seconds, until Ctrl-C", default=False),
    "full": Option("list every step, and all that changes", default=False),
    "quiet": Option("show only failures and the verdict", default=False),
    "verbose": Option("show remote commands and AWS calls as they end", default=False),
    "reason": Option("why; it is stored on the hosts; required", REQUIRED),
    "force": Option(
        "also from a deploy that is alive: it stops before its next change", default=False
    ),
    "trace": Option("where the figures go, without any name (default: observed-<env>.json)"),
    "run": Option("the run's id or its beginning (default: the last run)"),
    "file": Option("an events file, in place of a run of this project"),
    "output": Option("where the page goes (default: beside the events)"),
    "no_open": Option("name the page, do not open it", default=False),
    "lines": Option("how many lines of all hosts together (default: 100)"),
    "follow": Option("go on with new lines, until Ctrl-C", default=False),
    "since": Option("lines since then: 15m, 2h, 14:05, 2026-11-29T14:05"),
    "grep": Option("only lines that match this, as journalctl --grep"),
    "release": Option("only lines of this release: an id or a version"),
    "last": Option("how many runs, the newest first (default: 20)"),
    "settings": Option("the settings file (default: fabric.yaml here, or in a folder above)"),
    "target_group": Option("the target group, by its name or ARN; required", REQUIRED),
    "region": Option("the AWS region (default: the AWS tools' own)"),
    "profile": Option("the AWS profile (default: the AWS tools' own)"),
    "ssh_user": Option("the login user (default: your ssh configuration's)"),
    "key": Option("the private key file (default: your ssh's own)"),
}

_BACK_ALREADY = Option(
    "a host that fails: ask, retry, put-back, leave-out or stop (default: ask on a terminal; "
    "otherwise stop)"
)
OF_COMMANDS = {
    "rollback": {"on_failure": _BACK_ALREADY},
    "restart": {"on_failure": _BACK_ALREADY},
    "history": {"run": Option("show this run again: its id or its beginning")},
    "init": {
        "env": Option("what the environment is called (default: prod)", "prod"),
        "app": Option("what the app is called (default: as the group)"),
        "settings": Option("the file to write (default: fabric.yaml here)"),
    },
    "status": {"env": Option("the environment (default: all of the settings)")},
}
"""Options that mean something else for a command than for all others."""


def option_of(command: str, name: str) -> Option:
    """Return what an option of a command means, and its default."""
    return OF_COMMANDS.get(command, {}).get(name, OPTIONS[name])


SELECTING = ("env", "app", "settings")
RUNNING = ("dry_run", "full", "yes", "wait_lock", "json", "quiet", "verbose")
CHANGING = (*SELECTING, "hosts", "skip_host", "batch", *RUNNING)
"""The options of every command that changes the fleet."""


class Command(Task[Any]):
    """A task whose short options are those of SHORT, and no others.

    Invoke would take the first free letter: `-l` for --allow-downtime, `-h` for --hosts.
    """

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Return what Invoke makes the option of a parameter from."""
        options: dict[str, Any] = super().arg_opts(name, default, taken_names)
        if name in SHORT:
            options["names"] = [*options["names"], SHORT[name]]
        return options

    def __eq__(self, other: object) -> bool:
        """Return whether it is the same task.

        Invoke compares a task's last name and its code, so `status` would equal `lock.status`.
        """
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)


def command(name: str, *takes: str) -> Callable[[Callable[..., Any]], Any]:
    """Make a function the command `name`, which takes these options.

    The function gets the `CommandOptions`, and those options by name that are no field of it.
    Errors become one message and an exit code, unexpected ones included. Such an error comes from
    before the first change, except for `lock.break`: after it, a command ends with its report.
    """
    options_of = {each: option_of(name, each) for each in takes}
    required = {each for each, own in options_of.items() if own.default is REQUIRED}

    def decorate(body: Callable[..., Any]) -> Any:
        def run(context: Any, /, **options: Any) -> None:
            from deploy.errors import DeployError  # noqa: PLC0415 - the list of tasks stays fast

            if context.config.run.dry:
                raise Exit("-R/--dry is Invoke's and still connects; use --dry-run", USAGE_ERROR)
            invoke_patch.refuse_missing(options, name, required)
            invoke_patch.restore_on_signals()
            typed = Scope(
                options.get("env") or "",
                name,
                settings=options["settings"] or "",
                program=program(),
            )
            try:
                asked, others = loaded("session.arguments").asked(
                    program(), **({"env": ""} | options)
                )
                code = int(body(asked, **others))
            except DeployError as error:
                refusal = early_end.refusal(error, typed)
                early_end.annotate(typed, *refusal, is_json=bool(options.get("json")))
                raise Exit(*refusal) from error
            except Exit:
                raise
            except Exception as error:
                if os.environ.get("CHANGEOVER_DEBUG"):
                    raise
                refusal = early_end.defect(error, typed), USAGE_ERROR
                early_end.annotate(typed, *refusal, is_json=bool(options.get("json")))
                raise Exit(*refusal) from error
            except KeyboardInterrupt:
                raise Exit(early_end.interruption(typed), 130) from None
            finally:
                invoke_patch.settle()
            if code:
                raise Exit(code=code)

        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        ordered = sorted(options_of, key=lambda each: each not in required)
        parameters = [
            inspect.Parameter("context", kind),
            *(inspect.Parameter(each, kind, default=options_of[each].default) for each in ordered),
        ]
        run.__name__ = body.__name__
        run.__doc__ = f"{inspect.getdoc(body)}\n\nExample: {program()} {EXAMPLES[name]}"
        vars(run)["__signature__"] = inspect.Signature(parameters)
        return task(
            name=name.rpartition(".")[2],
            klass=Command,
            auto_shortflags=False,
            positional=[],
            help={each.replace("_", "-"): own.help for each, own in options_of.items()},
        )(run)

    return decorate


def loaded(name: str) -> Any:
    """Return a module of deploy, imported only when a command is typed.

    Without the garbage collector: imports make objects by the hundred thousand and no garbage.
    """
    gc.disable()
    try:
        return importlib.import_module(f"deploy.{name}")
    except ImportError as error:
        invoke_patch.explain(error)
        raise
    finally:
        gc.freeze()
        gc.enable()
