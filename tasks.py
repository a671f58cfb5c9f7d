"""Changeover's commands: `inv --list` shows them, `inv --help deploy` explains one."""

from __future__ import annotations

import functools
import gc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Collection, Exit, task

from deploy import usage
from lab.tasks import namespace as lab

if TYPE_CHECKING:
    from collections.abc import Callable

usage.exit_with_two()

PROJECT = Path(__file__).parent
SETTINGS = "fabric.yaml"


def _verb(body: Callable[..., Any]) -> Callable[..., None]:
    """Turn our errors into one message and an exit code; nothing else is caught."""

    @functools.wraps(body)
    def run(context: Any, *arguments: Any, **options: Any) -> None:
        from deploy.errors import DeployError  # noqa: PLC0415 - `inv --list` stays fast

        if context.config.run.dry:
            raise Exit("-R/--dry is Invoke's and still connects; use --dry-run", code=2)
        try:
            code = int(body(context, *arguments, **options))
        except DeployError as error:
            raise Exit(str(error), code=error.exit_code) from error
        except KeyboardInterrupt:
            raise Exit("Interrupted; nothing was changed.", code=130) from None
        finally:
            usage.settle()
        if code:
            raise Exit(code=code)

    return run


def _verbs() -> Any:
    """The verbs, loaded only when one is typed, so that `inv --list` stays fast.

    Without the garbage collector: imports make objects by the hundred thousand and no garbage.
    """
    gc.disable()
    try:
        from deploy import verbs  # noqa: PLC0415 - see above
    finally:
        gc.freeze()
        gc.enable()
    return verbs


def _file(settings: str) -> Path:
    given = Path(settings).expanduser()
    return given if settings != SETTINGS else PROJECT / SETTINGS


@task(
    help={
        "env": "the environment, a key under `environments:` in fabric.yaml",
        "app": "deploy this app alone (default: all of the environment)",
        "package": "a package's path, or a version (default: the newest of the app's `package:`)",
        "hosts": "only these hosts: names, comma-separated",
        "skip-host": "not these hosts: names, comma-separated",
        "batch": "a count, a percentage or a ramp such as 1,25%,50% (default: the settings')",
        "dry-run": "show the plan, change nothing",
        "yes": "do not ask",
        "allow-downtime": "accept that a batch leaves nothing in service",
        "settings": "the settings file",
    }
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
    settings: str = SETTINGS,
) -> Any:
    """Take a package through the fleet without losing a request."""
    return _verbs().deploy(
        _file(settings),
        env,
        app=app,
        package=package,
        hosts=hosts,
        skip_host=skip_host,
        batch=batch,
        dry_run=dry_run,
        yes=yes,
        allow_downtime=allow_downtime,
    )


@task(
    help={
        "env": "the environment, a key under `environments:` in fabric.yaml",
        "app": "this app alone",
        "json": "for scripts",
        "settings": "the settings file",
    }
)
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


namespace = Collection(deploy, status, lab)
