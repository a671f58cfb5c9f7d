"""Variables of an app's environment file that are not what its settings make of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.folding import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.settings.app import App
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot


def notes(survey: Survey, apps: Iterable[App]) -> tuple[str, ...]:
    """What to say of such variables, in one line for all hosts that have the same."""
    return joined(
        (on.host.name, text)
        for app in apps
        for on in survey.everywhere(app)
        for text in _said(app, on.slot)
    )


def _said(app: App, slot: Slot) -> Iterator[str]:
    if slot.overridden:
        yield (
            f"{app.environment_file} sets {', '.join(slot.overridden)} otherwise than the unit of "
            f"{app.name}, and the file's value wins: set it in one of the two"
        )
    if slot.exported:
        yield (
            f"systemd ignores {', '.join(slot.exported)} in {app.environment_file}, which stands "
            f"after `export`: {app.name} starts without it; write NAME=value alone"
        )
