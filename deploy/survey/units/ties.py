"""Units that an operator tied to those of an app: what stops with them, and what starts them. Pure.

systemd stops what is a part of a unit, or requires it, together with it, and says nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.folding import joined
from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.settings.app import App
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey

TIES = "by its `PartOf=`, `BindsTo=` or `Requires=`"
STATIC = "static"
"""The state of a unit file without [Install] (systemctl(1), is-enabled)."""


def notes(survey: Survey, apps: Iterable[App]) -> tuple[str, ...]:
    """What to say of such units, in one line for all hosts that have them."""
    return joined(
        (on.host.name, text)
        for app in apps
        for on in survey.everywhere(app)
        for text in dict.fromkeys(_said(on))
    )


def _said(on: AppOnHost) -> Iterator[str]:
    for at in (on, on.spare) if on.spare else (on,):
        if others := at.slot.unit_state.stopped_with:
            yield (
                f"systemd stops {_listed(others)} when {at.unit_name} is stopped ({TIES}), and "
                f"does not start it again: add `WantedBy={at.unit_name}` to it, or start it by hand"
            )
    if not on.previous_unit:
        return
    replaced = on.slot.replaces
    if replaced.stopped_with:
        yield (
            f"systemd stops {_listed(replaced.stopped_with)} when {on.previous_unit} is stopped "
            f"({TIES}), and {on.unit_name} does not start it: name that there, or start it by hand"
        )
    if replaced.enabled == STATIC:
        yield (
            f"{on.previous_unit} has no [Install] section, so it cannot be disabled: what starts it"
            f" at boot would start it beside {on.unit_name}, on the same port; take that away "
            f"(`systemctl list-dependencies --reverse {on.previous_unit}`)"
        )
    if replaced.started_by:
        yield (
            f"{_listed(replaced.started_by)} may start {on.previous_unit} again, on the port that "
            f"{on.app.name} has then: disable and stop it first"
        )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(map(visible, names))
