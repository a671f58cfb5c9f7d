"""Logs in with the keys that ssh would offer: of files, of an agent, with their certificates.

In the order of pubkey_prepare (sshconnect2.c of OpenSSH), but for one thing: a key that settings
or ssh configuration name goes before all others of the agent, since a server ends a
login after six keys (sshd_config(5), MaxAuthTries).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko

from deploy.foreign_text import visible
from deploy.hosts.ssh.openssh import agents, private_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.hosts.ssh.openssh.agents import Held
    from deploy.hosts.ssh.openssh.private_keys import KeyFile

DEFAULTS = ("id_rsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk")
_SECOND = {"keyboard-interactive", "password"}
_MOST_SHOWN = 6
_TRIES = 5
"""From so many keys on, a connection that ends may have had too many (MaxAuthTries is 6)."""


class NoKeyAccepted(paramiko.AuthenticationException):
    """A server refused all keys, or there was none to offer; the text says which."""


@dataclass(frozen=True)
class Login:
    """What is offered to one machine.

    Attributes:
        user: The login user.
        named: Files of keys that the settings name; they go first.
        configured: Those of the ssh configuration; None where it names none.
        certificates: Files of CertificateFile.
        agent: The agent's socket, `none`, or empty for the usual one.
        only_named: Whether the agent's other keys are left out (IdentitiesOnly).
        looks_for_keys: Whether ~/.ssh is looked into where the configuration names no key.
        passphrase: For the files, if any.
        password: For the login, if keys are not enough.
    """

    user: str
    named: tuple[str, ...] = ()
    configured: tuple[str, ...] | None = None
    certificates: tuple[str, ...] = ()
    agent: str = ""
    only_named: bool = False
    looks_for_keys: bool = True
    passphrase: str | None = None
    password: str | None = None

    @property
    def defaults(self) -> tuple[str, ...]:
        """The files of ~/.ssh that are tried without being named."""
        if self.configured is not None or not self.looks_for_keys:
            return ()
        return tuple(str(Path("~/.ssh").expanduser() / name) for name in DEFAULTS)

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in; called by Paramiko once the machine is known.

        Raises NoKeyAccepted where all keys are refused, and Paramiko's exceptions where the
        connection breaks.
        """
        held = agents.held(self.agent)
        try:
            self._log_in(transport, held)
        finally:
            held.close()

    def _log_in(self, transport: paramiko.Transport, held: Held) -> None:
        passphrase = self.passphrase or self.password
        named = [private_keys.read(path, passphrase) for path in (*self.named, *self._others)]
        usual = [private_keys.read(path, passphrase) for path in self.defaults]
        offered: list[str] = []
        second: set[str] = set()
        refused: Exception | None = None
        for title, key in self._candidates(named, usual, held):
            offered.append(title)
            try:
                left = transport.auth_publickey(self.user, key)
            except paramiko.BadAuthenticationType as error:
                refused = error
                break
            except paramiko.SSHException as error:
                refused = _ended(error, len(offered), transport)
                continue
            if not left:
                return
            if second := set(left) & _SECOND:
                break
        if self._has_second_factor(transport, second):
            return
        of_no_use = [file for file in (*named, *usual) if file.why and file.public not in held.keys]
        # ssh passes over files that are absent; those of the settings were meant.
        missed = [each for each in of_no_use if not each.is_absent or each.path in self.named]
        notes = [f"{file.path} {file.why}" for file in missed]
        notes += [held.note] if held.note else []
        raise NoKeyAccepted(self._text(offered, notes, refused)) from refused

    @property
    def _others(self) -> Iterator[str]:
        return (path for path in self.configured or () if path not in self.named)

    def _candidates(
        self, named: list[KeyFile], usual: list[KeyFile], held: Held
    ) -> Iterator[tuple[str, paramiko.PKey]]:
        """Each key with what messages call it, in order; none twice."""
        seen: set[bytes] = set()
        files = {file.public for file in (*named, *usual) if file.public}
        yield from self._of_files(named, held, seen)
        if not self.only_named:
            publics = files | held.keys.keys()
            for each in held.certificates:
                if not any(private_keys.is_of(each.blob, public) for public in publics):
                    yield f"{_shown(each)} of the agent", each
            for public, key in held.keys.items():
                if public not in files:
                    yield from self._with_certificates(f"{_shown(key)} of the agent", key, held)
        yield from self._of_files(usual, held, seen)

    def _of_files(
        self, files: Iterable[KeyFile], held: Held, seen: set[bytes]
    ) -> Iterator[tuple[str, paramiko.PKey]]:
        for file in files:
            key = held.keys.get(file.public) or file.key
            if key is None or file.public in seen:
                continue
            seen.add(file.public)
            beside = private_keys.certificate(file.path.removesuffix(".pub"))
            title = f"{file.path} (by the agent)" if file.public in held.keys else file.path
            yield from self._with_certificates(title, key, held, beside)

    def _with_certificates(
        self, title: str, key: paramiko.PKey, held: Held, beside: str = ""
    ) -> Iterator[tuple[str, paramiko.PKey]]:
        """A key with its certificates, and then without."""
        shown: set[bytes] = set()
        for file in (*self.certificates, *([beside] if beside else [])):
            if private_keys.certified(key, file) and _blob(key) not in shown:
                shown.add(_blob(key))
                yield f"{title} with {file}", key
            key.public_blob = None
        for each in held.certificates:
            if private_keys.is_of(each.blob, key.asbytes()) and each.blob not in shown:
                yield f"{title} with a certificate of the agent", each
        yield title, key

    def _has_second_factor(self, transport: paramiko.Transport, second: set[str]) -> bool:
        """Whether a password, or an empty answer to a second question, is enough."""
        with suppress(paramiko.SSHException):
            if self.password is not None:
                transport.auth_password(self.user, self.password)
                return True
            if second:
                transport.auth_interactive_dumb(self.user)
                return True
        if not transport.is_active():
            raise paramiko.AuthenticationException("the connection ended during the login")
        return False

    def _text(self, offered: list[str], notes: list[str], refused: Exception | None) -> str:
        """What was offered, what could not be, and what to do."""
        shown = ", ".join(offered[:_MOST_SHOWN])
        more = f" and {len(offered) - _MOST_SHOWN} more" if len(offered) > _MOST_SHOWN else ""
        said = [f"refuses user {self.user!r} with the keys offered: {shown}{more}"]
        if not offered:
            said = [f"there is no key to log in with as user {self.user!r}"]
        if isinstance(refused, paramiko.BadAuthenticationType):
            said.append(f"it allows {', '.join(map(visible, refused.allowed_types))} alone")
        said += notes
        return "; ".join(
            [*said, "check `ssh: user:` and `ssh: key_files:`, or your agent (ssh-add -l)"]
        )


