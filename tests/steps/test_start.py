"""A start that fails blames the release, unless systemd could not set its process up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, ConnectionLost, DeployError, NotProven
from deploy.hosts.marks import Mark
from deploy.steps.fleet import Fleet
from deploy.steps.records import MarkBad
from deploy.steps.unit import StartUnit
from deploy.steps.verify import ProveRelease
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


class Listening(PaperHost):
    """A host whose unit runs and answers nobody from outside: it listens on these addresses."""

    def __init__(self, *addresses: str) -> None:
        super().__init__(("show.ActiveState=active", "show.LoadState=loaded"))
        self.addresses = addresses

    def ask(self, script: Script[Any], _seconds: float) -> Any:
        if script.programs[-1].name == "bound_to":
            facts = tuple(f"address={each}" for each in self.addresses)
            return script.parse(CommandResult("", 0, "", "", facts=facts))
        return super().ask(script, _seconds)


@pytest.mark.parametrize(
    ("addresses", "shown"),
    [
        (("127.0.0.1",), "127.0.0.1"),
        (("127.0.0.1", "::1"), "127.0.0.1 and ::1"),
        (("127.0.0.53%lo",), "127.0.0.53"),
        (("::ffff:127.0.0.1",), "127.0.0.1"),
        (("127.0.0.1", "0.0.0.0"), ""),  # noqa: S104 - what ss prints
        (("-",), ""),
        (("::",), ""),
        (("10.0.0.1", "127.0.0.1"), ""),
        (("nonsense", "127.0.0.1"), ""),
        ((), ""),
    ],
)
def test_a_service_that_only_its_own_host_can_reach_is_reported_as_that(
    addresses: tuple[str, ...], shown: str
) -> None:
    """Case 39: it was AWS's `Health checks failed`, a delay later."""
    app = builders.app(start_timeout_seconds=1).at(5000)
    step = ProveRelease(HOST, app, builders.NEW, Questions((Question("/", "200"),)))
    with pytest.raises(NotProven) as caught:
        step.run(fleet(Listening(*addresses)))
    said = f"it listens on {shown} alone, where the load balancer cannot reach it; let it listen"
    assert (said in str(caught.value)) is bool(shown)
    assert ("listens on" in str(caught.value)) is bool(shown)


def test_behind_a_proxy_a_service_may_listen_for_its_host_alone() -> None:
    app = builders.app(start_timeout_seconds=1, target_port=80).at(5000)
    step = ProveRelease(HOST, app, builders.NEW, Questions((Question("/", "200"),)))
    with pytest.raises(NotProven) as caught:
        step.run(fleet(Listening("127.0.0.1")))
    assert "listens on" not in str(caught.value)
