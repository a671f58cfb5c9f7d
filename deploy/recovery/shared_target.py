"""Apps behind one proxy share a target: it goes back in when all of them are whole. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.recovery.recovery import Recovery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.settings.app import App
    from deploy.steps.base import Step


def entered_last(steps: Iterable[Step], *, serves: bool = True) -> tuple[Step, ...]:
    """The steps of apps that share targets, so that a target is entered after all else.

    Steps of other apps stay where they are. serves: whether all apps behind the proxy will; where
    one does not, the target stays out, and the notes on the host stay too, for a repair.
    """
    given = tuple(steps)
    entry = [step for step in given if _enters(step)]
    rest = tuple(step for step in given if step not in entry)
    return (*rest, *entry) if serves else rest


def _enters(step: Step) -> bool:
    """Whether a step puts a proxy's target in, or says that this is done."""
    return step.app.settings.target_port is not None and step.is_entry


def recovery(apps: Sequence[Recovery]) -> Recovery:
    """The recovery of apps that share a target, from that of each; of one app, its own."""
    whole = Recovery.joined(apps)
    is_untouched = all(_enters(step) for step in whole.then)
    if len(apps) == 1 or (whole.serves and is_untouched):
        return whole
    return replace(whole, at_once=(), then=entered_last(whole.steps, serves=whole.serves))


def after(todo: Iterable[Step], failed: Step, other: Recovery) -> list[Step]:
    """What is left to do where a recovery's step failed, and another comes in its app's place."""
    others = [step for step in todo if step.app.name != failed.app.name]
    found = [*others, *other.steps]
    return list(entered_last(found)) if other.serves else stays_out(found, failed.app.settings)


def stays_out(steps: Iterable[Step], app: App) -> list[Step]:
    """The steps without those that enter the target that others share with this app."""
    return [
        step for step in steps if not (_enters(step) and step.app.settings.shares_target_with(app))
    ]


def bundles(apps: Iterable[App]) -> list[tuple[App, ...]]:
    """The apps, those together that share a target."""
    found: list[list[App]] = []
    for app in apps:
        mine = next((each for each in found if each[0].shares_target_with(app)), None)
        if mine is None:
            found.append([app])
        else:
            mine.append(app)
    return [tuple(each) for each in found]
