"""Settings that are systemd's own directives, each checked by its name and value."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from deploy.unit import limits, sandbox

Sandbox = dict[Annotated[str, AfterValidator(sandbox.checked)], bool]
"""Directives of the sandbox, and whether the unit has them."""
Limits = dict[
    Annotated[str, AfterValidator(limits.checked)], Annotated[str, BeforeValidator(limits.value)]
]
"""Directives of resource limits, and their values."""
