"""A command in the settings: words that no shell reads, and what stands in them is known. Pure."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

# As shells, unit files and Procfiles write a variable: `$PORT`, `${Port}`. A `$` elsewhere, as in
# a pattern or a password, is a plain character.
_VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|([A-Z_][A-Z0-9_]*)\b)")
_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_]\w*)\}")
_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")
PATTERN = (
    rf"^(\S*/)?({'|'.join(_SHELLS)})(\s|$)"
    r"|^(?!.*(\$\{\w|\$[A-Z_][A-Z0-9_]*\b|\{(?!port\})[A-Za-z_]\w*\}))"
)
"""The same for editors, as nearly as one pattern can say it."""


def checked(command: str) -> str:
    """Return the command; ValueError for a variable, or a placeholder that is not `{port}`.

    What a shell is given is the shell's to read: `sh -c 'exec ./web --port $PORT'`.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return command  # an open quote, which is refused where the words are needed
    if words and PurePosixPath(words[0]).name in _SHELLS:
        return command
    for word in words:
        if found := _VARIABLE.search(word):
            name = found[1] or found[2]
            is_port = name.lower().endswith("port")
            right = "{port}" if is_port else f"its value, or sh -c 'exec … {found[0]}'"
            raise ValueError(
                f"holds {found[0]}, which no shell replaces: the program would be given these "
                f"characters; write {right}"
            )
        unknown = [name for name in _PLACEHOLDER.findall(word) if name != "port"]
        if unknown:
            raise ValueError(
                f"holds {{{unknown[0]}}}, which nothing replaces; only {{port}} is known: write "
                "the value itself"
            )
    return command
