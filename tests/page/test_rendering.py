"""The page is one file that asks for nothing, and nothing that others wrote acts in it."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import hostile
import pytest
from inspect_output import acting

from deploy.events.event import (
    BatchBegan,
    Entry,
    Event,
    HostEnded,
    HostFailed,
    HostSaid,
    LockTaken,
    RunBegan,
    RunEnded,
    StepBegan,
    StepEnded,
    StopAsked,
)
from deploy.events.planned import (
    PlanMade,
    PlannedBatch,
    PlannedChange,
    PlannedFiles,
    PlannedHost,
    PlannedStep,
)
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.events.recovery import RecoveryBegan
from deploy.events.text import TYPES
from deploy.events.user import HoldBegan, HoldEnded, HookBegan, HookEnded
from deploy.page import content, rendering
from page import sample_runs

if TYPE_CHECKING:
    from collections.abc import Iterable

MARKUP = (
    "<script>alert(1)</script>EVIL",
    "</title></style></pre></svg><script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "' onfocus='alert(1)' x='",
    "<!-- <![CDATA[ ]]> -->",
    "{{ 7 * 7 }}{% raw %}{# x #}",
    "&lt;b&gt;&#60;script&#62;",
    "javascript:alert(1)//",
    "</g><use href=http://evil.example/x.svg>",
    "]]></style><style>*{display:none}</style>",
)


class Shape(HTMLParser):
    """The elements of a page with the names of their attributes, and all that it would fetch.

    Of the box that says what a bar is, the number of lines is the text's, and passed over.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self._is_in_tip = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_in_tip = self._is_in_tip or (tag == "svg" and ("class", "tip") in attrs)
        if not (self._is_in_tip and tag == "text"):
            self.elements.append((tag, *(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if not (self._is_in_tip and tag == "text"):
            self.elements.append((f"/{tag}",))
        self._is_in_tip = self._is_in_tip and tag != "svg"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def html(entries: Iterable[Entry]) -> str:
    return rendering.html(content.page(tuple(entries), "events.jsonl"))


def everywhere(text: str) -> list[Entry]:
    """A run in which each field of each event is this text, where any text may be there."""
    step = PlannedStep(text, text, text, 1.0)
    host = PlannedHost(text, (step,), (step,))
    files = PlannedFiles(2, 30, {text: 10})
    unit = (f" {text}", f"-{text}", f"+{text}", f"@@ {text}")
    changed = PlannedChange(
        text, (text,), text, f"{text}2", is_sent=True, sent_bytes=1, package_bytes=2,
        are_files_known=True, added=files, changed=files, removed=files, is_unit_known=True,
        unit=unit,
    )  # fmt: skip
    events: tuple[Event, ...] = (
        RunBegan(1, text, text, text, text, text, text),
        PlanMade(
            text, text, {text: text}, (text,), (host,), (PlannedBatch((host,), {text: 1}),),
            {text: 1}, (text,), {text: text}, 1.0, text, text, {text: 1}, (changed,),
            before={text: f"{text}0"}, groups={text: (text,)}, out={text: (text,)},
        ),
        BatchBegan(1, 1, (text,)),
        StepBegan(text, text, text, text),
        HostSaid(text, f"| {text}"),
        HostSaid(text, text, is_remark=True),
        StepEnded(text, text, text, text, 1.0, text, text),
        StepBegan(text, text, "second", "drain", is_planned=False),
        StepEnded(text, text, "second", "drain", 1.0, text, is_planned=False),
        RecoveryBegan(text, text, text, 1, (text,), text, (text,), text, text, host.steps),
        QuestionAsked(text, text, text, 1, (text,), text, text, text, (text,), 9.0, text, text),
        QuestionAnswered(text, text, text),
        HoldBegan(1, 60.0, text, text),
        HoldEnded(text, text),
        HookBegan(text, text, 60.0),
        HookEnded(text, text, 1.0, text, (text,)),
        HostFailed(text, text, text, text, 1, (text, text), text, (text,)),
        HostEnded(text, text),
        StopAsked(2),
        LockTaken(),
        PlanMade(text, text, {text: text}, (text,), (), ()),
        RunEnded(
            1, text, 9.0, {text: text}, (text,), (text,), (text,), (text,), text,
            {text: {text: (text,)}}, (text,),
        ),
    )  # fmt: skip
    return [Entry(1_795_950_000.0 + 10 * n, event) for n, event in enumerate(events)]


def test_each_type_of_event_is_filled_with_hostile_text() -> None:
    marked = everywhere("EVIL")
    assert {type(entry.event) for entry in marked} == set(TYPES.values())
    for entry in marked:
        given = [
            getattr(entry.event, field.name)
            for field in fields(entry.event)
            if field.type in {"str", "tuple[str, ...]", "dict[str, str]"}
        ]
        assert all(
            not value or "EVIL" in str(value) or value in {"second", "drain"} for value in given
        )


@pytest.mark.parametrize("text", [*MARKUP, *hostile.TEXTS])
def test_a_page_has_the_same_elements_and_attributes_whatever_texts_say(text: str) -> None:
    if "\n" in text:  # an error's own line breaks are its details, a paragraph each
        text = text.replace("\n", "\x0b")
    harmless, found = Shape(html(everywhere("h" * len(text)))), Shape(html(everywhere(text)))
    assert found.elements == harmless.elements
    assert acting("".join(found.texts)) == []


@pytest.mark.parametrize("text", MARKUP[:2])
def test_control_without_escaping_a_text_breaks_out(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rendering._environment()
    whole.autoescape = False
    monkeypatch.setattr(rendering, "_environment", lambda: whole)
    assert ("script",) in Shape(html(everywhere(text))).elements


def test_control_without_the_guard_a_text_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "visible", str)
    assert acting("".join(Shape(html(everywhere(hostile.TEXTS[0]))).texts))


def test_a_text_is_shown_as_it_was_written() -> None:
    assert MARKUP[0] in Shape(html(everywhere(MARKUP[0]))).texts


@pytest.mark.parametrize("name", ["rolling", "failure", "surge"])
def test_the_page_asks_for_nothing_and_runs_nothing(name: str) -> None:
    text = html(getattr(sample_runs, name)())
    shape = Shape(text)
    assert text.startswith("<!doctype html>\n")
    tags = {element[0] for element in shape.elements}
    assert not tags & {"script", "img", "link", "iframe", "object", "embed", "base", "form"}
    asked = {
        (name, value)
        for _, name, value in shape.attributes
        if name in {"src", "href", "xlink:href", "srcset", "action", "style"}
        or name.startswith("on")
    }
    assert asked == {("href", "#grid"), ("href", "#hosts")}
    style = (rendering.FOLDER / "page.css").read_text()
    assert set(re.findall(r"url\(([^)]*)\)", text)) == set(re.findall(r"url\(([^)]*)\)", style))
    assert all(each.startswith("#") for each in re.findall(r"url\(([^)]*)\)", style))
    assert "@import" not in text
    assert "@font-face" not in text


def test_the_policy_allows_the_pages_own_style_and_nothing_else() -> None:
    text = html(sample_runs.rolling())
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = (
        value for tag, name, value in Shape(text).attributes
        if tag == "meta" and name == "content" and "default-src" in value
    )  # fmt: skip
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_failures_stand_before_all_that_went_well_and_are_whole() -> None:
    text = html(sample_runs.failure())
    assert text.index("What failed") < text.index("Facts") < text.index("Hosts over time")
    for line in sample_runs.JOURNAL:
        assert line in "".join(Shape(text).texts)
    assert "mark 2.0.0-bbbbbbbbbbbb bad" in text
    assert "What failed" not in html(sample_runs.rolling())


def test_of_many_failures_the_first_are_open_and_the_rest_are_counted() -> None:
    failed = HostFailed("h", "prove 2", "no answer")
    many = [Entry(1e9, replace(failed, step=f"step {number}")) for number in range(9)]
    entries = [*everywhere("x")[:2], *many]
    text = html(entries)
    assert text.count('<article class="failure"') == 9
    assert "6 more failures" in text


def test_a_run_of_nothing_is_a_page_too() -> None:
    began: Any = everywhere("x")[0]
    assert "Cut off" in html([began])
