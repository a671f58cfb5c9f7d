"""The files of a unit's template: read within bounds, and from its own folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jinja2

from deploy.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


MOST_CHARACTERS = 1_000_000
"""In a template's file, and in all that it writes: a unit file has about 2,000."""


def read(path: Path) -> str:
    """Give a template's text; a device, a pipe and a file without an end are refused."""
    try:
        if path.exists() and not path.is_file():
            raise BadInput(f"template {path}: it is not a file")
        with path.open(encoding="utf-8") as file:
            source = file.read(MOST_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"template {path}: it cannot be read: {error}") from error
    if len(source) > MOST_CHARACTERS:
        raise BadInput(f"template {path}: it has more than {MOST_CHARACTERS} characters")
    return source


class Folder(jinja2.BaseLoader):
    """Loads what a template includes, from its own folder and those below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_source(
        self, environment: jinja2.Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        """Read the file by this name; a link that leads out of the folder is refused too."""
        del environment
        place = self.folder / template
        if not place.resolve().is_relative_to(self.folder.resolve()):
            raise BadInput(f"{template!r} is not below the template's folder; copy it there")
        if not place.is_file():
            raise jinja2.TemplateNotFound(template)
        return read(place), str(place), lambda: True
