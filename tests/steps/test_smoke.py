"""Smoke tests: a new release answers its own requests before it serves, and stays up after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
from pydantic import ValidationError

from deploy.command_result import CommandResult
from deploy.errors import NotProven
from deploy.hosts.probe.request import Reply, Request
from deploy.settings.health import SmokeTest
from deploy.steps.fleet import Fleet
from deploy.steps.verify import ProveRelease
from deploy.survey.question import Question, Questions

if TYPE_CHECKING:
    from deploy.hosts.scripts.script import Script

HOST = builders.host()
RELEASE = "2.0.0-0123456789ab"
STATE = ("show.ActiveState=active", "show.SubState=running", f"show.InvocationID={'a' * 32}")


class PaperHost:
    """Answers each path with a code; keeps what it was asked."""

    def __init__(self, **codes: int) -> None:
        self.codes, self.asked = codes, list[str]()

    def probe(self, request: Request, _seconds: float) -> Reply:
        self.asked.append(request.path)
        return Reply(self.codes.get(request.path.strip("/"), 200))

    def ask(self, script: Script[Any], _seconds: float) -> Any:
        return script.parse(CommandResult("", 0, "", "", facts=STATE))


@pytest.fixture(autouse=True)
def runs_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose port it is, and what runs there, is another test's."""
    monkeypatch.setattr(ProveRelease, "_see_own_release", lambda *_: None)


def prove(host: PaperHost, *tests: Question) -> None:
    app = builders.app(prove_seconds=0.0, start_timeout_seconds=5).at(5000)
    health = Questions((Question("/health", "200"),))
    step = ProveRelease(HOST, app, RELEASE, health, Questions(tests))
    remotes = {HOST.name: cast("Any", host)}
    step.run(Fleet(remotes, {}, cast("Any", None), cast("Any", None), author="me"))


def test_each_is_asked_after_the_health_check_and_the_health_check_once_more_after_them() -> None:
    host = PaperHost(login=302)
    prove(host, Question("/orders", "200"), Question("/login", "302"))
    assert host.asked == ["/health", "/orders", "/login", "/health"]


def test_p3_a_release_that_fails_one_is_not_proven_and_the_rest_are_not_asked() -> None:
    host = PaperHost(orders=500)
    with pytest.raises(NotProven) as failed:
        prove(host, Question("/orders", "200"), Question("/login", "302"))
    assert str(failed.value) == (
        "host-1: web@5000.service failed the smoke test `GET :5000/orders gives 200`: answer 500, "
        "not 200 on port 5000/orders"
    )
    assert failed.value.blames_release
    assert host.asked == ["/health", "/orders"]


def test_a_plan_says_how_many_there_are_and_how_long_they_may_take() -> None:
    app = builders.app().at(5000)
    health = Questions((Question("/health", "200"),))
    tests = Questions((Question("/a", "200", timeout_seconds=3.0), Question("/b", "200")))
    step = ProveRelease(HOST, app, RELEASE, health, tests)
    assert "GET :5000/health gives 200, 2 smoke tests (on the hosts only), then up 5 s" in str(step)
    plain = ProveRelease(HOST, app, RELEASE, health)
    assert step.longest_seconds(()) - plain.longest_seconds(()) == 8.0
    assert step.estimated_seconds(()) == plain.estimated_seconds(())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"smoke": [{"path": "orders"}]}, "smoke.0.path"),
        ({"smoke": [{"expect": "200"}]}, "smoke.0.path"),
        ({"smoke": [{"path": "/", "expect": "maybe"}]}, "smoke.0.expect"),
        ({"smoke": [{"path": "/", "timeout_seconds": 0}]}, "smoke.0.timeout_seconds"),
        ({"smoke": [{"path": "/", "method": "POST"}]}, "smoke.0.method"),
    ],
)
def test_what_is_no_smoke_test_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        builders.app(**settings)
    assert said in str(refused.value)


def test_a_worker_has_none() -> None:
    with pytest.raises(ValidationError, match="has no meaning for a worker"):
        builders.worker(smoke=[SmokeTest(path="/")])
