"""Renders the page as one HTML file, in which no foreign text can act as markup.

Three walls, each enough by itself against a script: every value that the template writes passes
through `foreign_text.visible`; it is escaped; and the page's Content-Security-Policy allows no
script, no request, and no style but the one whose digest it names.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from deploy.foreign_text import visible
from deploy.page import bars, summary, wording

if TYPE_CHECKING:
    from deploy.page.content import Page

FOLDER = Path(__file__).parent


def html(page: Page) -> str:
    """The page's text, to be written as UTF-8."""
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    template = _environment().from_string((FOLDER / "page.html").read_text(encoding="utf-8"))
    return template.render(page=page, style=style, style_digest=digest)


def _environment() -> jinja2.Environment:
    """Jinja2, for a template that is ours and values that are not."""
    environment = jinja2.Environment(
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "counted": wording.count,
        "duration": wording.duration,
        "kind": bars.kind,
        "look": bars.look,
        "name": bars.name,
        "offset": wording.offset,
        "state": bars.state,
        "tip": bars.tip,
        "tone": summary.tone,
    }
    return environment


def _shown(value: object) -> object:
    """A value that is about to be written, as one line of printable characters.

    What the template itself made (a macro's output, our own style) is passed on.
    """
    return value if hasattr(value, "__html__") else visible(value)
