"""The user's ssh configuration for a listed host or an EC2 instance.

OpenSSH itself is asked where it is installed, and its files are read here where it is not.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import paramiko

from deploy.errors import BadInput
from deploy.hosts.ssh.openssh import answers, instance, program, reader, tokens
from deploy.hosts.ssh.openssh.options import LISTS, Answer
from deploy.path_checks import expanded

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from deploy.hosts.ssh.openssh.options import Place

MOST_AT_ONCE = 16
"""How many names ssh is asked for at once; one takes 5 to 20 ms of computing."""
FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
DEFAULT, FEWEST = re.compile(r"~/\.ssh/id_[a-z0-9_]+"), 4
"""The keys that ssh tries where none is named, of which it prints at least so many."""
PROXIES = frozenset({"proxyjump", "proxycommand"})
PLAIN = (
    "user",
    "port",
    "hostkeyalias",
    "identitiesonly",
    "addressfamily",
    "bindaddress",
    "knownhostscommand",
    "pkcs11provider",
)
PATHS = ("identityfile", "certificatefile", "revokedhostkeys", *LISTS)


@dataclass(frozen=True)
class Source:
    """Which files are read, and what the settings say before them.

    Attributes:
        files: In the order in which they apply; none where none is to be read.
        chosen: The one that the settings name in place of the user's and the system's, or empty.
        stamps: When each file was changed, so that an answer is never older than its file.
        user, port: What `ssh:` in the settings says of all hosts; jump hosts have their own.
        defaults: Which of Fabric's own top-level keys are set; they come after the files.
    """

    files: tuple[str, ...] = ()
    chosen: str = ""
    stamps: tuple[int, ...] = ()
    user: str = ""
    port: int | None = None
    defaults: frozenset[str] = frozenset()

    @property
    def of_jump_hosts(self) -> Source:
        """The same files without what the settings say of hosts."""
        return replace(self, user="", port=None)


class Lookups(paramiko.SSHConfig):
    """What Fabric asks of a configuration, answered as OpenSSH would."""

    def __init__(self, source: Source, own: Iterable[Answer] = ()) -> None:
        """Take the files, and the answers for the host itself; jump hosts are looked up."""
        super().__init__()
        self._source, self._own = source, {each.name: each for each in own}
        self._hops: dict[str, Source] = {}

    def lookup(self, hostname: str) -> paramiko.SSHConfigDict:
        """The options that apply to a name.

        Raises BadInput for what ssh would refuse, or what cannot be followed here.
        """
        source = self._hops.get(hostname, self._source.of_jump_hosts)
        own = self._own.get(hostname) or answer(source, hostname)
        made: Any = options(own, self._source.defaults)  # its type knows no None
        # `ssh -G` prints no proxy that is `none`, which goes before Fabric's own key.
        may_be_none = "gateway" in self._source.defaults and not PROXIES & made.keys()
        if may_be_none and PROXIES & places(self._source, own).keys():
            made["proxycommand"] = None
        # ssh asks for a jump host by the user and the port that ProxyJump gives it.
        for hop in filter(None, made.get("proxyjump", "").split(",")):
            user, _, place = hop.rpartition("@")
            name, _, port = place.partition(":") if place.count(":") == 1 else (place, "", "")
            self._hops[name] = replace(
                self._source,
                user=user if tokens.is_plain_user(user) else "",
                port=int(port) if port else None,
            )
        return cast("paramiko.SSHConfigDict", made)


def read(own: Mapping[str, Any], user: str | None = None, port: int | None = None) -> Source:
    """The user's and the system's files, which are asked about by `answer`.

    own: Fabric's keys of the project; `ssh_config_path` names one file in place of both, and
    `load_ssh_configs: false` none. user, port: of the settings. Raises BadInput for a file that
    cannot be read.
    """
    user = user if user and tokens.is_plain_user(user) else ""
    defaults = frozenset(key for key in ("user", "port", "gateway") if own.get(key) is not None)
    if not own.get("load_ssh_configs", True):
        return Source(user=user, port=port, defaults=defaults)
    chosen = own.get("ssh_config_path")
    files: list[str] = []
    stamps: list[int] = []
    for name in [str(chosen)] if chosen else FILES:
        try:
            found = _stat(name, is_chosen=bool(chosen))
        except (OSError, ValueError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or error
            raise BadInput(
                f"{name} cannot be read: {why}; repair it, or do without it: "
                "`load_ssh_configs: false` in fabric.yaml"
            ) from error
        if found is None:
            continue
        files.append(name)
        stamps += [found.st_mtime_ns, found.st_size]
    return Source(tuple(files), str(chosen or ""), tuple(stamps), user, port, defaults)


def _stat(name: str, *, is_chosen: bool) -> os.stat_result | None:
    """A file that can be read; None for one that is absent and need not be there.

    Without a home, `~` of the usual files stays, and there are none. A pipe would be waited for.
    """
    path = expanded(name) if is_chosen else Path(os.path.expanduser(name))  # noqa: PTH111
    if not path.is_file():
        if is_chosen and path.exists():
            raise OSError("it is not a file")
        return path.stat() if is_chosen else None
    with path.open("rb") as file:
        file.read(1)
    return path.stat()


def answer(source: Source, name: str) -> Answer:
    """What the configuration says of a name; asked once for each.

    Raises BadInput for a configuration that ssh refuses, or that cannot be followed here.
    """
    found = _answer(source, tokens.home(), name)
    if isinstance(found, BadInput):
        raise found
    return found


@lru_cache(maxsize=8192)
def _answer(source: Source, home: str, name: str) -> Answer | BadInput:
    del home  # part of the cache's key
    try:
        if not source.files:
            return Answer(name, {})
        found = None
        if program.is_here():
            chosen = str(expanded(source.chosen).absolute()) if source.chosen else ""
            found = program.ask(name, chosen, source.user, source.port)
        found = found or reader.answer(name, source.files, source.user, source.port)
        return answers.checked(found)
    except BadInput as error:
        return error


def ahead(source: Source, names: Iterable[str]) -> None:
    """Ask for many names at once; what is wrong with one is raised when it is asked for."""
    asked = list(dict.fromkeys(names))
    if len(asked) > 1:
        with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as pool:
            list(pool.map(partial(_answer, source, tokens.home()), asked))


def places(source: Source, found: Answer) -> Mapping[str, Place]:
    """Where the options of an answer are set, as our own reader finds them; else nothing."""
    if found.places:
        return found.places
    try:
        return reader.answer(found.name, source.files, source.user, source.port).places
    except BadInput:
        return {}


def options(found: Answer, defaults: Collection[str] = ()) -> paramiko.SSHConfigDict:
    """An answer as Fabric and we read it: paths that can be opened, jump hosts in Fabric's form.

    defaults: which of Fabric's own keys are set; `user` and `port` count where ssh would take its
    own default, which `ssh -G` prints as it does a value that is written.
    """
    made: Any = paramiko.SSHConfigDict()  # its type knows no lists
    user, port = found.one("user"), found.one("port", "22")
    values = answers.facts(found, user or tokens.local_user(), port)
    for option in PLAIN:
        if option in found.values:
            made[option] = found.one(option)
    if "user" in defaults and user == tokens.local_user():
        made.pop("user", None)
    if "port" in defaults and port == "22":
        made.pop("port", None)
    made["hostname"] = found.host
    if jumps := answers.hops(found, values):
        made["proxyjump"] = jumps
    elif proxy := answers.proxy(found, values):
        made["proxycommand"] = proxy
    for option in PATHS:
        if option in found.values and not _are_defaults(option, found.values[option]):
            made[option] = answers.files(found, option, values)
    if agent := answers.agent(found, values):
        made["identityagent"] = agent
    return cast("paramiko.SSHConfigDict", made)


def _are_defaults(option: str, values: Collection[str]) -> bool:
    """Whether ssh prints these keys because the configuration names none."""
    return (
        option == "identityfile" and len(values) >= FEWEST and all(map(DEFAULT.fullmatch, values))
    )


def of_listed(source: Source, name: str = "") -> paramiko.SSHConfig:
    """The configuration as it is, for a name that the settings list."""
    return Lookups(source, [answer(source, name)] if name else ())


def of_instance(source: Source, name: str, address: str) -> paramiko.SSHConfig:
    """What applies to an instance that is connected to at the address that EC2 gave.

    Raises BadInput for a HostName that is another machine's.
    """
    addressed = answer(source, address)
    # ssh hands a name to the shell of `Match exec`: none but a plain one is looked up.
    named = answer(source, name) if program.NAME.fullmatch(name) else None
    values = instance.merged(named, addressed, name, partial(places, source))
    return Lookups(source, [Answer(address, values, addressed.places)])
