"""What the user's ssh configuration says of a host: of a listed name, or of an EC2 instance."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko

from deploy.errors import BadInput
from deploy.settings.base import expanded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
KEPT = frozenset({"user", "port", "proxyjump", "proxycommand", "identityfile"})
"""What a block that matches only an instance's Name tag may set: how to get there, not where."""

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}")


class _Config(paramiko.SSHConfig):
    """Paramiko's parsed configuration, whose blocks can be taken apart and judged one by one."""

    def __init__(self, contexts: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__()
        self._config = list(contexts)

    @property
    def contexts(self) -> list[dict[str, Any]]:
        """The blocks as parsed, in the file's order."""
        return self._config

    def hits(
        self, context: dict[str, Any], names: tuple[str, ...], options: dict[str, Any]
    ) -> tuple[str, ...]:
        """Those names of one machine that a block matches; none where it excludes one of them.

        options: what earlier blocks set; `Match user` compares with it.
        """
        hosts, matches = context.get("host", []), context.get("matches", [])
        excluded = [pattern[1:] for pattern in hosts if pattern.startswith("!")]
        if any(self._pattern_matches(excluded, each) for each in names):  # type: ignore[attr-defined]
            return ()
        return tuple(
            each
            for each in names
            if self._pattern_matches(hosts, each)  # type: ignore[attr-defined]
            or self._does_match(  # type: ignore[attr-defined] # all three: left out of its types
                matches, each, canonical=False, final=True, options=options
            )
        )


@dataclass(frozen=True)
class Block:
    """One `Host` or `Match` block of an ssh configuration.

    Attributes:
        file: Where it is written.
        context: The block as Paramiko parsed it.
    """

    file: str
    context: dict[str, Any]

    @property
    def title(self) -> str:
        """The block's first line."""
        if "host" in self.context:
            return f"Host {' '.join(self.context['host'])}"
        words = (
            f"{'!' * each['negate']}{each['type']} {each['param'] or ''}".rstrip()
            for each in self.context["matches"]
        )
        return f"Match {' '.join(words)}"


def is_plain_host(name: str) -> bool:
    """Whether a name or an address holds nothing that a shell or ssh would interpret."""
    return _HOST.fullmatch(name) is not None


def is_plain_user(name: str) -> bool:
    """Whether a user's name holds nothing that a shell or ssh would interpret."""
    return _USER.fullmatch(name) is not None


def read(own: Mapping[str, Any]) -> tuple[Block, ...]:
    """The blocks of the user's and the system's files, in the order in which they apply.

    own: Fabric's keys of the project; `ssh_config_path` names one file in place of both, and
    `load_ssh_configs: false` none. Raises BadInput for a file that cannot be read.
    """
    if not own.get("load_ssh_configs", True):
        return ()
    chosen = own.get("ssh_config_path")
    blocks: list[Block] = []
    for name in [chosen] if chosen else FILES:
        path = Path(os.path.expanduser(name)) if not chosen else expanded(name)  # noqa: PTH111 - without a home, `~` stays
        if not chosen and not path.is_file():
            continue
        try:
            contexts = _parsed(path)
        except (paramiko.SSHException, UnicodeDecodeError, OSError, ValueError) as error:
            raise BadInput(
                f"{name} cannot be read by Paramiko: {error}; repair it, or do without it: "
                "`load_ssh_configs: false` in fabric.yaml"
            ) from error
        blocks += [Block(name, context) for context in contexts]
    return tuple(blocks)


def _parsed(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():  # a pipe would be waited for, and a device may have no end
        raise OSError("it is not a file")
    config = _Config()
    with path.open() as file:
        config.parse(file)
    return config.contexts


def of_listed(blocks: Iterable[Block]) -> paramiko.SSHConfig:
    """The configuration as it is, for a name that the settings list."""
    return _Config(block.context for block in blocks)


def of_instance(blocks: Sequence[Block], name: str, address: str) -> paramiko.SSHConfig:
    """What applies to an instance that is connected to at the address that EC2 gave.

    Blocks that match the address apply. Of those that match only the Name tag, which anybody
    who may tag instances can choose, KEPT does. The first of several values counts, as in
    ssh_config(5). Raises BadInput for a HostName that is another machine's.
    """
    # Paramiko hands a name to the shell of `Match exec`: none but a plain one is looked up.
    aliases = [name] if is_plain_host(name) else []
    judge, found = _Config(), dict[str, Any]()
    for block in blocks:
        hits = judge.hits(block.context, (*aliases, address), found)
        for key, value in block.context["config"].items() if hits else ():
            if key == "hostname" and key not in found:
                _refuse_elsewhere(block, value, hits, name, address)
                found[key] = address
            elif address not in hits and key not in KEPT:
                continue
            elif key == "identityfile":
                found[key] = list(dict.fromkeys([*found.get(key, []), *value]))
            else:
                found.setdefault(key, value)
    instance = {"host": [address], "config": found | {"hostname": address}}
    # The blocks as they are remain for jump hosts; what they say of the instance is settled.
    return _Config([instance, *(_without(block.context, address) for block in blocks)])


def _without(context: dict[str, Any], address: str) -> dict[str, Any]:
    if "host" not in context:
        return context
    return context | {"host": [*context["host"], f"!{address}"]}


def _refuse_elsewhere(
    block: Block, host_name: str, hits: tuple[str, ...], name: str, address: str
) -> None:
    """Raise BadInput unless a block's HostName is the instance's address or a name of it."""
    meant = {host_name.replace("%h", each) for each in hits}
    if meant & {name, address} or any(address in _addresses(each) for each in meant):
        return
    raise BadInput(
        f"{name} ({address}): {block.file}: `{block.title}` sets HostName {host_name}, which is "
        f"not the address that EC2 gives for this instance; set it to {address}, or remove that "
        "line or rename the alias; if it is the instance's other address, set `ssh: address:`"
    )


def _addresses(name: str) -> set[str]:
    """What the resolver gives for a name; nothing for one that is unknown."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {str(each[4][0]) for each in found}
