"""What is known of a step that failed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.run import failed_step
from deploy.steps.answers import ProvePrevious, ProveRevived
from deploy.steps.drain import WaitDrained
from deploy.steps.unit import ReviveUnit, StopUnit
from deploy.survey.question import Question, Questions
from deploy.survey.slot import UnitState

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script
    from deploy.steps.base import Step

HOST, WEB = builders.host(), builders.app().at(5000)
ASKED = Questions((Question("/", "200"),))


class PaperHost:
    """Remembers whose journal it was asked for."""

    def __init__(self) -> None:
        self.unit = ""

    def ask(self, script: Script[Any]) -> tuple[str, ...]:
        self.unit = script.programs[-1].arguments[0]
        return ("its last line",)


@pytest.mark.parametrize(
    ("step", "unit"),
    [
        (ReviveUnit(HOST, WEB, "old.service"), "old.service"),
        (ProveRevived(HOST, WEB, "old.service", ASKED), "old.service"),
        (ProvePrevious(HOST, WEB, "old.service", ASKED), "old.service"),
        (StopUnit(HOST, WEB), "web@5000.service"),
    ],
)
def test_the_journal_shown_is_that_of_the_unit_that_failed(step: Step, unit: str) -> None:
    host = PaperHost()
    fleet = cast("Any", SimpleNamespace(remote=lambda _: host, started={}))
    assert failed_step.journal(fleet, step) == ("its last line",)
    assert host.unit == unit


def test_the_journal_shown_is_that_of_this_start_alone() -> None:
    """Of what the same unit wrote when it was started before, nothing."""
    host, started = PaperHost(), UnitState(invocation="ab" * 16)
    own = {(HOST.name, WEB.unit_name): started}
    fleet = cast("Any", SimpleNamespace(remote=lambda _: host, started=own))
    assert failed_step.journal(fleet, StopUnit(HOST, WEB)) == ("its last line",)
    assert host.unit == "ab" * 16


def test_a_drain_that_fails_is_not_explained_by_a_journal() -> None:
    fleet = cast("Any", SimpleNamespace(remote=pytest.fail, started={}))
    assert failed_step.journal(fleet, WaitDrained(HOST, WEB, 40)) == ()
