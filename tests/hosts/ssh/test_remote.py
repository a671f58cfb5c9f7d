"""A host over SSH: every answer is a result or our own error, within a time and a size."""

from __future__ import annotations

import http.server
import io
import shutil
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders
import paramiko
import pytest
from h2.exceptions import H2Error
from http2_peers import Server
from shell import typed
from sshd import Sshd

from audit import trickle
from deploy.aws.inventory import Host
from deploy.aws.targets import ProtocolVersion
from deploy.errors import CommandFailed, ConnectionLost, LockLost, RemoteError, Unreachable
from deploy.hosts.probe.request import NotHttp, Reply, Request
from deploy.hosts.scripts import base
from deploy.hosts.scripts.script import TAKEN_OVER, Facts, exit_code
from deploy.hosts.ssh import exchange
from deploy.hosts.ssh.remote import Remote
from lab import packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.errors import DeployError


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    server = Sshd(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def remote(sshd: Sshd, tmp_path: Path) -> Iterator[Remote]:
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    (tmp_path / "known_hosts").write_text(sshd.known_hosts())
    environment = builders.environment(
        hosts=("127.0.0.1",),
        root=tmp_path,
        ssh={
            "user": "deploy",
            "port": sshd.port,
            "key_files": ["key"],
            "known_hosts": ["known_hosts"],
            "connect_timeout_seconds": 5,
        },
        fabric={"load_ssh_configs": False, "connect_kwargs": {"allow_agent": False}},
    )
    made = Remote(Host("127.0.0.1", "127.0.0.1", "i-1", "eu-west-1a"), environment)
    yield made
    made.close()


def wait_until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Return once it holds."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_an_answer_is_output_exit_code_and_facts(remote: Remote) -> None:
    result = remote.ask(typed("echo out; echo err >&2; fact key value; exit 3"))
    assert (result.exit_code, result.stdout.split(), result.stderr.split()) == (3, ["out"], ["err"])
    assert Facts(result.facts).first("key") == "value"


def test_many_commands_share_one_connection(remote: Remote, sshd: Sshd) -> None:
    for number in range(5):
        assert remote.ask(typed(f"echo {number}")).stdout.strip() == str(number)
    assert sshd.connections == 1


def test_a_command_that_does_not_end_is_given_up(remote: Remote) -> None:
    began = time.monotonic()
    with pytest.raises(RemoteError, match=r"a look: no end after 0.5 s"):
        remote.ask(typed("sleep 30"), timeout_seconds=0.5)
    assert time.monotonic() - began < 10


def test_an_answer_that_is_too_long_is_given_up_and_says_where_to_look(remote: Remote) -> None:
    with pytest.raises(RemoteError, match=r"the answer is longer than 1 MiB; look what prints"):
        remote.ask(typed("head -c 3000000 /dev/zero | tr '\\0' x"), most_bytes=2**20)
    with pytest.raises(RemoteError, match=r"the answer is longer than 1 MiB"):
        remote.ask(typed("head -c 3000000 /dev/zero | tr '\\0' x >&2"), most_bytes=2**20)


def test_a_connection_that_breaks_is_named_and_the_next_command_opens_another(
    remote: Remote, sshd: Sshd
) -> None:
    remote.connect()
    timer = threading.Timer(0.3, sshd.drop)
    timer.start()
    with pytest.raises(ConnectionLost, match="the connection broke"):
        remote.ask(typed("sleep 20"), timeout_seconds=20)
    timer.join()
    assert remote.ask(typed("echo again")).stdout.strip() == "again"
    assert sshd.connections == 2


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "dash"])
def test_p7_a_shell_that_takes_the_input_for_its_own_commands_runs_none_of_it(
    remote: Remote, sshd: Sshd, tmp_path: Path, shell: str
) -> None:
    """`exec zsh` in ~/.bashrc: the script ran as the login user, and was read as root's answer."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    sshd.shell = ("/bin/sh", "-c", f"exec {shell}", "-")
    result = remote.ask(typed(f"touch {tmp_path}/ran; fact key value"))
    assert (result.has_begun, result.exit_code, result.facts) == (False, 126, ())
    assert TAKEN_OVER in result.stderr
    assert not (tmp_path / "ran").exists()


def test_a_start_up_file_that_reads_the_input_is_named(remote: Remote, sshd: Sshd) -> None:
    sshd.shell = ("/bin/sh", "-c", 'read -r line; eval "$1"', "-")
    with pytest.raises(RemoteError, match=r"start-up file of it\n.* reads the input, which is"):
        remote.ask(typed("true"))


def test_a_login_shell_that_runs_nothing_is_named(remote: Remote, sshd: Sshd) -> None:
    sshd.shell = ("/bin/sh", "-c", "echo This account is not available #")
    with pytest.raises(RemoteError, match="did not run the command: This account"):
        remote.ask(typed("echo out"))


def test_p7_sudo_is_told_that_root_is_meant(remote: Remote, sshd: Sshd) -> None:
    """With `runas_default` in the sudoers, scripts ran as that user and were taken for root's."""
    elsewhere = (
        'case "$*" in *"-u root "*) shift 3; exec "$@";; *) echo not root >&2; exit 9;; esac'
    )
    (sshd.folder / "bin" / "sudo").write_text(f"#!/bin/sh\n{elsewhere}\n")
    assert remote.ask(typed("echo ran")).stdout.strip() == "ran"


