"""The shell programs of this folder, as they are sent to hosts: `<name>.sh` with its arguments.

An argument becomes a positional parameter, and is quoted here and nowhere else.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from shlex import quote

_COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)


@cache
def source(name: str) -> str:
    """Return a program's text without the lines that are comments."""
    return _COMMENT.sub("", (resources.files(__package__) / f"{name}.sh").read_text("utf-8"))


def program(name: str, *arguments: str | int) -> str:
    """Return a program with its arguments as $1 and so on.

    Programs may follow one another: each has arguments of its own, and finds the functions and
    variables of those before it.
    """
    words = " ".join(quote(str(each)) for each in arguments)
    return f"set -- {words}\n{source(name)}"
