"""What the values of an ssh configuration mean: paths, jump hosts, an agent."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.foreign_text import visible
from deploy.hosts.ssh.openssh import tokens
from deploy.hosts.ssh.openssh.options import LISTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.ssh.openssh.options import Answer

NO_KEYS = "none"
USUAL_AGENT = "SSH_AUTH_SOCK"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>.+)@)?(?:\[(?P<bare>[^\]]+)\]|(?P<host>[^:@/]+))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)


def facts(answer: Answer, user: str, port: str) -> dict[str, str]:
    """The value of each token for a machine that is logged in to as this user, on this port."""
    jump = ",".join(answer.values.get("proxyjump", ()))
    alias = answer.one("hostkeyalias")
    return tokens.facts(answer.name, answer.host, user=user, port=port, alias=alias, jump=jump)


def checked(answer: Answer) -> Answer:
    """The answer, if each of its values can be used.

    Raises BadInput for an option that cannot be followed here, and for a value that is none.
    """
    for option, values in answer.values.items():
        if option in LISTS or option.endswith(("file", "revokedhostkeys")):
            continue
        for value in values:
            if _UNSAFE.search(value):
                raise BadInput(
                    f"{answer.name}: {answer.where(option)}: {option} {visible(value)!r} has "
                    "characters that are none of a name's; correct it"
                )
    port = answer.one("port", "22")
    if not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 2**16:
        raise BadInput(
            f"{answer.name}: {answer.where('port')}: Port {visible(port)} is no port; write a "
            "number from 1 to 65535"
        )
    for option, why in (
        ("bindinterface", "name the interface's address by BindAddress instead"),
        ("proxyusefdpass", "let the ProxyCommand pass the bytes on, for example by nc %h %p"),
    ):
        if answer.one(option, "no").lower() not in {"no", "none", "false"}:
            raise BadInput(
                f"{answer.name}: {answer.where(option)}: {option} cannot be followed here; {why}"
            )
    return answer


def are_hops(text: str) -> bool:
    """Whether ssh would take a value of ProxyJump, whatever its tokens stand for."""
    if text.lower() == "none":
        return True
    found = [_HOP.fullmatch(hop.strip()) for hop in text.split(",")]
    return all(each is not None and _is_port(each["port"]) for each in found)


def _is_port(text: str | None) -> bool:
    return text is None or 0 < int(text) < 2**16


def hops(answer: Answer, values: Mapping[str, str]) -> str:
    """ProxyJump as `user@host:port` words with commas between; empty for none.

    Raises BadInput for what is no jump host.
    """
    jump = ",".join(answer.values.get("proxyjump", ()))
    if jump.lower() in {"", "none"}:
        return ""
    try:
        jump = tokens.expand(jump, values, tokens.PROXY)
    except tokens.UnknownToken as error:
        raise _refused(answer, "proxyjump", jump, str(error)) from error
    words: list[str] = []
    for hop in jump.split(","):
        found = _HOP.fullmatch(hop.strip())
        if found is None or (found["user"] or "").startswith("-"):
            raise _refused(answer, "proxyjump", jump, "write user@host:port, with commas between")
        host, port = found["bare"] or found["host"], found["port"]
        if not _is_port(port):
            raise _refused(answer, "proxyjump", jump, f"{port} is no port")
        if not tokens.is_plain_host(host):
            raise _refused(answer, "proxyjump", jump, f"{visible(host)!r} is no host's name")
        if ":" in host and port not in {None, "22"}:
            why = "name that jump host by an alias, with its port below `Host`"
            raise _refused(answer, "proxyjump", jump, why)
        user = f"{found['user']}@" if found["user"] else ""
        words.append(f"{user}{host}" + (f":{port}" if port and ":" not in host else ""))
    return ",".join(words)


def proxy(answer: Answer, values: Mapping[str, str]) -> str:
    """ProxyCommand with its tokens, which are filled in as it is run; empty for none.

    Raises BadInput for a token that it does not take.
    """
    command = answer.one("proxycommand")
    try:
        tokens.expand(command, values, tokens.PROXY)
    except tokens.UnknownToken as error:
        raise _refused(answer, "proxycommand", command, str(error)) from error
    return command


def files(answer: Answer, option: str, values: Mapping[str, str]) -> list[str]:
    """The paths of an option that names files, without `none`; each as it can be opened.

    Raises BadInput for a token or a variable that stands for nothing.
    """
    found: list[str] = []
    for text in answer.values.get(option, ()):
        if text.lower() == NO_KEYS:
            continue
        try:
            found.append(tokens.path(text, values))
        except tokens.UnknownToken as error:
            raise _refused(answer, option, text, str(error)) from error
    return list(dict.fromkeys(found))


def agent(answer: Answer, values: Mapping[str, str]) -> str:
    """The socket of IdentityAgent, `none` for no agent, empty for that of SSH_AUTH_SOCK.

    Raises BadInput for a token or a variable that stands for nothing.
    """
    text = answer.one("identityagent", USUAL_AGENT)
    if text in {"", USUAL_AGENT}:
        return ""
    if text.startswith("$") and not text.startswith("${"):
        return os.environ.get(text[1:], "none")
    return (*files(answer, "identityagent", values), "none")[0]


def _refused(answer: Answer, option: str, value: str, why: str) -> BadInput:
    return BadInput(
        f"{answer.name}: {answer.where(option)}: {option} {visible(value)} cannot be followed: "
        f"{why}"
    )