def test_root_needs_no_sudo(tmp_path: Path, sshd: Sshd) -> None:
    """Case 35: sudo is not there, or does not let root in."""
    (sshd.folder / "bin" / "sudo").write_text("#!/bin/sh\necho sudo: no >&2; exit 1\n")
    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))
    (tmp_path / "known_hosts").write_text(sshd.known_hosts())
    ssh: dict[str, Any] = {
        "port": sshd.port,
        "key_files": ["key"],
        "known_hosts": ["known_hosts"],
    }
    said: dict[str, str] = {}
    for user in ("root", "deploy"):
        own = builders.environment(root=tmp_path, ssh=ssh | {"user": user})
        connected = Remote(Host("127.0.0.1", "127.0.0.1", "i-1"), own)
        result = connected.ask(typed("echo out").read_by(lambda result: result), 5)
        said[user] = result.stdout.strip() or f"{result.stderr.strip()}, {result.has_begun}"
        connected.close()
    assert said == {"root": "out", "deploy": "sudo: no, False"}


def test_how_long_a_command_waited_before_it_began_is_known(remote: Remote, sshd: Sshd) -> None:
    wait = '#!/bin/sh\nsleep 0.5\nshift 3\nexec "$@"\n'
    (sshd.folder / "bin" / "sudo").write_text(wait)
    result = remote.ask(typed("sleep 0.2; echo out"))
    assert 0.5 <= result.start_seconds < result.seconds
    assert result.has_begun


def test_what_a_shells_start_up_files_print_is_no_answer(remote: Remote, sshd: Sshd) -> None:
    sshd.shell = ("/bin/sh", "-c", 'echo "welcome, key=evil"; exec /bin/sh -c "$1"', "sh")
    assert remote.ask(typed("echo out")).stdout.split() == ["out"]


NOISE = (
    "printf title; printf 'motd' >&2; printf '\\nsudo: unable to resolve host x\\n' >&2; "
    'exec 3>&1; /bin/sh -c "$1"; code=$?; printf bye; printf "mesg: not a tty" >&2; exit $code'
)


@pytest.mark.parametrize("code", [0, 3])
def test_what_is_printed_around_an_answer_is_no_part_of_it(
    remote: Remote, sshd: Sshd, code: int
) -> None:
    """Before and after it, without a newline, and on stderr."""
    sshd.shell = ("/bin/sh", "-c", NOISE, "sh")
    result = remote.ask(typed(f"printf out; fact key value; printf own >&2; exit {code}"))
    assert (result.exit_code, result.stdout.strip()) == (code, "out")
    assert Facts(result.facts).first("key") == "value"
    if code:  # of a command that succeeded, what is late on stderr is not waited for
        assert result.stderr.strip() == "own"
        assert "sudo: unable to resolve host x" in result.around
    assert "mesg" not in result.stderr


def test_a_failure_is_told_by_the_commands_own_words(remote: Remote, sshd: Sshd) -> None:
    """Noise on stderr stood in the place of what a command had printed."""
    sshd.shell = ("/bin/sh", "-c", NOISE, "sh")
    with pytest.raises(RemoteError) as failed:  # of this machine it may say that it is starting
        remote.change("web", typed("echo 'no space left'; exit 1"))
    assert "no space left" in str(failed.value)
    assert "mesg" not in str(failed.value)


def test_how_long_a_command_took_to_begin_is_known(remote: Remote, sshd: Sshd) -> None:
    assert remote.ask(typed("sleep 0.4")).start_seconds < 0.4
    sshd.shell = ("/bin/sh", "-c", 'sleep 0.4; exec /bin/sh -c "$1"', "sh")
    assert remote.ask(typed("true")).start_seconds >= 0.4


