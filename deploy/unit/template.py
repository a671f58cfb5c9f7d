"""Renders a Jinja2 template in a sandbox, within limits, from its own folder alone.

A template comes with a project's settings, which are not always one's own: it may compute a
unit's text, and nothing else. It reaches no Python internals and no file outside its folder.
"""

from __future__ import annotations

import difflib
import re
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from deploy.errors import BadInput
from deploy.unit import template_files
from deploy.unit.template_sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping


def fill(path: Path, values: Mapping[str, object]) -> str:
    """Fill in the template; BadInput names it with its line and says what is wrong."""
    source = template_files.read(path)
    environment = Sandbox(path.parent)
    try:
        return environment.from_string(source).render(values)
    except jinja2.TemplateSyntaxError as error:
        place = error.filename or path
        raise BadInput(f"template {place}:{error.lineno}: {error.message}") from error
    except Exception as error:
        unknown = re.match(r"'(\w+)' is undefined", str(error))
        near = difflib.get_close_matches(unknown[1], [*values], 1) if unknown else []
        hint = f"; did you mean {near[0]}?" if near else ""
        known = f"; known are {', '.join(sorted(values))}" if unknown and not near else ""
        problem = str(error) or type(error).__name__
        raise BadInput(f"template {_place(error, path)}: {problem}{hint}{known}") from error


def _place(error: BaseException, path: Path) -> str:
    """Give `file:line` of the template, or of what it includes, where an error was raised."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == "<template>":
            return f"{path}:{frame.lineno}"
        if path.parent in Path(frame.filename).parents and "{" not in frame.filename:
            return f"{frame.filename}:{frame.lineno}"
    return str(path)
