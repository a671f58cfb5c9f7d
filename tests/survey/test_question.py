"""The proof asks what the load balancer asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.aws.targets import ProtocolVersion
from deploy.errors import BadInput, ConnectionLost
from deploy.hosts.probe.request import NotHttp, Reply, Request
from deploy.survey import serving
from deploy.survey.question import Answer, Question, Questions

if TYPE_CHECKING:
    from deploy.survey.facts import Survey

WEB = builders.app()


HTTP1, HTTP2, GRPC = ProtocolVersion


class PaperHost:
    """Answers in turn what it is given: codes, None for no answer, and errors.

    speaks: what it answers an HTTP2 group over; is_open: whether its sshd forwards.
    """

    def __init__(
        self,
        *answers: int | Exception | None,
        speaks: ProtocolVersion = HTTP2,
        is_open: bool = True,
    ) -> None:
        self.answers, self.speaks, self.is_open = list(answers), speaks, is_open
        self.asked: list[tuple[tuple[str, int], str, str, float]] = []
        self.requests: list[Request] = []

    def probe(self, request: Request, seconds: float) -> Reply | None:
        self.asked.append((request.place, request.path, request.host_header, seconds))
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        version = self.speaks if request.version is HTTP2 else request.version
        return None if answer is None else Reply(answer, version)

    def forwards(self, place: tuple[str, int], seconds: float) -> bool:
        del place, seconds
        return self.is_open


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
    assert host.asked == [(*asked, 2.0)]
    assert question.shown(5000) == shown


@pytest.mark.parametrize(
    ("given", "seconds"),
    [({}, 30.0), ({"timeout_seconds": 7}, 7.0)],
    ids=["the group's", "the settings'"],
)
def test_p11_it_waits_as_long_as_the_load_balancer_does(
    given: dict[str, Any], seconds: float
) -> None:
    """A healthy service of 8 s is not refused, nor one proven that AWS would not wait for."""
    host, question = PaperHost(None), of(given, timeout_seconds=30.0)
    answer = question.ask(host, 5000)
    assert host.asked[0][-1] == seconds
    assert answer.text == f"no answer within {seconds:g} s"
    question.ask(host, 5000, 3.0)
    assert host.asked[1][-1] == 3.0
    assert Questions((question, of(given))).longest_seconds == seconds


def test_p11_a_proxy_is_waited_for_as_long_as_the_load_balancer_does() -> None:
    app = builders.app(target_port=80)
    on = builders.survey(apps=[app], timeout_seconds=9.0).on(builders.host(), app)
    assert {each.timeout_seconds for each in Questions.of(on).each} == {9.0}


@pytest.mark.parametrize(
    ("version", "protocol", "shown"),
    [
        (HTTP1, "HTTP", "GET :5000/health gives 200"),
        (HTTP1, "HTTPS", "GET :5000/health over TLS gives 200"),
        (HTTP2, "HTTP", "GET :5000/health over HTTP/2 gives 200"),
        (HTTP2, "HTTPS", "GET :5000/health over HTTP/2 and TLS gives 200"),
        (GRPC, "HTTP", "gRPC :5000/health gives 200"),
        (GRPC, "HTTPS", "gRPC :5000/health over TLS gives 200"),
    ],
)
def test_p11_it_asks_by_the_groups_own_protocol(
    version: ProtocolVersion, protocol: str, shown: str
) -> None:
    host, question = PaperHost(None), of(health_protocol=protocol, protocol_version=version)
    question.ask(host, 5000)
    (request,) = host.requests
    assert (request.version, request.is_tls) == (version, protocol == "HTTPS")
    assert question.shown(5000) == shown


def grpc(health: dict[str, Any] | None = None, **group: Any) -> Question:
    given = {"health_path": "/AWS.ALB/healthcheck", "matcher": "12", "protocol_version": GRPC}
    return of(health, **(given | group))


def test_p11_a_grpc_question_is_the_groups_with_the_settings_over_it() -> None:
    assert grpc().shown(5000) == "gRPC :5000/AWS.ALB/healthcheck gives 12"
    own = grpc({"path": "/grpc.health.v1.Health/Check", "expect": "0", "host": "www"})
    assert own.shown(5000) == "gRPC :5000/grpc.health.v1.Health/Check gives 0"
    host = PaperHost(0)
    assert own.ask(host, 5000) == Answer(own.place(5000), "gRPC code 0", True, GRPC)  # noqa: FBT003
    assert host.requests[0].host_header == "www"


@pytest.mark.parametrize(
    ("matcher", "code", "text", "is_expected"),
    [
        ("12", 12, "gRPC code 12", True),
        ("12", 14, "gRPC code 14, not 12", False),
        ("0-99", 0, "gRPC code 0", True),
        ("0,12", 12, "gRPC code 12", True),
        ("0,12", 1, "gRPC code 1, not 0,12", False),
    ],
)
def test_p11_the_groups_codes_say_which_grpc_answers_are_healthy(
    matcher: str, code: int, text: str, *, is_expected: bool
) -> None:
    answer = grpc(matcher=matcher).ask(PaperHost(code), 5000)
    assert (answer.text, answer.is_expected) == (text, is_expected)


def test_control_a_code_of_http_in_a_grpc_question_is_an_error() -> None:
    """No question has such codes: the settings are refused when the groups are read."""
    with pytest.raises(BadInput, match="'200' is no gRPC code"):
        of(protocol_version=GRPC).ask(PaperHost(12), 5000)


def test_a_target_by_address_is_asked_at_that_address() -> None:
    assert of(target_type="ip").address == "10.0.0.7"
    assert Question("/", "200").address == "127.0.0.1"


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (200, Answer("5000/", "answer 200", is_expected=True, version=HTTP1)),
        (404, Answer("5000/", "answer 404, not 200", is_expected=False, version=HTTP1)),
        (None, Answer("5000/", "no answer within 5 s", is_expected=False)),
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
    assert in_two_groups().each == (Question("/health", "200", timeout_seconds=2.0),)
    patient = in_two_groups(timeout_seconds=30.0)
    assert [each.timeout_seconds for each in patient.each] == [2.0, 30.0]
    assert patient.shown(5000) == "GET :5000/health gives 200"
    both = in_two_groups(health_path="/deep", matcher="204")
    assert both.shown(5000) == "GET :5000/health gives 200, GET :5000/deep gives 204"
    for answers, found in (
        ((200, 204), Answer("5000/deep", "answer 204", is_expected=True, version=HTTP1)),
        ((200, 200), Answer("5000/deep", "answer 200, not 204", is_expected=False, version=HTTP1)),
        ((503, 204), Answer("5000/health", "answer 503, not 200", False, HTTP1)),  # noqa: FBT003
    ):
        assert both.ask(PaperHost(*answers), 5000) == found


def test_an_app_behind_a_proxy_is_asked_itself_and_then_through_the_proxy() -> None:
    app = builders.app(target_port=80)
    on = builders.survey(apps=[app]).on(builders.host(), app)
    assert on.targets[0].port == 80
    host = PaperHost(200)
    assert Questions.of(on).ask(host, 5000).place == "80/health"
    assert [place for place, *_ in host.asked] == [("127.0.0.1", 5000), ("127.0.0.1", 80)]


@pytest.mark.parametrize(
    ("health", "group", "shown"),
    [
        (
            {},
            {"health_port": "8081", "health_path": "/stub"},
            "GET :5000/stub gives 200-499, GET :8081/stub gives 200",
        ),
        (
            {"path": "/ready", "expect": "204"},
            {"health_port": "8081", "health_path": "/stub"},
            "GET :5000/ready gives 204, GET :8081/stub gives 200",
        ),
        (
            {"path": "/ready"},
            {"health_port": "8081", "matcher": "200-299"},
            "GET :5000/ready gives 200-299, GET :8081/health gives 200-299",
        ),
        (
            {},
            {"health_port": "8081", "protocol_version": GRPC, "matcher": "12"},
            "gRPC :5000/health gives 0-99, gRPC :8081/health gives 12",
        ),
        ({}, {"health_port": "5000"}, "GET :5000/health gives 200"),
        ({}, {"health_port": "80"}, "GET :5000/health gives 200, GET :80/health gives 200"),
    ],
    ids=["a third port", "health", "its path alone", "gRPC", "the app's port", "the proxy's port"],
)
def test_p3_an_app_behind_a_proxy_is_asked_on_its_own_port_whatever_port_is_checked(
    health: dict[str, Any], group: dict[str, Any], shown: str
) -> None:
    """The proxy may answer a check on a third port by itself, with the app dead behind it."""
    app = builders.app(target_port=80, health=health)
    on = builders.survey(apps=[app], **group).on(builders.host(), app)
    assert Questions.of(on).shown(5000) == shown
    assert "127.0.0.1" in {each.address for each in Questions.of(on).each}


@pytest.mark.parametrize(
    ("own", "place", "is_expected"),
    [(200, 8081, True), (404, 8081, True), (503, 5000, False), (None, 5000, False)],
)
def test_p3_the_proxys_own_check_does_not_vouch_for_the_app(
    own: int | None, place: int, *, is_expected: bool
) -> None:
    app = builders.app(target_port=80)
    on = builders.survey(apps=[app], health_port="8081").on(builders.host(), app)
    host = PaperHost(own, 200)
    answer = Questions.of(on).ask(host, 5000)
    assert (answer.place, answer.is_expected) == (f"{place}/health", is_expected)


def test_control_a_check_on_a_port_of_the_app_itself_is_asked_there_alone() -> None:
    on = builders.survey(health_port="8081").on(builders.host(), WEB)
    assert Questions.of(on).shown(5000) == "GET :8081/health gives 200"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PAUSE_SECONDS", 0.0)


def fleet(**health: Any) -> Survey:
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    return builders.survey(hosts, {"host-1": builders.HEALTHY, "host-2": builders.HEALTHY} | health)


def test_a_healthy_service_that_does_not_pass_is_found_before_any_drain() -> None:
    hosts = {"host-1": PaperHost(200), "host-2": PaperHost(404)}
    ((name, (problem,)),) = serving.verdict(fleet(), [WEB], hosts).problems.items()
    assert name == "host-2"
    assert problem.startswith("host-2: web@5000.service serves and web-lab calls it healthy, but")
    assert "GET :5000/health gives 200 brought answer 404, not 200" in problem
    assert len(hosts["host-2"].asked) == serving.TRIES


@pytest.mark.parametrize("first", [None, 503, ConnectionLost("the connection broke")])
def test_it_is_asked_up_to_three_times(first: Any) -> None:
    hosts = {"host-1": PaperHost(first, first, 200), "host-2": PaperHost(200)}
    assert serving.verdict(fleet(), [WEB], hosts) == serving.Verdict({})
    assert len(hosts["host-1"].asked) == 3


def test_what_aws_does_not_call_healthy_or_does_not_run_is_not_asked() -> None:
    hosts = {"host-1": PaperHost(200), "host-2": PaperHost(404)}
    seen = fleet(**{"host-2": builders.UNHEALTHY})
    assert serving.verdict(seen, [WEB], hosts) == serving.Verdict({})
    assert not hosts["host-2"].asked


def of_version(version: ProtocolVersion, **settings: Any) -> Survey:
    """The fleet, whose one group is of a version."""
    seen = fleet(**settings)
    (group,) = seen.groups["web"]
    own = replace(group, protocol_version=version, matcher="12" if version is GRPC else "200")
    return replace(seen, groups={"web": (own,)})


SPEAKS = "target group web-lab speaks HTTP/2: what serves answers its question over "


@pytest.mark.parametrize(
    ("speaks", "note"),
    [
        ((HTTP2, HTTP2), "HTTP/2"),
        ((HTTP1, HTTP1), "HTTP/1.1"),
        ((HTTP2, HTTP1), "HTTP/2 on host-1, over HTTP/1.1 on host-2"),
    ],
)
def test_p11_the_plan_says_which_protocol_an_http2_group_was_answered_over(
    speaks: tuple[ProtocolVersion, ProtocolVersion], note: str
) -> None:
    hosts = {f"host-{n}": PaperHost(200, speaks=each) for n, each in enumerate(speaks, 1)}
    assert serving.verdict(of_version(HTTP2), [WEB], hosts) == serving.Verdict({}, (SPEAKS + note,))


def test_control_a_group_over_http1_has_no_such_note() -> None:
    hosts = {"host-1": PaperHost(200), "host-2": PaperHost(200)}
    assert serving.verdict(of_version(HTTP1), [WEB], hosts).notes == ()


@pytest.mark.parametrize("health", [builders.HEALTHY, builders.UNHEALTHY])
@pytest.mark.parametrize("version", [HTTP2, GRPC])
def test_p10_a_question_that_sshd_does_not_let_through_is_refused_by_name(
    health: Any, version: ProtocolVersion
) -> None:
    """Before any drain, whatever serves there; an old release may speak HTTP/1.1 too."""
    code = 12 if version is GRPC else 200
    hosts = {"host-1": PaperHost(code), "host-2": PaperHost(code, speaks=HTTP1, is_open=False)}
    found = serving.verdict(of_version(version, **{"host-2": health}), [WEB], hosts)
    assert found.problems == {
        "host-2": (
            f"host-2: the health check of a target group of version {version} is asked through "
            "the SSH connection, and sshd forbids forwarding: set `AllowTcpForwarding local` in "
            "its sshd_config (target group web-lab)",
        )
    }
    assert not hosts["host-2"].asked


def test_control_a_question_over_http1_is_asked_without_forwarding() -> None:
    hosts = {name: PaperHost(200, speaks=HTTP1, is_open=False) for name in ("host-1", "host-2")}
    assert serving.verdict(of_version(HTTP1), [WEB], hosts).problems == {}
    assert all(host.asked for host in hosts.values())


def test_a_connection_that_breaks_while_it_is_seen_whether_sshd_forwards_is_that_hosts() -> None:
    class Broken(PaperHost):
        def forwards(self, place: tuple[str, int], seconds: float) -> bool:
            raise ConnectionLost(f"the connection broke before {place}, {seconds}")

    hosts = {"host-1": PaperHost(12), "host-2": Broken(12)}
    (found,) = serving.verdict(of_version(GRPC), [WEB], hosts).problems.values()
    assert found[0].startswith("the connection broke")


def in_groups(**healths: Any) -> Survey:
    """One host, healthy or not in each of two groups, which ask different paths."""
    app = builders.app(target_groups=["public", "internal"])
    hosts = [builders.facts(1, {"web": builders.slot()})]
    seen = builders.survey(hosts, apps=[app])
    groups = tuple(
        replace(group, health_path=f"/{group.name}", health_port="traffic-port")
        for group in seen.groups["web"]
    )
    health = {
        group.arn: dict.fromkeys(seen.health[group.arn], healths[group.name]) for group in groups
    }
    return replace(seen, groups={"web": groups}, health=health)


@pytest.mark.parametrize(
    ("healths", "paths"),
    [
        ({"public": builders.HEALTHY, "internal": builders.HEALTHY}, ["/public", "/internal"]),
        ({"public": builders.HEALTHY, "internal": builders.UNHEALTHY}, ["/public"]),
        ({"public": builders.UNHEALTHY, "internal": builders.HEALTHY}, ["/internal"]),
        ({"public": builders.UNHEALTHY, "internal": builders.UNHEALTHY}, []),
    ],
)
def test_p11_it_is_asked_what_each_group_asks_that_calls_it_healthy(
    healths: dict[str, Any], paths: list[str]
) -> None:
    app = builders.app(target_groups=["public", "internal"])
    host = PaperHost(200)
    assert serving.verdict(in_groups(**healths), [app], {"host-1": host}).problems == {}
    assert [path for _, path, *_ in host.asked] == paths


def test_p11_a_wrong_question_of_one_group_is_named_with_that_group_alone() -> None:
    app = builders.app(target_groups=["public", "internal"])
    seen = in_groups(public=builders.HEALTHY, internal=builders.UNHEALTHY)
    ((problem,),) = serving.verdict(seen, [app], {"host-1": PaperHost(404)}).problems.values()
    assert "serves and public calls it healthy, but it does not pass" in problem
    assert "GET :5000/public gives 200 brought answer 404, not 200" in problem
