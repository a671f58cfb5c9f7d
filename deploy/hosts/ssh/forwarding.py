"""Asks an address and port that a host can reach, through its SSH connection."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import paramiko

from deploy.hosts.probe import protocol
from deploy.hosts.route.failures import PROHIBITED

if TYPE_CHECKING:
    from deploy.hosts.probe.request import Reply, Request


class ForwardingRefused(Exception):
    """sshd forbids forwarding."""


def ask(transport: paramiko.Transport, request: Request, timeout_seconds: float) -> Reply | None:
    """Ask an address and port; None if nothing answers, see `protocol.ask`.

    Raises ForwardingRefused, and NotHttp where something else comes back.
    """
    try:
        return protocol.ask(partial(_channel, transport, request.place), request, timeout_seconds)
    except (paramiko.SSHException, EOFError):
        return None


def is_allowed(transport: paramiko.Transport, place: tuple[str, int], seconds: float) -> bool:
    """Whether sshd forwards to an address and port, be there a listener or not."""
    try:
        opened = _channel(transport, place, seconds)
    except ForwardingRefused:
        return False
    if opened:
        opened.close()
    return True


def _channel(
    transport: paramiko.Transport, place: tuple[str, int], seconds: float
) -> paramiko.Channel | None:
    """A channel to an address and port, opened within so many seconds; None where none opens.

    Raises ForwardingRefused.
    """
    try:
        return transport.open_channel("direct-tcpip", place, ("127.0.0.1", 0), timeout=seconds)
    except paramiko.ChannelException as error:
        if error.code == PROHIBITED:
            raise ForwardingRefused from error
        return None
    except (paramiko.SSHException, OSError, EOFError):
        return None
