"""The settings of what a package must match before anything in it is read."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints, model_validator

from deploy.settings.base import Strict


class Verify(Strict):
    """What a package must match before anything in it is read; all that is given must hold."""

    sha256sums: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    """A file as `sha256sum` writes it. `{package}` in it is the package's file name, and at its
    start the package's path.
    """
    minisign: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$")] | None = None
    """A public key, or its file. The signature is beside the package: `<package>.minisig`."""

    @model_validator(mode="after")
    def _something(self) -> Verify:
        if self.sha256sums is None and self.minisign is None:
            raise ValueError("it verifies nothing; give sha256sums, minisign or both")
        return self
