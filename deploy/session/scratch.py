"""A folder of this command alone, for as long as it runs."""

from __future__ import annotations

import tempfile

from deploy.errors import BadInput


def folder() -> tempfile.TemporaryDirectory[str]:
    """Make the folder, which only this user may enter, and which goes with its block.

    Raises:
        BadInput: No place for it can be written to, as in a container whose file system is
            read-only, or on a full disk.
    """
    try:
        return tempfile.TemporaryDirectory(prefix="changeover-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BadInput(
            f"no temporary folder can be made: {error.strerror or error}; let TMPDIR name a folder "
            "that you may write to and that has space, for example in a volume of the container"
        ) from error
