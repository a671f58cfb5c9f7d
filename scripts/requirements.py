#!/usr/bin/env python3
"""Writes requirements.txt and requirements-dev.txt from pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = (
    "# Written by scripts/requirements.py from pyproject.toml; edit that, and run scripts/lock.\n"
)


def written() -> dict[str, str]:
    """Return the text of each file by its name."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = settings["project"]["dependencies"]
    groups = settings["dependency-groups"]
    lists = {
        "requirements.txt": needed,
        "requirements-dev.txt": ["-r requirements.txt", *groups["dev"]],
        "requirements-docs.txt": groups["docs"],
    }
    return {name: HEADER + "\n".join(lines) + "\n" for name, lines in lists.items()}


if __name__ == "__main__":
    for name, text in written().items():
        (ROOT / name).write_text(text)
