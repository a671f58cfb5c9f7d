"""`inv report`: a run's events as one HTML file, opened where a person can see it."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import path_checks
from deploy.errors import BadInput, reading
from deploy.events import runs
from deploy.events.file import load
from deploy.page.content import page
from deploy.page.rendering import html
from deploy.path_checks import expanded, resolved
from deploy.run.report import ExitCode
from deploy.screen.console import Screen
from deploy.session.arguments import environment_of
from deploy.settings import load as settings
from deploy.settings import yaml_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.events.event import Entry
    from deploy.session.arguments import CommandOptions

MOST_BYTES = 256 * 1024 * 1024
"""Of an events file: that of a deploy to a thousand hosts has a tenth of it."""
DESKTOPS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""One of these variables is set where a browser has a place to open."""


def report(
    asked: CommandOptions,
    run: str | None,
    file: str | None,
    output: str | None,
    no_open: bool,
    open_page: Callable[[str], object] = webbrowser.open,
) -> ExitCode:
    """Write the page of a run, name its file, and open it on a desktop's terminal.

    Args:
        asked: The options that all commands have.
        run: The run's id, or its beginning; None for the last run.
        file: An events file, in place of a run's of this project.
        output: Where the page goes; None for beside the events.
        no_open: Whether to name the file alone.
        open_page: Opens an address in a browser.

    Raises:
        BadInput: There is no such run; its events are damaged, or none; the page cannot be written.
    """
    screen = Screen()
    if run is not None and file is not None:
        raise BadInput("--file names a run's events, and so does its id; give one of them")
    events = expanded(file) if file is not None else runs.find(_folders(asked), run)
    with reading(f"{events}: these events", "give the events.jsonl of a run"):
        text = html(page(_entries(events), str(events)))
    target = expanded(output) if output is not None else events.with_suffix(".html")
    _write(target, events, text)
    screen.say(f"The run's page is {target}")
    if not no_open and screen.is_terminal and has_desktop(os.environ, sys.platform):
        # What a browser says of its own must not reach the terminal as a traceback.
        with suppress(webbrowser.Error, OSError):
            open_page(resolved(target).as_uri())
    return ExitCode.DONE


def has_desktop(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a browser has a place to open: over SSH, Python would start one for terminals."""
    return platform in {"darwin", "win32"} or any(environ.get(name) for name in DESKTOPS)


def _folders(asked: CommandOptions) -> tuple[Path, ...]:
    """The folders that `runs:` names, each once; an environment with errors is passed over.

    Raises BadInput where no environment has none: that of the first one.
    """
    file = settings.find(asked.settings)
    names = [*yaml_document.read(file).below("deploy", "environments").values]
    found: dict[Path, None] = {}
    first: BadInput | None = None
    for name in names:
        try:
            loaded = environment_of(file, name, None, None)
        except BadInput as error:
            first = first or error
        else:
            found[loaded.path(loaded.runs)] = None
    if not found:
        raise first or BadInput(f"{file}: has no environment; --file names a run's events")
    return tuple(found)


def _entries(events: Path) -> tuple[Entry, ...]:
    """The entries of an events file; BadInput where it is none."""
    try:
        if not events.is_file():
            why = "is no file" if events.exists() else "does not exist"
            raise BadInput(f"{events}: {why}; give the events.jsonl of a run")
        if events.stat().st_size > MOST_BYTES:
            raise BadInput(f"{events}: has more than {MOST_BYTES:,} bytes: it is no run's events")
        return load(events)
    except OSError as error:
        raise BadInput(f"{events}: cannot be read: {error.strerror}") from error


def _write(target: Path, events: Path, text: str) -> None:
    """Write a page in one go: for its owner alone, as the events are, and never half of it."""
    if path_checks.is_folder(target) or resolved(target) == resolved(events):
        raise BadInput(f"--output {target}: give a file for the page")
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as part:
            try:
                part.write(text)
                part.close()
                Path(part.name).replace(target)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BadInput(
            f"{target}: cannot be written: {error.strerror}; --output names another place"
        ) from error
