"""Resource limits of a service: which directives the settings may set, and to what. Pure."""

from __future__ import annotations

import re

from deploy.errors import nearest

NAMES = frozenset(
    {
        *("LimitAS", "LimitDATA", "LimitFSIZE", "LimitMEMLOCK", "LimitMSGQUEUE", "LimitNOFILE"),
        *("LimitNPROC", "LimitSIGPENDING", "LimitSTACK"),
    }
)
"""Those whose values are numbers or sizes (systemd.exec, "Process Properties"). LimitCORE= is one
of the sandbox's directives."""
_ONE = "(?:infinity|[0-9]{1,18}[KMGTPE]?)"
PATTERN = rf"^{_ONE}(?::{_ONE})?$"
_VALUE = re.compile(PATTERN)


def checked(name: str) -> str:
    """Return the directive's name.

    Raises:
        ValueError: The settings cannot set it.
    """
    if name == "LimitCORE":
        raise ValueError("LimitCORE is part of the sandbox; write `sandbox: {LimitCORE: false}`")
    if name not in NAMES:
        hint = nearest(name, NAMES) or f"; known: {', '.join(sorted(NAMES))}"
        raise ValueError(f"{name!r} is no limit that can be set{hint}")
    return name


def value(given: object) -> str:
    """A limit as systemd reads it.

    Raises:
        ValueError: It is none.
    """
    is_number = isinstance(given, int) and not isinstance(given, bool)
    text = str(given) if is_number or isinstance(given, str) else ""
    if not _VALUE.fullmatch(text):
        raise ValueError(
            f"must be a number such as 65536 or 64K, a soft and a hard one such as 1024:65536, or "
            f"infinity, not {given!r}"
        )
    return text
