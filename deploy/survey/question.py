"""The load balancer's health check of a slot, in a form that can be asked on its host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from deploy.aws import group_settings
from deploy.aws.targets import ProtocolVersion
from deploy.hosts.probe.request import NotHttp, Request
from deploy.settings.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.hosts.probe.request import Reply
    from deploy.survey.app_on_host import Membership, SlotOnHost

LOOPBACK = "127.0.0.1"
ANY, ANY_GRPC = "200-499", "0-99"
"""What shows that an app answers at all; from 500 on it says that it is at fault itself."""


class Prober(Protocol):
    """A host that can be asked: its connection."""

    def probe(self, request: Request, seconds: float) -> Reply | None:
        """Ask an address and port of the host; None if nothing answers."""

    def forwards(self, place: tuple[str, int], seconds: float) -> bool:
        """Whether they can be asked through the connection, not only by programs there."""


@dataclass(frozen=True)
class Answer:
    """The answer to a question.

    Attributes:
        place: Where it was asked, and what: `5000/health`; empty for a worker.
        text: The answer in words.
        is_expected: Whether it is what a healthy release gives.
        version: How it was asked in the end; None for a worker, and where nothing came back.
    """

    place: str
    text: str
    is_expected: bool
    version: ProtocolVersion | None = None

    @property
    def said(self) -> str:
        """The answer, with where it came from."""
        return f"{self.text} on port {self.place}" if self.place else self.text


@dataclass(frozen=True)
class Question:
    """The request of a target's health check, and the answers that count as healthy.

    Attributes:
        path: The path that is asked; of a gRPC call its method.
        expect: The codes that mean healthy: status codes, or those of gRPC.
        address: The target's own address, as the load balancer connects to it.
        port: The check's own port; None for the slot's.
        host_header: The Host header; None for address and port, as AWS sends it.
        timeout_seconds: How long one answer may take: as long as the load balancer waits.
        is_tls: Whether it is asked within TLS.
        version: How it is asked; of version HTTP2 an answer over HTTP/1.1 counts too.
    """

    path: str
    expect: str
    address: str = LOOPBACK
    port: int | None = None
    host_header: str | None = None
    timeout_seconds: float = 5.0
    is_tls: bool = False
    version: ProtocolVersion = ProtocolVersion.HTTP1

    @classmethod
    def of(cls, at: SlotOnHost, member: Membership, own: Health | None = None) -> Question:
        """The check of one of the slot's groups, with the app's `health:` over it.

        own: what is put over it in place of that.
        """
        settings, group = at.app.settings, member.group
        own = own or settings.health
        address = member.target.id if group.target_type == "ip" else at.host.private_address
        return cls(
            path=own.path or group.health_path,
            expect=own.expect or group.matcher,
            address=address or LOOPBACK,
            port=int(group.health_port) if group.health_port.isdigit() else settings.target_port,
            host_header=own.host,
            timeout_seconds=own.timeout_seconds or group.timeout_seconds,
            is_tls=group.health_protocol == "HTTPS",
            version=group.protocol_version,
        )

    def place(self, slot_port: int) -> str:
        """The port and path that are asked: `5000/health`."""
        return f"{self.port or slot_port}{self.path}"

    def shown(self, slot_port: int) -> str:
        """The question and its answer in one line: `GET :5000/health gives 200`."""
        what = "gRPC" if self.version is ProtocolVersion.GRPC else "GET"
        over = ["HTTP/2"] if self.version is ProtocolVersion.HTTP2 else []
        over += ["TLS"] if self.is_tls else []
        how = f" over {' and '.join(over)}" if over else ""
        return f"{what} :{self.place(slot_port)}{how} gives {self.expect}"

    def ask(self, host: Prober, slot_port: int, most_seconds: float | None = None) -> Answer:
        """Ask it, for `timeout_seconds`, or `most_seconds` where fewer."""
        port = self.port or slot_port
        header = self.host_header or f"{self.address}:{port}"
        request = Request(self.address, port, self.path, header, self.version, self.is_tls)
        limit = self.timeout_seconds
        limit = limit if most_seconds is None else min(limit, most_seconds)
        place = self.place(slot_port)
        try:
            reply = host.probe(request, limit)
        except NotHttp as error:
            return Answer(place, str(error), is_expected=False)
        if reply is None:
            text = f"no answer within {self.timeout_seconds:g} s"
            return Answer(place, text, is_expected=False)
        expected = group_settings.codes(self.version).parse(self.expect).matches(reply.code)
        what = "gRPC code" if self.version is ProtocolVersion.GRPC else "answer"
        text = f"{what} {reply.code}" + ("" if expected else f", not {self.expect}")
        return Answer(place, text, expected, reply.version)


@dataclass(frozen=True)
class Questions:
    """The health checks of all of a slot's groups; a slot in service passes each of them.

    Attributes:
        each: The questions, each once.
    """

    is_of_worker: ClassVar[bool] = False

    each: tuple[Question, ...]

    @classmethod
    def of(cls, at: SlotOnHost) -> Questions:
        """The checks of the slot's groups; those of a proxy are asked of the app itself first."""
        return cls(tuple(dict.fromkeys((*cls.of_app(at).each, *cls.of_proxy(at).each))))

    @classmethod
    def of_app(cls, at: SlotOnHost) -> Questions:
        """Return the questions for the app itself.

        Behind a proxy that is something on its own port, always: a check on a third port may be
        answered by the proxy alone, as nginx does with a status page.
        """
        if not at.app.settings.target_port:
            return cls(tuple(dict.fromkeys(Question.of(at, each) for each in at.memberships)))
        asked = (each for member in at.memberships for each in _behind_proxy(at, member))
        return cls(tuple(dict.fromkeys(asked)))

    @classmethod
    def of_proxy(cls, at: SlotOnHost) -> Questions:
        """Return the questions for the proxy before the app; none without one.

        The app's `health:` is about the app. The proxy is asked what the load balancer asks it,
        which another app behind it may answer.
        """
        asked = (Question.of(at, member, _plain(at)) for member in at.memberships)
        proxy = at.app.settings.target_port
        return cls(tuple(dict.fromkeys(each for each in asked if proxy and each.port == proxy)))

    @classmethod
    def of_smoke(cls, at: SlotOnHost) -> Questions:
        """The smoke tests of the app, asked of the app itself on the slot's port; maybe none.

        They are asked as the health check of the first group is: its protocol, with TLS or without.
        """
        asked = (
            replace(Question.of(at, member, test.as_health), port=None)
            for member in at.memberships[:1]
            for test in at.app.settings.smoke
        )
        if at.app.settings.target_port is not None:  # as in _behind_proxy
            asked = (replace(each, address=LOOPBACK, is_tls=False) for each in asked)
        return cls(tuple(asked))

    @property
    def longest_seconds(self) -> float:
        """The most that one answer may take."""
        return max(each.timeout_seconds for each in self.each)

    def of_old(self) -> Questions:
        """The same of a release that served before."""
        return self

    def of_previous(self, unit_name: str) -> Questions:
        """The same of the unit that the app replaces: it serves on the same port."""
        del unit_name
        return self

    def shown(self, slot_port: int) -> str:
        """The questions and their answers in one line: `GET :5000/health gives 200`."""
        return ", ".join(dict.fromkeys(each.shown(slot_port) for each in self.each))

    def ask(self, host: Prober, slot_port: int, most_seconds: float | None = None) -> Answer:
        """Ask them in turn; the first answer that is not what was expected, or the last one."""
        return list(self.answers(host, slot_port, most_seconds))[-1][1]

    def answers(
        self, host: Prober, slot_port: int, most_seconds: float | None = None
    ) -> Iterator[tuple[Question, Answer]]:
        """Ask them in turn, up to the first answer that is not what was expected."""
        for question in self.each:
            answer = question.ask(host, slot_port, most_seconds)
            yield question, answer
            if not answer.is_expected:
                return


def _plain(at: SlotOnHost) -> Health:
    """What is put over the load balancer's question where another than the app may answer it."""
    return Health(timeout_seconds=at.app.settings.health.timeout_seconds)


def _behind_proxy(at: SlotOnHost, member: Membership) -> tuple[Question, ...]:
    """What an app behind a proxy is asked for one of its groups."""
    asked, settings = Question.of(at, member), at.app.settings
    if asked.port == at.app.port:
        return (asked,)
    # A proxy connects to the app by loopback, and most of them without TLS.
    own = replace(asked, port=None, address=LOOPBACK, is_tls=False)
    if asked.port == settings.target_port:
        return (own,)
    # Whether the app knows that path is not known: without a `health:` of its own it must answer.
    is_grpc = asked.version is ProtocolVersion.GRPC
    expect = asked.expect if settings.health.is_over_http else (ANY_GRPC if is_grpc else ANY)
    return replace(own, expect=expect), Question.of(at, member, _plain(at))