def test_a_host_that_is_not_there_is_unreachable(remote: Remote, sshd: Sshd) -> None:
    sshd.stop()
    with pytest.raises(Unreachable):
        remote.ask(typed("true"))


class Guard:
    """A lock whose fence lets everything pass."""

    fence = typed("true").read_by(exit_code)

    def __init__(self) -> None:
        self.confirmed = 0

    def confirm(self) -> None:
        self.confirmed += 1

    def refused(self, where: str) -> DeployError:
        return LockLost(f"{where}: not ours")


@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts without the lock's files, which are root's; the fence stays."""
    monkeypatch.setattr(base, "locked", lambda _, script, *__: script)


@pytest.mark.usefixtures("unlocked")
@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (base.LOCK_BUSY, RemoteError, "another command of a deploy still runs there"),
        (base.LOCK_LOST, LockLost, "switching: not ours"),
        (base.HOST_UNSETTLED, RemoteError, "failed while it starts or stops: not yet"),
        (7, CommandFailed, "switching ended with exit code 7: not yet"),
    ],
)
def test_the_exit_code_of_a_change_says_what_is_wrong(
    remote: Remote, code: int, error: type[Exception], said: str
) -> None:
    remote.guard = guard = Guard()
    with pytest.raises(error, match=said):
        remote.change("web", typed(f"echo not yet >&2; exit {code}", "switching"))
    assert guard.confirmed


@pytest.mark.usefixtures("unlocked")
def test_a_payload_follows_its_script_and_is_counted(remote: Remote) -> None:
    remote.guard = Guard()
    sent: list[int] = []
    contents = b"0123456789" * 100_000
    said = remote.send("web", typed("wc -c", "upload"), io.BytesIO(contents), sent.append)
    assert said.stdout.split() == [str(len(contents))]
    assert sum(sent) == len(contents)


@pytest.mark.usefixtures("unlocked")
def test_an_upload_that_the_host_takes_no_more_of_ends(remote: Remote) -> None:
    script, contents = typed("sleep 30", "upload"), io.BytesIO(bytes(64 * 2**20))
    with pytest.raises(ConnectionLost, match="upload: the connection broke: the host takes no mo"):
        remote.send("web", script, contents, timeout_seconds=0.5)


@pytest.mark.usefixtures("unlocked")
def test_a_change_without_a_lock_is_for_a_look_that_changes_nothing_of_a_deploys(
    remote: Remote,
) -> None:
    assert remote.change("web", typed("echo done")).stdout.strip() == "done"


@pytest.fixture
def service() -> Iterator[int]:
    """A port that answers 204 to GET, to a Host header that it knows."""

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204 if self.headers["Host"] == "www.example.com" else 400)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def to(port: int, **settings: Any) -> Request:
    """A question to a port of the loopback interface."""
    return Request("127.0.0.1", port, "/health", **({"host_header": "x"} | settings))


@pytest.mark.parametrize("forwards", [True, False], ids=["forwarded", "asked on the host"])
def test_a_port_is_asked_through_the_connection_or_on_the_host_itself(
    remote: Remote, sshd: Sshd, service: int, forwards: bool
) -> None:
    sshd.forwards = forwards
    for host, code in (("www.example.com", 204), ("another", 400)):
        assert remote.probe(to(service, host_header=host), 10) == Reply(code)


@pytest.fixture
def tls_service(service: int, tmp_path: Path) -> Iterator[int]:
    """The same service within TLS, with a certificate that nobody has signed."""
    del service
    file = tmp_path / "tls.pem"
    file.write_bytes(packages.certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("forwards", [True, False], ids=["forwarded", "asked on the host"])
def test_p11_a_port_is_asked_within_tls_whoever_signed_its_certificate(
    remote: Remote, sshd: Sshd, tls_service: int, forwards: bool
) -> None:
    sshd.forwards = forwards
    assert remote.probe(to(tls_service, is_tls=True), 10) == Reply(204)


def test_p11_a_port_without_tls_is_named_as_such(remote: Remote, service: int) -> None:
    with pytest.raises(NotHttp, match=r"^no TLS \(WRONG_VERSION_NUMBER\)$"):
        remote.probe(to(service, is_tls=True), 10)


def test_p11_a_port_that_closes_at_once_is_named_as_such(remote: Remote) -> None:
    with (
        trickle.serving(lambda _: None) as port,
        pytest.raises(NotHttp, match=r"^no TLS \("),
    ):
        remote.probe(to(port, is_tls=True), 5)


def test_p11_a_handshake_that_does_not_end_gives_no_code_in_time(remote: Remote) -> None:
    with trickle.serving(trickle.ANSWERS["byte by byte"]) as port:
        began = time.monotonic()
        with suppress(NotHttp):
            assert remote.probe(to(port, is_tls=True), 0.5) is None
        assert time.monotonic() - began < 5


HTTP2, GRPC = ProtocolVersion.HTTP2, ProtocolVersion.GRPC
ALLOW = r"sshd forbids forwarding: set `AllowTcpForwarding local` in its sshd_config"


@pytest.fixture
def http2_service() -> Iterator[int]:
    """A port that speaks HTTP/2 alone, and answers a gRPC call by code 12."""
    server = Server([(":status", "200"), ("grpc-status", "12")])
    with socket.create_server(("127.0.0.1", 0)) as door:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    peer, _ = door.accept()
                    threading.Thread(target=serve, args=(peer,), daemon=True).start()

        def serve(peer: socket.socket) -> None:
            with peer, suppress(OSError, H2Error):
                server(peer)

        threading.Thread(target=accept, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def test_p11_http2_and_grpc_are_asked_through_the_connection(
    remote: Remote, http2_service: int, service: int
) -> None:
    assert remote.probe(to(http2_service, version=HTTP2), 10) == Reply(200, HTTP2)
    assert remote.probe(to(http2_service, version=GRPC), 10) == Reply(12, GRPC)
    asked = to(service, version=HTTP2, host_header="www.example.com")
    assert remote.probe(asked, 10) == Reply(204), "over HTTP/1.1"


def test_p11_a_grpc_question_is_refused_by_name_where_sshd_forbids_forwarding(
    remote: Remote, sshd: Sshd, http2_service: int
) -> None:
    sshd.forwards = False
    with pytest.raises(RemoteError, match=rf"^127.0.0.1: .* version GRPC .*{ALLOW}"):
        remote.probe(to(http2_service, version=GRPC), 10)


def test_p11_an_http2_group_is_asked_over_http1_on_the_host_where_sshd_forbids_forwarding(
    remote: Remote, sshd: Sshd, service: int, http2_service: int
) -> None:
    sshd.forwards = False
    asked = to(service, version=HTTP2, host_header="www.example.com")
    assert remote.probe(asked, 10) == Reply(204)
    with pytest.raises(NotHttp, match=rf"^no answer over HTTP/1.1; .* version HTTP2 .*{ALLOW}"):
        remote.probe(to(http2_service, version=HTTP2), 10)
    assert remote.probe(to(http2_service), 10) is None, "control: a group over HTTP/1.1"


@pytest.mark.parametrize("forwards", [True, False])
def test_whether_sshd_forwards_is_seen_without_a_listener(
    remote: Remote, sshd: Sshd, service: int, forwards: bool
) -> None:
    sshd.forwards = forwards
    for port in (service, 1):
        assert remote.forwards(("127.0.0.1", port), 5) is forwards


@pytest.mark.parametrize("forwards", [True, False], ids=["forwarded", "asked on the host"])
def test_a_port_without_a_listener_gives_no_code(
    remote: Remote, sshd: Sshd, forwards: bool
) -> None:
    sshd.forwards = forwards
    assert remote.probe(to(1), 5) is None


def test_a_look_beside_a_command_waits_for_nothing(remote: Remote) -> None:
    """As the lock's heartbeat does, while a long command runs."""
    remote.connect()
    long = threading.Thread(target=lambda: remote.ask(typed("sleep 3")))
    long.start()
    began = time.monotonic()
    assert remote.run_beside(typed("echo beside"), 5).stdout.strip() == "beside"
    assert time.monotonic() - began < 2.5
    long.join()


