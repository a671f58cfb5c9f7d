"""Changeover's commands: `inv --list` shows them, `inv --help deploy` explains one."""

from __future__ import annotations

import functools
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Collection, Exit, task

from deploy.cli import invoke_patch
from lab.tasks import namespace as lab

if TYPE_CHECKING:
    from collections.abc import Callable

invoke_patch.exit_with_two()

PROJECT = Path(__file__).parent
SETTINGS = "fabric.yaml"


def _verb(body: Callable[..., Any]) -> Callable[..., None]:
    """Turn errors into one message and an exit code, those that nobody foresaw included.

    Such an error comes from before the first change: after it, the verbs end with the report.
    """

    @functools.wraps(body)
    def run(context: Any, *arguments: Any, **options: Any) -> None:
        from deploy.errors import DeployError  # noqa: PLC0415 - `inv --list` stays fast

        if context.config.run.dry:
            raise Exit("-R/--dry is Invoke's and still connects; use --dry-run", code=2)
        invoke_patch.refuse_empty(options)
        invoke_patch.refuse_option_for(options["env"], body.__name__.replace("_", "."))
        invoke_patch.restore_on_signals()
        try:
            code = int(body(context, *arguments, **options))
        except DeployError as error:
            raise Exit(str(error), code=error.exit_code) from error
        except Exit:
            raise
        except Exception as error:
            if os.environ.get("CHANGEOVER_DEBUG"):
                raise
            raise Exit(
                invoke_patch.defect(error, body.__name__), code=invoke_patch.USAGE_ERROR
            ) from error
        except KeyboardInterrupt:
            raise Exit("Interrupted; nothing was changed.", code=130) from None
        finally:
            invoke_patch.settle()
        if code:
            raise Exit(code=code)

    return run


def _verbs() -> Any:
    """The verbs, loaded only when one is typed, so that `inv --list` stays fast.

    Without the garbage collector: imports make objects by the hundred thousand and no garbage.
    """
    gc.disable()
    try:
        from deploy.cli import verbs  # noqa: PLC0415 - see above
    except ImportError as error:
        invoke_patch.explain(error)
        raise
    finally:
        gc.freeze()
        gc.enable()
    return verbs


def _file(settings: str) -> Path:
    given = Path(settings).expanduser()
    return given if settings != SETTINGS else PROJECT / SETTINGS


HELP = {
    "env": "the environment, a key under `environments:` in fabric.yaml",
    "app": "this app alone (default: all of the environment)",
    "hosts": "only these hosts: names, comma-separated",
    "skip-host": "not these hosts: names, comma-separated",
    "batch": "a count, a percentage or a ramp such as 1,25%,50% (default: the settings')",
    "dry-run": "show the plan, change nothing",
    "yes": "do not ask",
    "allow-downtime": "accept that a batch leaves less in service than the policy wants",
    "wait-lock": "wait so long for another deploy to end: 90s, 15m, 2h",
    "json": "for scripts",
    "settings": "the settings file",
}


def _help(*names: str, **more: str) -> dict[str, str]:
    own = {name.replace("_", "-"): text for name, text in more.items()}
    return {name: HELP[name] for name in names} | own


COMMON = ("env", "app", "hosts", "skip-host", "batch", "dry-run", "yes", "wait-lock", "settings")


@task(
    help=_help(
        *COMMON,
        "allow-downtime",
        package="a package's path, or a version (default: the newest of the app's `package:`)",
    )
)
@_verb
def deploy(
    _context: Any,
    env: str,
    app: str | None = None,
    package: str | None = None,
    hosts: str | None = None,
    skip_host: str | None = None,
    batch: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    allow_downtime: bool = False,
    wait_lock: str = "0",
    settings: str = SETTINGS,
) -> Any:
    """Take a package through the fleet without losing a request."""
    verbs = _verbs()
    asked = verbs.Asked(
        _file(settings),
        env,
        app=app,
        hosts=hosts,
        skip_host=skip_host,
        batch=batch,
        dry_run=dry_run,
        yes=yes,
        allow_downtime=allow_downtime,
        wait_lock=wait_lock,
    )
    return verbs.deploy(asked, package)


@task(
    help=_help(
        *COMMON,
        "allow-downtime",
        to="a release or its version (default: the good one that was deployed before)",
    )
)
@_verb
def rollback(
    _context: Any,
    env: str,
    to: str | None = None,
    app: str | None = None,
    hosts: str | None = None,
    skip_host: str | None = None,
    batch: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    allow_downtime: bool = False,
    wait_lock: str = "0",
    settings: str = SETTINGS,
) -> Any:
    """Go back to the release of before, which lies on the hosts: no upload."""
    verbs = _verbs()
    asked = verbs.Asked(
        _file(settings),
        env,
        app=app,
        hosts=hosts,
        skip_host=skip_host,
        batch=batch,
        dry_run=dry_run,
        yes=yes,
        allow_downtime=allow_downtime,
        wait_lock=wait_lock,
    )
    return verbs.roll_back(asked, to)


@task(help=_help(*COMMON))
@_verb
def repair(
    _context: Any,
    env: str,
    app: str | None = None,
    hosts: str | None = None,
    skip_host: str | None = None,
    batch: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    wait_lock: str = "0",
    settings: str = SETTINGS,
) -> Any:
    """Mend what a deploy left that was cut off: hosts that are out go back in, proven."""
    verbs = _verbs()
    asked = verbs.Asked(
        _file(settings),
        env,
        app=app,
        hosts=hosts,
        skip_host=skip_host,
        batch=batch,
        dry_run=dry_run,
        yes=yes,
        wait_lock=wait_lock,
    )
    return verbs.mend(asked)


@task(help=_help("env", "app", "json", "settings"))
@_verb
def status(
    _context: Any,
    env: str,
    app: str | None = None,
    json: bool = False,
    settings: str = SETTINGS,
) -> Any:
    """Show what runs where, and every target's health; exit code 0 only when all is well."""
    return _verbs().status(_file(settings), env, app=app, as_json=json)


@task(name="status", help=_help("env", "json", "settings"))
@_verb
def lock_status(_context: Any, env: str, json: bool = False, settings: str = SETTINGS) -> Any:
    """Show who holds the environment, and whether they live; exit code 3 where somebody does."""
    return _verbs().lock_status(_file(settings), env, as_json=json)


@task(
    name="break",
    help=_help(
        "env",
        "settings",
        reason="why, for the others; it is written down on the hosts",
        force="also from a deploy that is alive: it stops before its next change",
    ),
)
@_verb
def lock_break(
    _context: Any, env: str, reason: str, force: bool = False, settings: str = SETTINGS
) -> Any:
    """Take the lock from a deploy that is dead."""
    return _verbs().lock_break(_file(settings), env, reason=reason, force=force)


namespace = Collection(
    deploy, rollback, repair, status, lab, Collection("lock", lock_status, lock_break)
)
