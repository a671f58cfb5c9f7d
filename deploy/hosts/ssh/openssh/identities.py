"""Logs in with the keys that ssh would offer: from files and an agent, with certificates.

In the order of pubkey_prepare (sshconnect2.c of OpenSSH), but for one thing: a key that settings
or ssh configuration name goes before all others of the agent, since a server ends a
login after six keys (sshd_config(5), MaxAuthTries).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko

from deploy.foreign_text import visible, word
from deploy.hosts.refusals.login import Keys
from deploy.hosts.route.failures import LoginEnded, NoKeyAccepted
from deploy.hosts.ssh.openssh import agents, private_keys, tokens
from deploy.hosts.ssh.openssh.agents import Held

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.hosts.ssh.openssh.private_keys import KeyFile

DEFAULTS = ("id_rsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk")
NO_AGENT = "no agent is asked: `allow_agent: false` under `connect_kwargs:`"
_SECOND = {"keyboard-interactive", "password"}


@dataclass(frozen=True)
class Login:
    """What is offered to one machine.

    Attributes:
        user: The login user.
        named: Files of keys that the settings name; they go first.
        configured: Those of the ssh configuration; None where it names none.
        certificates: Files of CertificateFile.
        agent: The agent's socket, `none`, or empty for the usual one.
        asks_agent: Whether the settings let an agent be asked.
        only_named: Whether the agent's other keys are left out (IdentitiesOnly).
        looks_for_keys: Whether ~/.ssh is looked into where the configuration names no key.
        provider: PKCS11Provider, whose keys an agent alone can use here; or empty.
        passphrase: For the files, if any.
        password: For the login, if keys are not enough.
    """

    user: str
    named: tuple[str, ...] = ()
    configured: tuple[str, ...] | None = None
    certificates: tuple[str, ...] = ()
    agent: str = ""
    asks_agent: bool = True
    only_named: bool = False
    looks_for_keys: bool = True
    provider: str = ""
    passphrase: str | None = None
    password: str | None = None

    @property
    def defaults(self) -> tuple[str, ...]:
        """The files of ~/.ssh that are tried without being named."""
        if self.configured is not None or not self.looks_for_keys or not tokens.home():
            return ()
        return tuple(str(Path(tokens.home()) / ".ssh" / name) for name in DEFAULTS)

    def authenticate(self, transport: paramiko.Transport) -> None:
        """Log in; called by Paramiko once the machine is known.

        Raises NoKeyAccepted where all keys are refused, and LoginEnded where the connection
        breaks.
        """
        held = agents.held(self.agent) if self.asks_agent else Held(note=NO_AGENT)
        try:
            self._log_in(transport, held)
        finally:
            held.close()

    def _log_in(self, transport: paramiko.Transport, held: Held) -> None:
        passphrase = self.passphrase or self.password
        named = [private_keys.read(path, passphrase) for path in (*self.named, *self._others)]
        usual = [private_keys.read(path, passphrase) for path in self.defaults]
        offered: list[str] = []
        kept_back: list[str] = []
        allowed: tuple[str, ...] = ()
        for title, key in self._candidates(named, usual, held):
            offered.append(title)
            try:
                left = transport.auth_publickey(self.user, key)
            except paramiko.BadAuthenticationType as error:
                allowed = tuple(error.allowed_types)
                break
            except (paramiko.SSHException, OSError, EOFError) as error:
                if not transport.is_active() or "timeout" in str(error):
                    raise LoginEnded(error, Keys(tuple(offered)), _banner(transport)) from error
                if not isinstance(error, paramiko.AuthenticationException):
                    kept_back.append(f"{offered.pop()}: {error}")
                continue
            if not left:
                return
            if second := set(left) & _SECOND:
                if wanted := self._wanted(transport, second, offered):
                    raise NoKeyAccepted(self.user, Keys((title,), wanted=wanted))
                return
        if self.password is not None and not self._wanted(transport, set(), offered):
            return
        keys = Keys(tuple(offered), tuple(kept_back), held.note, self.password is not None)
        raise NoKeyAccepted(self.user, self._with_files(keys, [*named, *usual], held), allowed)

    def _with_files(self, keys: Keys, files: list[KeyFile], held: Held) -> Keys:
        """The keys with what else could not be offered, and why."""
        of_no_use = [file for file in files if file.why and file.public not in held.keys]
        # ssh passes over files that are absent; those of the settings were meant, and where there
        # was no key at all, those of the configuration say why.
        meant = {*self.named, *(self._others if not keys.offered else ())}
        missed = [each for each in of_no_use if not each.is_absent or each.path in meant]
        kept_back = [*keys.kept_back, *(f"{file.path} {file.why}" for file in missed)]
        if self.provider:
            remedy = f"an agent alone can use them here: ssh-add -s {word(self.provider)}"
            kept_back.append(f"keys of PKCS11Provider {self.provider}; {remedy}")
        return replace(keys, kept_back=tuple(kept_back))

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

    def _wanted(self, transport: paramiko.Transport, second: set[str], offered: list[str]) -> str:
        """What a server wants that was not given, besides a key if `second` names ways; or empty.

        A question is never asked here: this may be one of many threads, or a CI job.
        """
        asked: list[str] = []

        def answers(_title: str, _words: str, prompts: list[tuple[str, bool]]) -> list[str]:
            asked.extend(visible(text.strip()) for text, _ in prompts)
            if asked:
                raise paramiko.SSHException("no answer can be given")
            return []

        try:
            if self.password is not None:
                left = transport.auth_password(self.user, self.password)
            elif "keyboard-interactive" in second:
                left = transport.auth_interactive(self.user, answers)
            else:
                return "a password"
        except (paramiko.SSHException, OSError, EOFError) as error:
            if not asked and not transport.is_active():
                raise LoginEnded(error, Keys(tuple(offered)), _banner(transport)) from error
            if self.password is not None:
                return "another password"
            return f"an answer to {asked[0]!r}" if asked else "a second factor that was not given"
        return " and ".join(left)


def _banner(transport: paramiko.Transport) -> bytes:
    found: Any = getattr(transport.auth_handler, "banner", None)
    return bytes(found or b"")


def _blob(key: paramiko.PKey) -> bytes:
    found: Any = key.public_blob
    return bytes(found.key_blob)


def _shown(key: Any) -> str:
    comment = visible(getattr(key, "comment", "") or key.fingerprint)
    return f"{visible(key.get_name())} {comment}"


def offer(connection: Any, named: Iterable[str] = ()) -> None:
    """Let a connection log in as ssh would; named: files that the settings name for it."""
    given, own = dict(connection.connect_kwargs), connection.ssh_config
    given.pop("key_filename", None)
    keys = own.get("identityfile")
    login = Login(
        user=connection.user,
        named=tuple(named),
        configured=None if keys is None else tuple(keys),
        certificates=tuple(own.get("certificatefile", ())),
        agent=own.get("identityagent", ""),
        asks_agent=given.pop("allow_agent", True) is not False,
        only_named=own.get("identitiesonly", "no").lower() in {"yes", "true"},
        looks_for_keys=given.pop("look_for_keys", True),
        provider=own.get("pkcs11provider", ""),
        passphrase=given.pop("passphrase", None),
        password=given.pop("password", None),
    )
    connection.connect_kwargs = given | {"auth_strategy": login}
