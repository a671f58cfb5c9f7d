"""The Paramiko transport of our connections: known keys, OpenSSH's algorithms, no endless waits."""

from __future__ import annotations

import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.ssh_exception import IncompatiblePeer

from deploy.clock import CLOCK
from deploy.hosts.route import failures
from deploy.hosts.ssh import algorithms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.hosts.ssh.algorithms import Mismatch

GLOBAL_REQUEST = bytes([80])  # RFC 4254, 4
KEEPALIVE_SECONDS = 10
UNANSWERED_MOST = 3
_OFTEN_SECONDS = 0.001  # as often as Paramiko's reader wakes, which is each 0.1 s
UNACKNOWLEDGED_MS = (UNANSWERED_MOST + 1) * KEEPALIVE_SECONDS * 1000
NO_KEX = ("ext-info-", "kex-strict-")
"""Names in a server's list of key exchanges that are none (RFC 8308; OpenSSH's PROTOCOL)."""


class NoCommonAlgorithm(IncompatiblePeer):
    """A server allows none of the algorithms of some kind that are offered.

    mismatches: each kind, with what the server allows and what is offered.
    """

    def __init__(self, mismatches: tuple[Mismatch, ...]) -> None:
        super().__init__("; ".join(str(each) for each in mismatches))
        self.mismatches = mismatches


def _offered(kind: str) -> tuple[str, ...]:
    return algorithms.offered(kind, getattr(paramiko.Transport, f"_preferred_{kind}"))


class _Login(AuthHandler):
    """Paramiko's own, but that a key which cannot sign leaves the connection to the next one."""

    def _parse_service_accept(self, m: paramiko.Message) -> None:
        try:
            super()._parse_service_accept(m)  # type: ignore[misc] # left out of its types
        except Exception as error:  # noqa: BLE001 - whatever an agent or a device makes of it
            # Nothing was sent, so no server refused the key: it is an error of another kind.
            no_common = isinstance(error, paramiko.AuthenticationException)
            why = "the server allows no RSA key with SHA-2" if no_common else str(error)
            self.transport.saved_exception = paramiko.SSHException(why)
            done: Any = self.auth_event  # its type knows that there may be none
            done.set()


