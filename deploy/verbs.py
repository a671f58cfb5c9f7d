"""The operator's verbs, each a pipeline; tasks.py puts options in front of them."""

from __future__ import annotations

import os
import shlex
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy import console, overview, session
from deploy.errors import BadInput, DeployError
from deploy.executor import Execution
from deploy.report import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from deploy.console import Screen
    from deploy.report import Report
    from deploy.session import Session


def deploy(
    file: Path,
    environment: str,
    *,
    app: str | None = None,
    package: str | None = None,
    hosts: str | None = None,
    skip_host: str | None = None,
    batch: str | None = None,
    dry_run: bool = False,
    yes: bool = False,
    allow_downtime: bool = False,
) -> ExitCode:
    """Settings → survey → plan → execute → report."""
    screen = console.Screen()
    loaded = session.load(file, environment, app, batch)
    only, skip = split(hosts, "--hosts"), split(skip_host, "--skip-host")
    with session.Session(loaded, only=only, skip=skip) as opened:
        with screen.busy(f"looking at {len(opened.hosts)} hosts of {environment} and the package"):
            seen, packages = opened.look(package)
            plan = opened.plan(seen, packages, allow_downtime=allow_downtime)
        screen.say(str(plan))
        if dry_run:
            screen.say("Dry run: nothing was changed.")
            return ExitCode.DONE
        if not (yes or plan.changes_nothing or screen.confirm(f"Deploy to {environment}? [y/N]")):
            screen.say("Nothing was changed.")
            return ExitCode.DONE
        watch = screen.progress(plan)
        execution = Execution(plan, opened.fleet(), watch)
        with _signals(execution, screen):
            with watch:
                report = execution.run()
            _show_fleet(opened, screen)
            before = overview.overview(loaded, seen).versions()
            again = next_steps(_command(environment, file), report, before)
            screen.show(console.render_report(report, again))
        return report.exit_code


def status(file: Path, environment: str, *, app: str | None, as_json: bool) -> ExitCode:
    """Settings → survey → overview."""
    screen = console.Screen()
    loaded = session.load(file, environment, app, None)
    with session.Session(loaded) as opened:
        seen = opened.survey(allow_unreachable=True)
        told = overview.overview(loaded, seen)
    if as_json:
        screen.say(told.as_json())
    else:
        screen.show(console.render_overview(told))
    return told.exit_code


def next_steps(command: str, report: Report, before: dict[str, str]) -> str:
    """What to type after a rollout that did not end well; `before`: the version that ran, by app.

    A release that failed is not offered again: mended, or what ran before.
    """
    if not report.failures:
        return f"the same command again, to go on; or {command} --dry-run, to look first"
    back = [
        f"{command} --app {app} --package {version}"
        for app, version in before.items()
        if app in report.plan.releases and version
    ]
    mended = "mend what failed and deploy again"
    return f"{mended}; or take all hosts back: {' and '.join(back)}" if back else mended


def _command(environment: str, file: Path) -> str:
    own = file.name == "fabric.yaml" and (file.parent / "tasks.py").exists()
    words = ["inv", "deploy", "--env", environment]
    return shlex.join(words if own else [*words, "--settings", str(file)])


def split(names: str | None, option: str) -> tuple[str, ...]:
    """`a,b` as a list of names; BadInput for an option that was given and names nothing.

    A script's empty variable must not mean the whole fleet.
    """
    if names is None:
        return ()
    found = tuple(name.strip() for name in names.split(",") if name.strip())
    if not found:
        raise BadInput(f"{option} names no host; give names, comma-separated, or leave it out")
    return found


def _show_fleet(opened: Session, screen: Screen) -> None:
    """What runs where, asked anew."""
    try:
        seen = opened.survey(allow_unreachable=True)
    except DeployError as error:
        screen.complain(f"What runs where could not be read: {error}")
        return
    screen.show(console.render_overview(overview.overview(opened.environment, seen)))


@contextmanager
def _signals(execution: Execution, screen: Screen) -> Iterator[None]:
    """The first signal asks for an end; a second SIGINT, and nothing else, ends at once."""
    interrupts = 0

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal interrupts
        del frame
        interrupts += number == signal.SIGINT
        if interrupts > 1:
            screen.complain("Ended at once; hosts may be out: see `inv status`.")
            os._exit(int(ExitCode.INTERRUPTED))
        execution.stop(number)
        screen.complain(
            "Stopping: no new host starts; one that drains goes back in, one further on is seen "
            "through. Ctrl-C once more ends at once and leaves them as they are."
        )

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
