"""What a status comes to, in one sentence. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.run.report import STATUS_MEANINGS

if TYPE_CHECKING:
    from deploy.screen.status import Overview


def of(overview: Overview) -> str:
    """Return the meaning of the exit code, or what is known more exactly."""
    rows = overview.rows
    unread = {row.host for row in rows if not row.is_readable}
    if unread and overview.serves:
        hosts = f"{len(unread)} host{'s' * (len(unread) > 1)}"
        return f"all targets are in service, and {hosts} cannot be read"
    first = [row for row in rows if row.is_before_first]
    if first and all(row.is_well or row.is_before_first for row in rows):
        units = ", ".join(dict.fromkeys(row.beside for row in first))
        return f"{units} serves, and nothing was deployed in its place yet"
    return STATUS_MEANINGS[overview.exit_code]