class Transport(paramiko.Transport):
    """Paramiko's own, which offers what OpenSSH does, and asks whether the host still answers.

    AES-GCM comes first in OpenSSH's order too; it is a third less work for the same upload.
    """

    # Paramiko reads these and drops what `disabled_algorithms` names; it never adds any.
    _preferred_kex = _offered("kex")
    _preferred_keys = _offered("keys")
    _preferred_pubkeys = _offered("pubkeys")
    _preferred_ciphers = _offered("ciphers")
    _preferred_macs = _offered("macs")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._heard_at, self._unanswered = (born := CLOCK.monotonic()), 0
        read = self.packetizer.read_message

        def heard() -> Any:
            message = read()
            self._heard_at, self._unanswered = CLOCK.monotonic(), 0
            return message

        self.packetizer.read_message = heard  # type: ignore[method-assign]
        self._last_line, line = "", self.packetizer.readline

        def patient(timeout: float) -> str:
            # Paramiko waits 2 s for each line after the first, and AWS's Session Manager plugin
            # prints two before it connects (session.go: Execute): one limit is for all of them.
            left = born + self.banner_timeout - CLOCK.monotonic()
            try:
                self._last_line = line(max(timeout, left))
            except UnicodeDecodeError as error:  # ssh reads bytes
                self._last_line = error.object.decode(errors="replace")
            return self._last_line

        self.packetizer.readline = patient  # type: ignore[method-assign]
        self._opening: dict[int, int] = {}  # by thread, the channel that it opens
        self._refused: dict[int, paramiko.ChannelException] = {}  # by channel

    def auth_publickey(
        self, username: str, key: paramiko.PKey, event: threading.Event | None = None
    ) -> list[str]:
        """Offer a key; an AuthenticationException is the server's refusal of it.

        Any other SSHException, while the connection is active, says why it could not be offered.
        """
        if not self.is_active() or event is not None:
            return super().auth_publickey(username, key, event)
        self.auth_handler = handler = _Login(self)
        handler.auth_publickey(username, key, done := threading.Event())
        return list(handler.wait_for_response(done))

    def start_client(
        self, event: threading.Event | None = None, timeout: float | None = None
    ) -> None:
        """Begin as a client; TurnedAway, or NoServer, where no banner comes."""
        try:
            super().start_client(event, timeout)
        except (paramiko.SSHException, OSError, EOFError) as error:
            if why := failures.before_banner(error, self.remote_version, self._last_line):
                raise why from error
            raise

    def open_channel(self, *arguments: Any, **named: Any) -> paramiko.Channel:
        """Open a channel; a ChannelException is of this one, with the words of the server.

        Paramiko keeps one exception for all threads, which may be another channel's.
        """
        try:
            return super().open_channel(*arguments, **named)
        finally:
            self._refused.pop(self._opening.pop(threading.get_ident(), -1), None)

    def _next_channel(self) -> int:
        number: int = super()._next_channel()  # type: ignore[misc] # left out of its types
        self._opening[threading.get_ident()] = number
        return number

    def _parse_channel_open_failure(self, m: paramiko.Message) -> None:
        answer = paramiko.Message(m.asbytes())
        number, code, said = answer.get_int(), answer.get_int(), answer.get_text()
        self._refused[number] = paramiko.ChannelException(code, said)
        super()._parse_channel_open_failure(m)  # type: ignore[misc] # left out of its types
        self.saved_exception = None

    def get_exception(self) -> Exception | None:
        """What ended the connection, or refused the channel that this thread opens."""
        own = self._refused.get(self._opening.get(threading.get_ident(), -1))
        return own or super().get_exception()

    def use_compression(self, compress: bool = True) -> None:
        """Offer compression after the login alone, as OpenSSH does, and never before it."""
        self._preferred_compression = ("zlib@openssh.com", "none") if compress else ("none",)

    def _parse_kex_init(self, m: paramiko.Message) -> None:
        """Agree on algorithms; NoCommonAlgorithm names what the server would have to allow."""
        offer = paramiko.Message(m.asbytes())
        try:
            super()._parse_kex_init(m)  # type: ignore[misc] # left out of its types
        except IncompatiblePeer as error:
            found = algorithms.mismatches(self._ours(), self._theirs(offer))
            raise (NoCommonAlgorithm(found) if found else error) from error

    def _ours(self) -> dict[str, Sequence[str]]:
        return {
            "kex": self.preferred_kex,
            "keys": self.preferred_keys,
            "ciphers": self.preferred_ciphers,
            "macs": self.preferred_macs,
        }

    def _theirs(self, offer: paramiko.Message) -> dict[str, list[list[str]]]:
        parsed = self._really_parse_kex_init(offer)  # type: ignore[attr-defined] # as above
        kex = [name for name in parsed["kex_algo_list"] if not name.startswith(NO_KEX)]
        return {
            "kex": [kex],
            "keys": [parsed["server_key_algo_list"]],
            "ciphers": [parsed["client_encrypt_algo_list"], parsed["server_encrypt_algo_list"]],
            "macs": [parsed["client_mac_algo_list"], parsed["server_mac_algo_list"]],
        }

    def set_keepalive(self, interval: float) -> None:
        """After each so many seconds of silence ask the host; end once it left three unanswered.

        Paramiko's own wants no answer, so that a host which froze or lost its power would be
        waited for until the command's own time is up; and it asks nothing while we send, as all
        hosts behind a jump host do. OpenSSH's ServerAliveInterval is of the host's silence, too.
        """
        self.packetizer.set_keepalive(_OFTEN_SECONDS, partial(self._ask, interval))

    def _ask(self, interval: float) -> None:
        """Called by the reading thread, where an exception ends the connection."""
        if CLOCK.monotonic() - self._heard_at <= (self._unanswered + 1) * interval:
            return
        if self._unanswered == UNANSWERED_MOST:
            raise paramiko.SSHException(f"{UNANSWERED_MOST} keep-alives were not answered")
        self._unanswered += 1
        self.completion_event = threading.Event()
        question = paramiko.Message()
        question.add_byte(GLOBAL_REQUEST)
        question.add_string("keepalive@openssh.com")
        question.add_boolean(b=True)  # an answer is wanted
        self._send_user_message(question)  # type: ignore[attr-defined] # left out of its types


def preferring(kinds: Sequence[str]) -> Callable[..., Transport]:
    """Make transports that ask a machine first for keys of these types, as ssh does.

    It would show another key of its own otherwise, which is not known. Types of certificates are
    asked for if they are given alone.
    """

    def make(*arguments: Any, **named: Any) -> Transport:
        made = Transport(*arguments, **named)
        options = made.get_security_options()
        known = made._key_info  # type: ignore[attr-defined] # noqa: SLF001 - left out of its types
        wanted = [kind for kind in kinds if "-cert-" in kind and kind in known]
        wanted += [name for kind in kinds for name in options.key_types if _is_of(name, kind)]
        others = [name for name in options.key_types if name not in wanted]
        options.key_types = (*wanted, *others)
        return made

    return make


def _is_of(algorithm: str, kind: str) -> bool:
    """Whether an algorithm is used with keys of a type: RSA's have others (RFC 8332)."""
    return algorithm == kind or (kind == "ssh-rsa" and algorithm.startswith("rsa-sha2-"))


def watch(transport: paramiko.Transport | None) -> None:
    """Have a connection noticed that does not answer any more, and send without a delay."""
    if transport:
        transport.set_keepalive(KEEPALIVE_SECONDS)
        answer_at_once(transport)


def answer_at_once(transport: paramiko.Transport) -> None:
    """Switch Nagle's algorithm off, as OpenSSH does: each command would wait 40 ms for an ACK.

    What was sent and is not acknowledged ends the connection as keep-alives do (tcp(7)): a thread
    that waits to send more keeps the one that would ask from asking. A proxy's pipe has no such
    options, and needs none.
    """
    if isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if limit := getattr(socket, "TCP_USER_TIMEOUT", None):  # Linux
            transport.sock.setsockopt(socket.IPPROTO_TCP, limit, UNACKNOWLEDGED_MS)
