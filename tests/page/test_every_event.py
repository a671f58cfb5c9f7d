"""No event, and no text of one, is forgotten: each is on the page, or a reason says why not."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import pytest

from deploy.events.event import Entry, HostSaid
from deploy.events.text import TYPES
from deploy.page import content, rendering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.events.event import Event

NOT_DRAWN = {
    "hook_began": "its end is drawn, with how long it took",
    "question_asked": "the failure that it is about is drawn, and the answer to it",
}
"""The types of events that leave a page as it is, each with the reason."""

NOT_SHOWN = {
    "plan_made.verb": "the command's own, of run_began, is shown",
    "plan_made.environment": "the command's own, of run_began, is shown",
    "plan_made.earlier": "by what earlier runs took, the time that is left is reckoned",
    "plan_made.staging.steps.app": "steps are shown once they begin",
    "plan_made.staging.steps.text": "steps are shown once they begin",
    "plan_made.staging.steps.phase": "steps are shown once they begin",
    "plan_made.staging.steps.kind": "for programs",
    "plan_made.staging.after.app": "steps are shown once they begin",
    "plan_made.staging.after.text": "steps are shown once they begin",
    "plan_made.staging.after.phase": "steps are shown once they begin",
    "plan_made.staging.after.kind": "for programs",
    "plan_made.staging.host": "hosts are named by `hosts`",
    "plan_made.once.steps.app": "steps are shown once they begin",
    "plan_made.once.steps.text": "steps are shown once they begin",
    "plan_made.once.steps.phase": "steps are shown once they begin",
    "plan_made.once.steps.kind": "for programs",
    "plan_made.once.after.app": "steps are shown once they begin",
    "plan_made.once.after.text": "steps are shown once they begin",
    "plan_made.once.after.phase": "steps are shown once they begin",
    "plan_made.once.after.kind": "for programs",
    "plan_made.once.host": "hosts are named by `hosts`",
    "plan_made.batches.hosts.steps.app": "steps are shown once they begin",
    "plan_made.batches.hosts.steps.text": "steps are shown once they begin",
    "plan_made.batches.hosts.steps.phase": "steps are shown once they begin",
    "plan_made.batches.hosts.steps.kind": "for programs",
    "plan_made.batches.hosts.after.app": "steps are shown once they begin",
    "plan_made.batches.hosts.after.text": "steps are shown once they begin",
    "plan_made.batches.hosts.after.phase": "steps are shown once they begin",
    "plan_made.batches.hosts.after.kind": "for programs",
    "plan_made.batches.minimums": "a group is named where it differs from others",
    "plan_made.batches.in_service": "a group is named where it differs from others",
    "plan_made.in_service": "what stays in service is shown, by batch",
    "plan_made.targets": "what stays in service is shown, by batch",
    "plan_made.groups": "the steps name their groups",
    "plan_made.out": "the states of targets are shown as steps read them",
    "question_asked.host": "the failure and the answer are shown",
    "question_asked.step": "the failure and the answer are shown",
    "question_asked.error": "the failure and the answer are shown",
    "question_asked.journal": "the failure and the answer are shown",
    "question_asked.health": "the failure and the answer are shown",
    "question_asked.outcome": "the failure and the answer are shown",
    "question_asked.in_service": "the failure and the answer are shown",
    "question_asked.options": "the failure and the answer are shown",
    "question_asked.policy": "the failure and the answer are shown",
    "question_asked.note": "the failure and the answer are shown",
    "recovery_began.planned.app": "the steps are shown",
    "recovery_began.planned.text": "the steps are shown",
    "recovery_began.planned.phase": "the steps are shown",
    "recovery_began.planned.kind": "for programs",
    "hook_began.hook": "its end is shown",
    "hook_began.host": "its end is shown",
    "step_began.app": "a step names the unit or the release of its app",
    "step_began.kind": "for programs",
    "step_ended.kind": "for programs",
    "step_ended.phase": "that of step_began is shown",
}
"""Texts of events, by type and field, each with the reason why no page has them."""

GIVEN: dict[str, Any] = {"version": 1, "is_stop": False, "is_stopped": False, "exit_code": 1}
"""Values by a field's name, where the usual one would hide others."""


class Marks:
    """Fills events, each text with a word of its own.

    Attributes:
        made: The words, by type and field.
    """

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def event(self, name: str) -> Event:
        """An event of a type in which each field that can have a text has one."""
        found: Event = self._object(TYPES[name], name)
        return found

    def _object(self, kind: type[Any], path: str) -> Any:
        hints = get_type_hints(kind)
        return kind(
            **{
                each.name: GIVEN[each.name]
                if each.name in GIVEN
                else self._value(hints[each.name], f"{path}.{each.name}")
                for each in fields(kind)
            }
        )

    def _value(self, kind: Any, path: str) -> Any:
        arguments = get_args(kind)
        if kind is str:
            self.made[path] = f"zz{path.replace('.', 'o').replace('_', 'u')}zz"
            return self.made[path]
        if get_origin(kind) is tuple:
            return (self._value(arguments[0], path),)
        if get_origin(kind) is dict:
            is_named = arguments[1] in {int, float}
            key = self._value(str, path) if is_named else "an-app"
            return {key: self._value(arguments[1], path)}
        if get_origin(kind) is UnionType:
            return self._value(arguments[0], path)
        if is_dataclass(kind) and isinstance(kind, type):
            return self._object(kind, path)
        return {int: 1, float: 30.0, bool: True}[kind]


class Text(HTMLParser):
    """All that a page says: its texts, and the values of its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.said = ""
        self.feed(html)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.said += "".join(f" {value}" for _, value in attrs)

    def handle_data(self, data: str) -> None:
        self.said += data


def page(events: Iterator[Event] | list[Event]) -> str:
    entries = [Entry(1_795_950_000.0 + 30 * n, event) for n, event in enumerate(events)]
    return rendering.html(content.page(entries, "events.jsonl"))


def ordered() -> list[str]:
    """The types, with the first and the last of a run where they belong."""
    between = [name for name in TYPES if name not in {"run_began", "run_ended"}]
    return ["run_began", *between, "run_ended"]


def test_every_text_of_every_event_is_on_the_page_or_has_a_reason() -> None:
    marks = Marks()
    said = Text(page([marks.event(name) for name in ordered()])).said.lower()
    missing = {path for path, word in marks.made.items() if word.lower() not in said}
    forgotten, outdated = missing - NOT_SHOWN.keys(), NOT_SHOWN.keys() - missing
    assert forgotten == set(), "show them, or say in NOT_SHOWN why not"
    assert outdated == set(), "these are shown, or are gone"


@pytest.mark.parametrize("name", [name for name in TYPES if name != "run_began"])
def test_every_event_changes_the_page_or_has_a_reason(name: str) -> None:
    marks = Marks()
    events = {each: marks.event(each) for each in ordered()}
    whole = page(list(events.values()))
    # The times of the others stay as they are: something of no meaning stands in its place.
    quiet = HostSaid("nobody", "3 of 4 s")
    without = page([quiet if each == name else event for each, event in events.items()])
    assert (whole == without) == (name in NOT_DRAWN), "draw it, or say in NOT_DRAWN why not"


def test_control_progress_is_not_drawn_which_passes_as_it_is_seen() -> None:
    began = Marks().event("run_began")
    quiet, other = HostSaid("nobody", "3 of 4 s"), HostSaid("somebody", "1 of 4 s")
    assert page([began, quiet]) == page([began, other])
