"""The load balancer's health check, as a question that a host can be asked for a slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from deploy.hosts.ssh.http_probe import NotHttp
from deploy.settings import success_codes

if TYPE_CHECKING:
    from deploy.survey.app_on_host import SlotOnHost

LOOPBACK = "127.0.0.1"


class Asked(Protocol):
    """A host that can be asked: its connection."""

    def probe(
        self, place: tuple[str, int], path: str, host_header: str, timeout_seconds: float
    ) -> int | None:
        """The status code that an address and port of the host answer to GET; None for none."""


@dataclass(frozen=True)
class Answer:
    """What a question brought.

    Attributes:
        text: The answer in words.
        is_expected: Whether the load balancer would take it.
    """

    text: str
    is_expected: bool


@dataclass(frozen=True)
class Question:
    """What a target's health check asks, and what counts as healthy.

    Attributes:
        path: The path that is asked.
        expect: The status codes that mean healthy.
        address: The target's own address, as the load balancer connects to it.
        port: The check's own port; None for the slot's.
        host_header: The Host header; None for address and port, as AWS sends it.
        timeout_seconds: How long one answer may take.
    """

    path: str
    expect: str
    address: str = LOOPBACK
    port: int | None = None
    host_header: str | None = None
    timeout_seconds: float = 5.0

    @classmethod
    def of(cls, at: SlotOnHost) -> Question:
        """The check of the slot's first group, with the app's `health:` over it."""
        own, group = at.app.settings.health, at.groups[0]
        address = at.targets[0].id if group.target_type == "ip" else at.host.private_address
        return cls(
            path=own.path or group.health_path,
            expect=own.expect or group.matcher,
            address=address or LOOPBACK,
            port=int(group.health_port) if group.health_port.isdigit() else None,
            host_header=own.host,
            timeout_seconds=own.timeout_seconds,
        )

    def place(self, slot_port: int) -> str:
        """Where a slot is asked, and what: `5000/health`."""
        return f"{self.port or slot_port}{self.path}"

    def shown(self, slot_port: int) -> str:
        """The question and its answer in one line: `GET :5000/health gives 200`."""
        return f"GET :{self.place(slot_port)} gives {self.expect}"

    def ask(self, host: Asked, slot_port: int, most_seconds: float | None = None) -> Answer:
        """Ask it, for `timeout_seconds`, or `most_seconds` where fewer."""
        port = self.port or slot_port
        header = self.host_header or f"{self.address}:{port}"
        limit = self.timeout_seconds
        limit = limit if most_seconds is None else min(limit, most_seconds)
        try:
            code = host.probe((self.address, port), self.path, header, limit)
        except NotHttp as error:
            return Answer(str(error), is_expected=False)
        if code is None:
            return Answer("no answer", is_expected=False)
        expected = success_codes.parse(self.expect).matches(code)
        return Answer(f"answer {code}" + ("" if expected else f", not {self.expect}"), expected)
