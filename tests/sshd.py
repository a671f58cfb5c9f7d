"""An SSH server in this process, which runs commands as this user: for tests without root.

It stands in for sshd alone: commands run in a real shell, and `sudo -n -u root` is a program that
does without. The lab's tests do the same with the hosts' own sshd and sudo.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import paramiko

CHUNK = 64 * 1024


class Server(paramiko.ServerInterface):
    """One connection: anybody is let in."""

    def __init__(self, sshd: Sshd) -> None:
        self.sshd, self.tries, self.sessions = sshd, 0, 0
        self.is_startup = True
        self.forwarded: dict[int, socket.socket] = {}

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        del username, key
        threading.Event().wait(self.sshd.login_seconds)
        self.tries += 1
        if self.tries == self.sshd.most_tries:
            self.sshd.drop()
        if self.sshd.refuses:
            return paramiko.common.AUTH_FAILED
        self.leave_startups()
        return paramiko.common.AUTH_SUCCESSFUL

    def leave_startups(self) -> None:
        """Be no connection that is not logged in any more."""
        with self.sshd.counting:
            self.sshd.startups -= self.is_startup
            self.is_startup = False

    def get_allowed_auths(self, username: str) -> str:
        del username
        return self.sshd.refuses or "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del kind, chanid
        with self.sshd.counting:
            if self.sessions >= self.sshd.max_sessions:
                return paramiko.common.OPEN_FAILED_CONNECT_FAILED
            self.sessions += 1
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._run, args=(channel, command), daemon=True).start()
        return True

    def _run(self, channel: paramiko.Channel, command: bytes) -> None:
        self.sshd.run(channel, command)
        threading.Event().wait(self.sshd.reaping_seconds)
        with self.sshd.counting:
            self.sessions -= 1

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        del origin
        if not self.sshd.forwards:
            return paramiko.common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            self.forwarded[chanid] = socket.create_connection(destination, 5)
        except OSError:
            return paramiko.common.OPEN_FAILED_CONNECT_FAILED
        return paramiko.common.OPEN_SUCCEEDED


class Sshd:
    """The server.

    Attributes:
        shell: What a login shell does with a command.
        forwards: Whether it forwards connections.
        refuses: How it would let users in that it refuses; empty where it lets anybody in.
        most_tries: After how many keys it ends a connection; 0 for never.
        login_seconds: How long it takes to judge one.
        max_sessions: At how many sessions of a connection others are refused, as by MaxSessions.
        reaping_seconds: For how long a session counts whose program has ended.
        max_startups: At how many connections that are not logged in others are turned away.
        turns_away: How many of the next ones are turned away whatever their number.
        most_startups: The most that there were at once.
        turned_away: How many were turned away.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        """address: an address of this machine's alone; port: 0 for any that is free."""
        self.folder, self.address = folder, address
        self.key = paramiko.ECDSAKey.generate()
        self.shell: tuple[str, ...] = ("/bin/sh", "-c")
        self.forwards = True
        self.refuses = ""
        self.most_tries = 0
        self.login_seconds = 0.0
        self.max_sessions, self.reaping_seconds = 10, 0.0
        self.max_startups, self.turns_away = 1000, 0
        self.most_startups = self.turned_away = self.startups = 0
        self.counting = threading.Lock()
        self.connections = 0
        self._channels: list[paramiko.Channel | None] = []
        self._transports: list[paramiko.Transport] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._listener = socket.create_server((address, port))
        self.port: int = self._listener.getsockname()[1]
        sudo = folder / "bin" / "sudo"
        sudo.parent.mkdir(parents=True)
        sudo.write_text('#!/bin/sh\n[ "$1 $2 $3" = "-n -u root" ] && shift 3\nexec "$@"\n')
        sudo.chmod(0o755)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        return sum(transport.is_active() for transport in self._transports)

    def known_hosts(self) -> str:
        """The server's line for a known_hosts file."""
        return f"[{self.address}]:{self.port} {self.key.get_name()} {self.key.get_base64()}\n"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                if self._is_past_startups():
                    # What was not read makes a reset of it, as of sshd's.
                    peer.close()
                    continue
                transport = paramiko.Transport(peer)
                transport.add_server_key(self.key)
                self._transports.append(transport)
                self.connections += 1
                server = Server(self)
                with suppress(paramiko.SSHException, EOFError):
                    transport.start_server(event=threading.Event(), server=server)
                threading.Thread(target=self._accept, args=(transport, server), daemon=True).start()

    def _is_past_startups(self) -> bool:
        """Count a connection; whether it is turned away, as sshd does past MaxStartups."""
        with self.counting:
            if self.startups >= self.max_startups or self.turned_away < self.turns_away:
                self.turned_away += 1
                return True
            self.startups += 1
            self.most_startups = max(self.most_startups, self.startups)
            return False

    def _accept(self, transport: paramiko.Transport, server: Server) -> None:
        """Take channels; those that forward are connected to where they lead."""
        while transport.is_active():
            channel = transport.accept(0.2)
            self._channels.append(channel)  # paramiko closes a channel that is not referred to
            if channel is not None and channel.chanid in server.forwarded:
                peer = server.forwarded.pop(channel.chanid)
                threading.Thread(target=_forward, args=(channel, peer), daemon=True).start()
        server.leave_startups()

    def run(self, channel: paramiko.Channel, command: bytes) -> None:
        """Run a command with the channel as its input and output."""
        environ = os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        process = subprocess.Popen(
            [*self.shell, command.decode()],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._processes.append(process)
        assert process.stdin
        assert process.stdout
        assert process.stderr
        given: Any = process.stdin

        def feed() -> None:
            # ValueError: its end closes the pipe meanwhile, at any instant.
            with suppress(OSError, ValueError):
                while data := channel.recv(CHUNK):
                    given.write(data)
                    given.flush()
            with suppress(OSError, ValueError):
                given.close()

        threading.Thread(target=feed, daemon=True).start()
        errors = threading.Thread(
            target=_copy, args=(process.stderr, channel.sendall_stderr), daemon=True
        )
        errors.start()
        _copy(process.stdout, channel.sendall)
        errors.join()
        with suppress(OSError, EOFError, paramiko.SSHException):
            code = process.wait()
            channel.send_exit_status(code if code >= 0 else 255)
            channel.close()

    def drop(self) -> None:
        """End all connections, as where a network fails."""
        for transport in self._transports:
            transport.close()

    def stop(self) -> None:
        """End the server and what it started."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for process in self._processes:
            if process.poll() is None:
                with suppress(OSError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    with suppress(OSError):
                        stream.close()


def _copy(stream: Any, send: Any) -> None:
    with suppress(OSError, ValueError, EOFError, paramiko.SSHException):
        while data := os.read(stream.fileno(), CHUNK):
            send(data)


def _forward(channel: paramiko.Channel, peer: socket.socket) -> None:
    with suppress(OSError, EOFError, paramiko.SSHException), peer:

        def there() -> None:
            with suppress(OSError, EOFError, paramiko.SSHException):
                while data := channel.recv(CHUNK):
                    peer.sendall(data)
            with suppress(OSError):
                peer.shutdown(socket.SHUT_WR)

        threading.Thread(target=there, daemon=True).start()
        while data := peer.recv(CHUNK):
            channel.sendall(data)
    with suppress(EOFError, OSError, paramiko.SSHException):
        channel.close()
