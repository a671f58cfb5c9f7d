"""How an app on a host differs from what was deployed there last: its release or its unit. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.hosts.records import Record
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.slot import Slot

DROP_INS = "drop-ins change its unit"
RESTART_PENDING = "its unit was changed, restart pending"


def of(on: AppOnHost) -> tuple[str, ...]:
    """Return what differs, a line each; empty where all is as deployed, or nothing ever was."""
    last = on.slot.deployed
    if last is None:
        return ()
    return tuple(_of_previous(on, last) if last.is_previous else _of_release(on, last))


def of_unit(slot: Slot) -> Iterator[str]:
    """What differs of a unit, whether or not its release was deployed by us."""
    if slot.unit_state.has_drop_ins:
        yield DROP_INS
    if slot.unit_state.is_running and not slot.running_unit_digest:
        yield RESTART_PENDING


def _of_previous(on: AppOnHost, last: Record) -> Iterator[str]:
    if not on.slot.runs_previous:
        yield f"{on.running_name or 'nothing'} runs, and {last.release} was returned to"


def _of_release(on: AppOnHost, last: Record) -> Iterator[str]:
    slot = on.slot
    if on.running_name != last.release:
        yield f"{on.running_name or 'nothing'} runs, and {last.release} was deployed"
    if slot.link != last.release:
        yield f"a restart would start {slot.link or 'nothing'}"
    if slot.unit_digest != last.unit_digest:
        yield f"{on.unit_name} on disk is not the unit that was deployed"
    elif slot.running_unit_digest not in {"", last.unit_digest}:
        yield f"{on.unit_name} was started from another unit than was deployed"
    if slot.unit_state.enabled != "enabled":
        yield f"{on.unit_name} is not enabled: it does not start at boot"
    if slot.unit_state.needs_reload:
        yield f"{on.unit_name} was changed since systemd read it"
    yield from of_unit(slot)
