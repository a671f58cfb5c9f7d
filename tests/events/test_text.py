"""A run's file is read as it was written; whatever else is in it is named, with its line."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

import jsonschema
import pytest

from deploy.errors import BadInput
from deploy.events import event, planned, question, recovery, text, user
from deploy.events.event import Entry

AT = 1_795_950_000.125
HEAD = '{"at": "2026-11-29T11:00:00.125Z", '
STEP = planned.PlannedStep("web", "drain for 40 s", "drain", 40.0, "wait_drained")
FILES = planned.PlannedFiles(2, 9, {"lib/a b.dll": 8})
CHANGE = planned.PlannedChange(
    app="web",
    hosts=("h1",),
    before="1",
    after="2",
    is_sent=True,
    sent_bytes=5,
    package_bytes=9,
    are_files_known=True,
    added=FILES,
    changed=FILES,
    removed=FILES,
    is_unit_known=True,
    unit=("-Nice=1",),
)
PART = planned.PlannedHost("h1", (STEP,), (STEP,))
PLAN = planned.PlanMade(
    "Deploy",
    "Deploy web 2 to lab",
    {"web": "2"},
    ("h1",),
    (planned.PlannedHost("h1", (STEP,)),),
    (planned.PlannedBatch((PART,), {"g": 1}, 2, {"g": 1}, 40.5),),
    {"g": 2},
    ("a warning",),
    {"h2": "no answer"},
    41.5,
    "lab",
    "rolling, batch 1, drain wait",
    {"g": 2},
    (CHANGE,),
    is_of_workers=True,
    before={"web": "1"},
    groups={"web": ("g",)},
    out={"g": ("h3",)},
    tolerated=1,
)
EVENTS: tuple[event.Event, ...] = (
    event.RunBegan(1, "0" * 32, "1.0", "deploy", "lab", "ana@one", "inv deploy --env lab"),
    PLAN,
    event.BatchBegan(1, 2, ("h1", "h2")),
    event.StepBegan("h1", "web", "drain for 40 s", "drain", kind="wait_drained", port=5000),
    event.StepEnded(
        "h1",
        "web",
        "drain for 40 s",
        "drain",
        40.25,
        "healthy",
        "no",
        is_stopped=True,
        is_planned=False,
    ),
    event.HostSaid("h1", "| listening", is_remark=True),
    recovery.RecoveryBegan(
        "h1", "start", "h1: no", 1, ("a", "b"), "unused", ("back",), "to 1", "cmd", (STEP,)
    ),
    user.HookBegan("pre-batch", "", 60.0),
    event.HostFailed(
        "h1", "start", "h1: no", "cmd", 1, ("a", "b"), "unused", ("back",), is_stop=True
    ),
    event.HostFailed("h1", "start", "h1: no"),
    event.HostEnded("h1", "deployed"),
    question.QuestionAsked(
        *("h1", "start", "h1: no", 1, ("a", "b"), "unused", "out of service", "3 of 4"),
        *(("retry", "stop"), 1800.0, "stop", "a note"),
    ),
    question.QuestionAnswered("h1", "retry", "ana@one"),
    user.HoldBegan(1, 600.0, "inv promote", "inv abort"),
    user.HoldEnded("promote", "ana@one"),
    user.HookEnded("post-host", "h1", 0.5, "exit status 1", ("no",)),
    event.StopAsked(2),
    event.LockTaken(),
    event.RunEnded(
        4,
        "more",
        9.5,
        {"h1": "deployed"},
        ("r",),
        ("f",),
        ("a",),
        ("d",),
        "inv x",
        {"web": {"2": ("h1", "h3")}},
        ("a note",),
    ),
)


@pytest.mark.parametrize("each", EVENTS, ids=lambda each: type(each).__name__)
def test_an_event_is_read_as_it_was_written(each: event.Event) -> None:
    line = text.as_line(Entry(AT, each))
    assert "\n" not in line
    assert text.parse(line, "here") == Entry(AT, each)


def test_each_type_is_tried_above() -> None:
    assert {type(each) for each in EVENTS} == set(text.TYPES.values())


@pytest.mark.parametrize("each", EVENTS, ids=lambda each: type(each).__name__)
def test_the_schema_describes_what_is_written_and_nothing_else(each: event.Event) -> None:
    checker = jsonschema.Draft202012Validator(text.schema())
    body = json.loads(text.as_line(Entry(AT, each)))
    checker.validate(body)
    assert not checker.is_valid(body | {"password": "x"})
    assert not checker.is_valid(body | {"event": "nothing"})
    for field in fields(each):
        if field.default is MISSING and field.default_factory is MISSING:
            lacking = {name: value for name, value in body.items() if name != field.name}
            assert not checker.is_valid(lacking), field.name


def test_what_a_ci_runner_would_obey_is_written_harmlessly() -> None:
    said = event.HostSaid("h1", "##vso[task.setvariable]x \x1b[1A ::error::x")
    line = text.as_line(Entry(AT, said))
    assert "#" not in line
    assert line.isascii()
    assert "\x1b" not in line
    assert text.parse(line, "here").event == said


BROKEN: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "this is no event"),
    "another type": ("[1]", "this is no event"),
    "no time": ('{"event": "lock_taken"}', "'at' is missing"),
    "no name": ('{"at": "2026-11-29T11:00:00Z"}', "'event' is missing"),
    "no such event": (HEAD + '"event": "nix"}', "'nix' is missing, or is no event"),
    "a name that is a list": (HEAD + '"event": ["x"]}', "this is no event"),
    "a time that is a number": ('{"at": 5, "event": "lock_taken"}', "this is no event"),
    "a time that is none": ('{"at": "noon", "event": "lock_taken"}', "this is no event"),
    "an unknown field": (HEAD + '"event": "stop_asked", "signal": 2, "x": 1}', "no field x"),
    "a missing field": (HEAD + '"event": "host_ended", "host": "a"}', "host_ended.outcome"),
    "another type of field": (HEAD + '"event": "stop_asked", "signal": "2"}', "stop_asked.signal"),
    "a later format": (HEAD + '"event": "run_began", "version": 2, "tool": "9"}', "(9, format 2)"),
    "very deep": ("[" * 100_000, "this is no event"),
    "a very long number": ("9" * 5000, "this is no event"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_named_with_its_number(name: str) -> None:
    line, said = BROKEN[name]
    good = text.as_line(Entry(AT, event.LockTaken()))
    with pytest.raises(BadInput) as refused:
        list(text.read([f"{good}\n", f"{line}\n"], "events.jsonl"))
    message = str(refused.value)
    assert message.startswith("events.jsonl, line 2: ")
    assert said in message


def test_a_last_line_that_was_cut_short_is_passed_over() -> None:
    good = text.as_line(Entry(AT, event.LockTaken()))
    found = list(text.read([f"{good}\n", good[:20]], "events.jsonl"))
    assert found == [Entry(AT, event.LockTaken())]


def test_no_event_has_a_place_for_the_values_of_an_environment() -> None:
    """Names of fields say what may be in them: none is of settings or variables."""
    named: set[str] = set()
    parts = (STEP, CHANGE, FILES, PLAN.staging[0], PLAN.batches[0])
    kinds: list[Any] = [*text.TYPES.values(), *map(type, parts)]
    for kind in kinds:
        named |= {field.name for field in fields(kind)}
    assert not {name for name in named if "variable" in name or "setting" in name}