def test_commands_follow_each_other_where_sshd_allows_one_session(
    remote: Remote, sshd: Sshd
) -> None:
    """Case 41: an answer is complete before sshd has seen its program end."""
    sshd.max_sessions, sshd.reaping_seconds = 1, 0.1
    for number in range(5):
        assert remote.ask(typed(f"echo {number}")).stdout.strip() == str(number)
    assert sshd.connections == 1


def test_p5_the_lock_beats_beside_a_long_command_where_sshd_allows_one_session(
    remote: Remote, sshd: Sshd
) -> None:
    """Case 41: an upload took longer than the lock may be silent, and sshd refused its beats."""
    sshd.max_sessions, sshd.reaping_seconds = 1, 0.1
    remote.connect()
    said: list[str] = []
    long = threading.Thread(
        target=lambda: said.append(remote.ask(typed("sleep 3; echo end")).stdout)
    )
    long.start()
    time.sleep(0.2)
    for _ in range(3):
        assert remote.run_beside(typed("echo beside"), 5).stdout.strip() == "beside"
    assert long.is_alive()
    long.join()
    assert [each.strip() for each in said] == ["end"]
    assert sshd.connections == 2
    remote.close()
    wait_until(lambda: not sshd.open_connections)


def test_control_where_sshd_allows_several_sessions_one_connection_is_enough(
    remote: Remote, sshd: Sshd
) -> None:
    long = threading.Thread(target=lambda: remote.ask(typed("sleep 0.5")))
    long.start()
    assert remote.run_beside(typed("echo beside"), 5).stdout.strip() == "beside"
    long.join()
    assert sshd.connections == 1


