"""The format number of files on hosts; a newer format than this version knows is refused."""

from __future__ import annotations

from typing import Any

from deploy.errors import BadInput

FORMAT = 1
"""The format of the lines that this version writes; lines without a format have format 0."""
WITH_PREVIOUS = 2
"""The format of a record that names a previous unit in place of a release. A version that does not
know it must refuse the host: it would take the record before for what was deployed last.
"""


def refuse_newer(given: Any, what: str, newest: int = FORMAT) -> None:
    """Raise BadInput where a file of a host has a format that this version does not know.

    given: what its JSON says; what: the file, for the message; newest: the latest that is known.
    """
    form = given.get("format", 0) if isinstance(given, dict) else 0
    if isinstance(form, int) and form > newest:
        raise BadInput(
            f"{what} has a later format than this version knows ({newest}): upgrade Changeover"
        )
