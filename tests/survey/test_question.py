"""The proof asks what the load balancer asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.errors import ConnectionLost
from deploy.hosts.ssh.http_probe import NotHttp
from deploy.survey import serving
from deploy.survey.question import Answer, Question, Questions

if TYPE_CHECKING:
    from deploy.survey.facts import Survey

WEB = builders.app()


class PaperHost:
    """Answers in turn what it is given: codes, None for no answer, and errors."""

    def __init__(self, *answers: int | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[tuple[str, int], str, str, float]] = []
        self.within_tls = False

    def probe(
        self, place: tuple[str, int], path: str, host: str, seconds: float, *, is_tls: bool
    ) -> int | None:
        self.asked.append((place, path, host, seconds))
        self.within_tls = is_tls
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def of(health: dict[str, Any] | None = None, port: int = 5000, **group: Any) -> Question:
    """The question for a host with the private address 10.0.0.7."""
    app = builders.app("web", port, health=health or {})
    seen = builders.survey([builders.facts(7)], apps=[app], **group)
    on = seen.on(builders.host(7), app)
    own = replace(on, host=replace(on.host, private_address="10.0.0.7"))
    return Question.of(own, own.memberships[0])


@pytest.mark.parametrize(
    ("question", "asked", "shown"),
    [
        (of(), (("10.0.0.7", 5000), "/health", "10.0.0.7:5000"), "GET :5000/health gives 200"),
        (
            of(health_port="8081", health_path="/actuator/health", matcher="200-299"),
            (("10.0.0.7", 8081), "/actuator/health", "10.0.0.7:8081"),
            "GET :8081/actuator/health gives 200-299",
        ),
        (
            of({"path": "/ready", "expect": "204", "host": "www.example.com"}),
            (("10.0.0.7", 5000), "/ready", "www.example.com"),
            "GET :5000/ready gives 204",
        ),
    ],
    ids=["the group's", "a port of its own", "the settings'"],
)
def test_it_asks_where_and_what_the_load_balancer_asks(
    question: Question, asked: tuple[Any, ...], shown: str
) -> None:
    host = PaperHost(204)
    question.ask(host, 5000)
    assert host.asked == [(*asked, 5.0)]
    assert question.shown(5000) == shown


@pytest.mark.parametrize("protocol", ["HTTP", "HTTPS"])
def test_it_asks_by_the_checks_own_protocol(protocol: str) -> None:
    host, question = PaperHost(200), of(health_protocol=protocol)
    question.ask(host, 5000)
    assert host.within_tls is (protocol == "HTTPS")
    assert (" over TLS gives 200" in question.shown(5000)) is host.within_tls


def test_a_target_by_address_is_asked_at_that_address() -> None:
    assert of(target_type="ip").address == "10.0.0.7"
    assert Question("/", "200").address == "127.0.0.1"


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (200, Answer("5000/", "answer 200", is_expected=True)),
        (404, Answer("5000/", "answer 404, not 200", is_expected=False)),
        (None, Answer("5000/", "no answer", is_expected=False)),
        (NotHttp("no HTTP answer (x)"), Answer("5000/", "no HTTP answer (x)", is_expected=False)),
    ],
)
def test_what_counts_as_healthy(given: Any, answer: Answer) -> None:
    assert Question("/", "200").ask(PaperHost(given), 5000) == answer


def in_two_groups(**second: Any) -> Questions:
    """The questions for a host whose groups ask the same, but for what the second one has."""
    app = builders.app(target_groups=["public", "internal"])
    on = builders.survey(apps=[app]).on(builders.host(), app)
    public, internal = on.memberships
    own = internal._replace(group=replace(internal.group, **second))
    return Questions.of(replace(on, memberships=(public, own)))


def test_what_all_groups_ask_is_asked_once_and_what_differs_is_asked_too() -> None:
    assert in_two_groups().each == (Question("/health", "200"),)
    both = in_two_groups(health_path="/deep", matcher="204")
    assert both.shown(5000) == "GET :5000/health gives 200, GET :5000/deep gives 204"
    for answers, found in (
        ((200, 204), Answer("5000/deep", "answer 204", is_expected=True)),
        ((200, 200), Answer("5000/deep", "answer 200, not 204", is_expected=False)),
        ((503, 204), Answer("5000/health", "answer 503, not 200", is_expected=False)),
    ):
        assert both.ask(PaperHost(*answers), 5000) == found


def test_an_app_behind_a_proxy_is_asked_itself_and_then_through_the_proxy() -> None:
    app = builders.app(target_port=80)
    on = builders.survey(apps=[app]).on(builders.host(), app)
    assert on.targets[0].port == 80
    host = PaperHost(200)
    assert Questions.of(on).ask(host, 5000).place == "80/health"
    assert [place for place, *_ in host.asked] == [("127.0.0.1", 5000), ("127.0.0.1", 80)]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PAUSE_SECONDS", 0.0)


def fleet(**health: Any) -> Survey:
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    return builders.survey(hosts, {"host-1": builders.HEALTHY, "host-2": builders.HEALTHY} | health)


def test_a_healthy_service_that_does_not_pass_is_found_before_any_drain() -> None:
    hosts = {"host-1": PaperHost(200), "host-2": PaperHost(404)}
    ((name, (problem,)),) = serving.unanswered(fleet(), [WEB], hosts).items()
    assert name == "host-2"
    assert problem.startswith("host-2: web@5000.service serves and web-lab calls it healthy, but")
    assert "GET :5000/health gives 200 brought answer 404, not 200" in problem
    assert len(hosts["host-2"].asked) == serving.TRIES


@pytest.mark.parametrize("first", [None, 503, ConnectionLost("the connection broke")])
def test_it_is_asked_up_to_three_times(first: Any) -> None:
    hosts = {"host-1": PaperHost(first, first, 200), "host-2": PaperHost(200)}
    assert serving.unanswered(fleet(), [WEB], hosts) == {}
    assert len(hosts["host-1"].asked) == 3


def test_what_aws_does_not_call_healthy_or_does_not_run_is_not_asked() -> None:
    hosts = {"host-1": PaperHost(200), "host-2": PaperHost(404)}
    assert serving.unanswered(fleet(**{"host-2": builders.UNHEALTHY}), [WEB], hosts) == {}
    assert not hosts["host-2"].asked
