"""The examples of docs/node.md, docs/python.md and docs/java.md, as files and settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from lab.project import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GUIDES = ("node", "python", "java")
_FILE = re.compile(r"^`([^`\n]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SETTINGS = re.compile(r"^```yaml\n(deploy:\n.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Guide:
    """A page's example: the files of a release by name, and the app's settings."""

    files: dict[str, str]
    app: dict[str, Any]

    @classmethod
    def read(cls, name: str) -> Guide:
        """Read a page of docs/; ValueError for one without an example."""
        text = (ROOT / "docs" / f"{name}.md").read_text()
        settings = _SETTINGS.search(text)
        files = dict(_FILE.findall(text))
        if not (settings and files):
            raise ValueError(f"docs/{name}.md has no example")
        return cls(files, YAML(typ="safe").load(settings[1])["deploy"]["apps"]["web"])

    def write(self, folder: Path) -> None:
        """Write the release's files into a folder."""
        for name, text in self.files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
