"""Hooks of mkdocs: pages that lie beside docs/ are part of the site, and links lead to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {"README.md": "index.md"} | {
    name: name
    for name in (
        "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "fabric.yaml",
    )
}  # fmt: skip
"""Files outside docs/ that its pages link to, and where they are in the site."""


def on_files(files: Any, config: Any) -> Any:
    """Add the files outside docs/."""
    for name, place in OUTSIDE.items():
        files.append(File.generated(config, place, content=(ROOT / name).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Lead links to where the files are in the site."""
    if page.file.src_uri in {*OUTSIDE.values()}:
        return re.sub(r"\]\(docs/", "](", markdown).replace("](README.md", "](index.md")
    return markdown.replace("](../README.md", "](index.md").replace("](../", "](")
