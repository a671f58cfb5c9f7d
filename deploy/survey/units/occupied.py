"""What has a slot's port or its unit's name already, and is none of ours. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.survey.app_on_host import SlotOnHost
    from deploy.survey.slot import Listener, UnitState

_INIT_PID = 1
_CONTAINERS = frozenset(
    {"docker.service", "containerd.service", "podman.service", "snap.docker.dockerd.service"}
)
_SUPERVISORS = frozenset({"supervisor.service", "supervisord.service", "monit.service"})
_USERS_OWN = re.compile(r"user@[0-9]+\.service")


def problems(at: SlotOnHost) -> Iterator[str]:
    """Say what keeps the slot from the app, with what to do about it."""
    if _is_foreign(at):
        unit_name, path = at.unit_name, visible(at.slot.unit_state.fragment) or "an unknown file"
        yield (
            f"{at.host}: {unit_name} runs by {path}, which Changeover did not write: where the new "
            f"release fails, nothing could return to it. Give the app another name than "
            f"{at.app.name}, as its units are named by it, and set `replaces: {unit_name}`"
        )
    if at.is_first and (why := _lost(at.slot.replaces)):
        yield (
            f"{at.host}: {at.app.settings.replaces}, which {at.app.name} replaces, cannot be "
            f"disabled and, where the new release fails, enabled again: {why}"
        )
    for listener in at.slot.listeners:
        if listener.unit_name not in {at.unit_name, at.app.settings.replaces}:
            yield f"{at.host}: port {at.app.port} of {at.app.name} is held by {_held(listener)}"


def _is_foreign(at: SlotOnHost) -> bool:
    """Whether the unit of the slot's name runs, and nothing says that we have ever written it.

    So an instance of a template `web@.service` does, or a unit by hand.
    """
    slot, path = at.slot, at.slot.unit_state.fragment
    is_marked = bool(slot.running_release or slot.unit_digest or slot.out)
    # A host that has records has something to return to, unless another file is what starts here.
    is_known = bool(slot.deployed) and path in {"", f"/etc/systemd/system/{at.unit_name}"}
    return slot.unit_state.is_running and not (is_marked or is_known)


def _lost(replaced: UnitState) -> str:
    """Why systemctl could not disable and enable a unit that serves; empty where it could.

    The states are those of systemctl(1), is-enabled.
    """
    if not replaced.is_running:
        return ""
    if replaced.enabled == "transient":
        return "systemd-run made it, and it is gone once it is stopped; give it a unit file first"
    if replaced.enabled == "generated":
        return "a generator of systemd makes it at each boot; give it a unit file first"
    if replaced.enabled == "alias":
        return "it is another unit's alias, which systemd enables by its own name alone; name that"
    if replaced.enabled.startswith("masked"):
        return "it is masked; run `systemctl unmask` with its name there"
    return ""


def _held(listener: Listener) -> str:
    """Who holds a port, and what to do about it.

    A unit may have more than the one service that listens: to name that under `replaces:` would
    stop all that it has.
    """
    if listener.pid == _INIT_PID:
        return (
            "systemd itself, for a socket unit that starts a service when a connection comes: "
            "`systemctl list-sockets` names it; disable and stop it, or choose another port"
        )
    if _USERS_OWN.fullmatch(listener.unit_name):
        return (
            f"{listener}, a service of that user's own systemd: stop it there (`systemctl --user`),"
            " or choose another port"
        )
    if listener.unit_name in _CONTAINERS:
        return f"{listener}, for a container: stop that container, or choose another port"
    if listener.unit_name in _SUPERVISORS:
        return f"{listener}, one of the programs there: stop that program, or choose another port"
    if not listener.unit_name.endswith(".service"):
        return f"{listener}; stop it, or choose another port"
    return f"{listener}; stop it, choose another port, or name its unit under `replaces:`"
