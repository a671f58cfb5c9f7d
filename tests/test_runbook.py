"""The runbook has an entry for whatever an operator can meet, and names commands that exist."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from invoke.parser import Parser

import tasks
from deploy.errors import BadInput, DeployError, as_deploy_error
from deploy.events import runs, text
from deploy.run.report import MEANINGS, Outcome
from deploy.session import arguments
from deploy.settings import load

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "runbook.md").read_text()
RUNBOOK: Any = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["runbook"]
MESSAGES: Any = RUNBOOK.messages
COMMANDS = Parser(contexts=tasks.namespace.to_contexts()).contexts
LISTED = [unescape(each) for each in re.findall(r"<code>(.*?)</code>", PAGE)]


def rows(heading: str) -> list[list[str]]:
    """The cells of the rows of a table, by its heading."""
    table = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| (.*) \|$", table, re.MULTILINE)
    return [row.split(" | ") for row in found[1:]]


def test_every_exit_code_says_what_is_true_and_what_to_do() -> None:
    found = {int(row[0]): row for row in rows("By exit code")}
    assert {code: row[1] for code, row in found.items()} == MEANINGS
    assert all(len(row) == 4 and all(row) for row in found.values())


def test_every_outcome_of_a_host_has_a_row() -> None:
    found = rows("What a report says of a host")
    assert [row[0] for row in found] == list(Outcome)
    assert all(len(row) == 3 and all(row) for row in found)


def test_every_kind_of_error_has_a_row_with_its_meaning_and_its_exit_code() -> None:
    def below(kind: type[DeployError]) -> set[type[DeployError]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    known = {kind for kind in below(DeployError) if kind.__module__.startswith("deploy.")}
    ours = {kind.__name__ for kind in known if not kind.__name__.startswith("_")}
    assert ours == MESSAGES.KINDS.keys()
    found = {row[0]: row for row in rows("Kinds of errors")}
    for name, kind in MESSAGES.KINDS.items():
        row = found.pop(RUNBOOK.words_of(name))
        assert row[1] == str(kind.exit_code)
        assert row[4], f"{name} has no docstring"
    assert not found


def test_what_every_group_of_messages_means_stands_with_its_package() -> None:
    for name, meaning in MESSAGES.meanings().items():
        assert tuple(meaning) == MESSAGES.MEANING, name
        assert all(meaning.values()), name
    assert MESSAGES.collect().raised > 300


def test_control_a_package_that_says_nothing_is_refused() -> None:
    groups = {"settings": object(), ".": object()}
    assert MESSAGES.group_of("settings/load", groups)
    assert MESSAGES.group_of("errors", groups)
    with pytest.raises(AssertionError, match="says what its messages mean"):
        MESSAGES.group_of("other/load", groups)


def test_the_modules_that_compose_messages_exist() -> None:
    assert not {each for each in MESSAGES.COMPOSING if not (ROOT / f"deploy/{each}.py").exists()}


def typed(page: str) -> list[tuple[str, list[str]]]:
    """The commands on a page that are typed, each with its options; those in messages too."""
    messages = map(unescape, re.findall("<code>(.*?)</code>", page))
    spans = [*re.findall(r"`([^`\n]+)`", page), *messages]
    found = [
        match
        for span in spans
        for match in re.findall(r"(?<![\w-])(?:inv|changeover) ([a-z][\w.]*)([^`;,]*)", span)
    ]
    return [(verb, re.findall(r"(?<!\S)--[a-z][\w-]*", rest)) for verb, rest in found]


def test_every_command_that_it_names_exists_with_its_options() -> None:
    found = typed(PAGE)
    assert len(found) > 40
    for verb, options in found:
        assert verb in COMMANDS, verb
        assert {*options} <= {*COMMANDS[verb].flags, "--help"}, (verb, options)


def test_control_a_command_that_does_not_exist_is_seen() -> None:
    assert typed("`inv deploi --env prod --nope x`") == [("deploi", ["--env", "--nope"])]


def is_listed(message: str) -> bool:
    """Whether a line is one of those listed, with something in place of each placeholder."""
    for each in LISTED:
        pieces = map(re.escape, re.split("<[^>]*>", each))
        says_something = re.search(r"\w\w.*\s\w\w", re.sub("<[^>]*>", "", each))
        if says_something and re.fullmatch(".*".join(pieces), message):
            return True
    return False


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(BadInput) as error:
        call()
    return str(error.value).split("\n")[0]


def test_messages_that_are_raised_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "fabric.yaml"
    said = [refused(lambda: load.find(None)), refused(lambda: load.load(file, "prod"))]
    for written in ("deploy: [", "a: 1", "deploy: {environments: {prd: {}}, apps: 1}"):
        file.write_text(written)
        said.append(refused(lambda: load.load(file, "prod")))
    said += [
        refused(lambda: runs.find([tmp_path])),
        refused(lambda: text.parse("{}", "events.jsonl, line 1")),
        refused(lambda: arguments.seconds_of("soon", "--wait-lock")),
        refused(lambda: arguments.split(" , ", "--hosts")),
        str(as_deploy_error(KeyError("x"), "web-1: prove")),
    ]
    assert [each for each in said if not is_listed(each)] == []


def test_every_common_failure_is_a_message_of_the_code() -> None:
    """In the order of its words; placeholders are in between."""
    found = [row[0].strip("`") for row in rows("Common failures")]
    assert len(found) >= 20
    for message in found:
        pattern = ".*".join(map(re.escape, message.split("…")))
        assert any(re.search(pattern, each) for each in LISTED), message


def test_control_a_message_that_is_not_listed_is_seen() -> None:
    assert not is_listed("this sentence is in no module of ours")