def test_a_second_connection_that_broke_is_opened_again(remote: Remote, sshd: Sshd) -> None:
    sshd.max_sessions = 1
    for _ in range(2):
        remote.connect()
        with remote._sessions.of(remote._connection.transport, None):
            assert remote.run_beside(typed("echo beside"), 5).stdout.strip() == "beside"
        sshd.drop()
        wait_until(lambda: not remote._connection.is_connected)
        wait_until(lambda: not remote._sessions._second.is_connected)  # type: ignore[union-attr]
    assert sshd.connections == 4


def test_an_sshd_that_refuses_every_session_is_named(
    remote: Remote, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    sshd.max_sessions = 0
    monkeypatch.setattr(exchange, "REFUSED_SECONDS", 0.2)
    with pytest.raises(
        ConnectionLost, match=r"sshd opens no session on it \(.*\): look at MaxSessions"
    ):
        remote.ask(typed("true"))


def test_a_look_beside_a_command_ends_when_the_connection_breaks(
    remote: Remote, sshd: Sshd
) -> None:
    remote.connect()
    timer = threading.Timer(0.3, sshd.drop)
    timer.start()
    with pytest.raises(ConnectionLost, match=r"^127\.0\.0\.1: .*the connection broke: "):
        remote.run_beside(typed("sleep 20"), 20)
    timer.join()


def test_a_look_does_not_wait_for_a_connection_that_another_thread_opens(remote: Remote) -> None:
    with remote._lock, pytest.raises(ConnectionLost, match="is being opened again"):
        remote.run_beside(typed("true"), 5)
    assert remote.run_beside(typed("echo opened"), 5).stdout.strip() == "opened", "or opens it"


def test_a_port_that_cannot_be_asked_in_any_way_says_what_to_install(
    remote: Remote, sshd: Sshd, tmp_path: Path
) -> None:
    """Forwarding is forbidden, and the host has neither curl nor python3."""
    sshd.forwards = False
    few = tmp_path / "few"
    few.mkdir()
    for name in ("sh", "head"):
        (few / name).symlink_to(f"/bin/{name}")
    sshd.shell = ("/usr/bin/env", f"PATH={few}", "/bin/sh", "-c")
    with pytest.raises(RemoteError, match="neither curl nor python3 is there to ask port 5000; in"):
        remote.probe(to(5000), 5)


def test_a_look_that_ends_without_an_exit_code_leaves_the_connection_to_the_others(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a heartbeat that is killed on its host, whose end must not cut off an upload."""
    remote.connect()
    transport = remote._connection.transport
    with monkeypatch.context() as patch:
        patch.setattr(exchange, "exit_code", lambda *_: exchange.NO_EXIT_CODE)
        with pytest.raises(ConnectionLost, match="no exit code came"):
            remote.run_beside(typed("echo cut"), 5)
    assert transport.is_active()
    assert remote.ask(typed("echo there")).stdout.strip() == "there"


def test_no_pipe_is_written_to_by_a_thread_while_another_closes_it(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paramiko's own pipe is; the byte would go into another connection that has its number."""

    def refuse() -> None:
        raise AssertionError("a pipe was made")

    monkeypatch.setattr("paramiko.pipe.make_pipe", refuse)
    said = remote.ask(typed("echo out; sleep 0.3; echo err >&2; sleep 0.3; echo end"))
    assert (said.stdout.split(), said.stderr.split()) == (["out", "end"], ["err"])
    with pytest.raises(RemoteError, match="longer than 1 MiB"):
        remote.ask(typed("head -c 3000000 /dev/zero | tr '\\0' x"), most_bytes=2**20)
    assert remote.ask(typed("echo there")).stdout.strip() == "there"