def _blob(key: paramiko.PKey) -> bytes:
    found: Any = key.public_blob
    return bytes(found.key_blob)


def _shown(key: Any) -> str:
    comment = visible(getattr(key, "comment", "") or key.fingerprint)
    return f"{visible(key.get_name())} {comment}"


def _ended(error: Exception, tries: int, transport: paramiko.Transport) -> Exception:
    """A refusal of one key; raises it where the connection is over."""
    if transport.is_active() and "timeout" not in str(error):
        return error
    if tries >= _TRIES:
        raise paramiko.AuthenticationException(
            f"{error}: after {tries} keys, which may be more than the server allows; name the "
            "right one under `ssh: key_files:`, or by IdentityFile with `IdentitiesOnly yes`"
        ) from error
    raise error


def offer(connection: Any, named: Iterable[str] = ()) -> None:
    """Let a connection log in as ssh would; named: files that the settings name for it."""
    given, own = dict(connection.connect_kwargs), connection.ssh_config
    given.pop("key_filename", None)
    keys = own.get("identityfile")
    allows_agent = given.pop("allow_agent", True)
    login = Login(
        user=connection.user,
        named=tuple(named),
        configured=None if keys is None else tuple(keys),
        certificates=tuple(own.get("certificatefile", ())),
        agent=own.get("identityagent", "") if allows_agent else "none",
        only_named=own.get("identitiesonly", "no").lower() in {"yes", "true"},
        looks_for_keys=given.pop("look_for_keys", True),
        passphrase=given.pop("passphrase", None),
        password=given.pop("password", None),
    )
    connection.connect_kwargs = given | {"auth_strategy": login}
