"""Expands `%h`, `~` and `${NAME}` in the values of an ssh configuration. Pure.

The tokens are those of ssh_config(5), TOKENS and ENVIRONMENT VARIABLES.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HOSTNAME = "h"
PROXY = "hnpr"
PATH = "CdhijkLlnpru"
"""Which tokens an option takes, beside %%."""

_TOKEN = re.compile(r"%(.?)", re.DOTALL)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")


class UnknownToken(ValueError):
    """A value has a token that its option does not take, or a variable that is not set."""


def is_plain_host(name: str) -> bool:
    """Whether a name or an address holds nothing that a shell or ssh would interpret."""
    return _HOST.fullmatch(name) is not None


def is_plain_user(name: str) -> bool:
    """Whether a user's name holds nothing that a shell or ssh would interpret."""
    return _USER.fullmatch(name) is not None


def local_user() -> str:
    """The user who runs this, as the system calls it."""
    with suppress(ImportError, KeyError, OSError):
        import pwd  # noqa: PLC0415 - not on Windows

        return pwd.getpwuid(os.getuid()).pw_name
    with suppress(ImportError, KeyError, OSError):
        return getpass.getuser()
    return ""


def home() -> str:
    """The home folder; empty where the system knows none."""
    try:
        return str(Path.home())
    except (RuntimeError, KeyError):
        return ""


def facts(
    name: str, host: str, *, user: str, port: str, alias: str = "", jump: str = ""
) -> dict[str, str]:
    """The value of each token: name as typed, host after HostName."""
    own = socket.gethostname()
    hashed = f"{own}{host}{port}{user}{jump}".encode(errors="replace")
    return {
        "C": hashlib.sha1(hashed, usedforsecurity=False).hexdigest(),
        "d": home(),
        "h": host,
        "i": str(os.getuid()) if hasattr(os, "getuid") else "",
        "j": jump,
        "k": alias or name,
        "L": own.partition(".")[0],
        "l": own,
        "n": name,
        "p": port,
        "r": user,
        "u": local_user(),
    }


def expand(
    text: str, values: Mapping[str, str], allowed: str = PATH, *, is_strict: bool = True
) -> str:
    """The text with its tokens filled in.

    One that is not allowed raises UnknownToken, or is left as it is where that is not strict.
    """

    def value(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        if found[1] in allowed and found[1] in values:
            return values[found[1]]
        if not is_strict:
            return found[0]
        raise UnknownToken(f"`%{found[1]}` is no token there; write `%%` for a percent sign")

    return _TOKEN.sub(value, text)


def path(text: str, values: Mapping[str, str]) -> str:
    """A path with its variables, home folder and tokens filled in.

    Raises UnknownToken, also for a variable that is not set.
    """

    def variable(found: re.Match[str]) -> str:
        try:
            return os.environ[found[1]]
        except KeyError:
            raise UnknownToken(f"the variable `{found[0]}` is not set") from None

    # Tokens come first, so that what a variable holds is taken as it is.
    return _VARIABLE.sub(variable, _home(expand(text, values)))


def _home(text: str) -> str:
    """A path without `~`: with the home folder, or as it is where a user is unknown."""
    try:
        return str(Path(text).expanduser())
    except (RuntimeError, KeyError):
        return text
