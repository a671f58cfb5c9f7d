"""A start that fails blames the release, unless systemd could not set its process up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.errors import CommandFailed, CommandResult, ConnectionLost, DeployError
from deploy.hosts.marks import Mark
from deploy.steps.fleet import Fleet
from deploy.steps.records import MarkBad
from deploy.steps.unit import StartUnit
from deploy.steps.verify import NotProven, ProveRelease
from deploy.survey.question import Question, Questions

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script

HOST, WEB = builders.host(), builders.app().at(5000)
EXEC = ("show.ActiveState=activating", "show.SubState=auto-restart", "show.Result=exit-code")


class PaperHost:
    """Refuses to start anything; shows these facts of the unit, or raises an error."""

    def __init__(self, shown: tuple[str, ...] | DeployError) -> None:
        self.shown = shown
        self.sent: list[Script[Any]] = []

    def change(self, _app: str, script: Script[Any], _seconds: float = 0) -> None:
        self.sent.append(script)
        if script.programs[0].name == "start_unit":
            raise CommandFailed(HOST.name, script.name, CommandResult("", 1, "", "Job failed."))

    def ask(self, script: Script[Any], _seconds: float) -> Any:
        if isinstance(self.shown, DeployError):
            raise self.shown
        return script.parse(CommandResult("", 0, "", "", facts=self.shown))

    def probe(self, *_: object) -> None:
        """Nothing answers."""


def fleet(host: PaperHost) -> Fleet:
    remotes = {HOST.name: cast("Any", host)}
    return Fleet(remotes, {}, cast("Any", None), cast("Any", None), author="me@here", run="ab" * 16)


@pytest.mark.parametrize(
    ("shown", "blames"),
    [
        ((*EXEC, "show.ExecMainStatus=203"), False),
        ((*EXEC, "show.ExecMainStatus=226"), False),
        ((*EXEC, "show.ExecMainStatus=1"), True),
        (("show.ActiveState=failed", "show.Result=timeout"), True),
        (("show.ActiveState=inactive", "show.Result=success"), False),
        (ConnectionLost("the connection broke"), True),
    ],
)
def test_a_refused_start_is_judged_by_its_unit(shown: Any, *, blames: bool) -> None:
    with pytest.raises(CommandFailed) as caught:
        StartUnit(HOST, WEB).run(fleet(PaperHost(shown)))
    assert caught.value.blames_release is blames


@pytest.mark.parametrize(("status", "blames"), [(203, False), (217, False), (1, True), (139, True)])
def test_a_release_that_ends_at_its_start_is_judged_by_its_status(
    status: int, *, blames: bool
) -> None:
    step = ProveRelease(HOST, WEB, builders.NEW, Questions((Question("/", "200"),)))
    with pytest.raises(NotProven, match=f"result: exit-code, status {status}") as caught:
        step.run(fleet(PaperHost((*EXEC, f"show.ExecMainStatus={status}"))))
    assert caught.value.blames_release is blames


def test_a_mark_says_what_failed_under_which_unit_when_who_and_why() -> None:
    host = PaperHost(())
    MarkBad(HOST, WEB, builders.NEW, "cd" * 32, "host-1: web gave answer 503").run(fleet(host))
    _, release, line = host.sent[0].programs[0].arguments
    mark = Mark.parse(builders.NEW, line)
    assert (release, mark and mark.at != "") == (builders.NEW, True)
    assert mark == Mark(
        builders.NEW,
        "cd" * 32,
        mark.at if mark else "",
        "me@here",
        "ab" * 16,
        "host-1: web gave answer 503",
    )
