"""Reads ssh configuration files where OpenSSH is not installed, and for messages.

The first value of an option counts, blocks apply in the files' order, `Include` is read where it
stands, and `Match final` makes a second reading, as in ssh_config(5) and readconf.c of OpenSSH.
Compared with `ssh -G` by the tests.
"""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.hosts.ssh.openssh import lines, tokens
from deploy.hosts.ssh.openssh.answers import are_hops
from deploy.hosts.ssh.openssh.match import Subject, criteria, host_applies, listed, match_applies
from deploy.hosts.ssh.openssh.options import COMMANDS, DECIDING, KEYWORDS, LISTS, Answer, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.hosts.ssh.openssh.lines import Line

DEEPEST = 16
"""How deep files may include each other (READCONF_MAX_DEPTH)."""
SYSTEM = Path("/etc/ssh")
_VARIABLE = re.compile(r"\$(?:\{|[A-Za-z0-9_]+$)")
REPEATED = frozenset({"identityfile", "certificatefile"})
_DOCUMENTED = {
    "addressfamily": {"any", "inet", "inet6"},
    "identitiesonly": {"yes", "no", "true", "false"},
    "proxyusefdpass": {"yes", "no", "true", "false"},
}


@dataclass
class _Reading:
    """One or two readings of all files for one name."""

    name: str
    user: str = ""
    port: str = ""
    is_final: bool = False
    wants_final: bool = False
    host: str = ""
    order: int = 0
    ignored: list[str] = field(default_factory=list)
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    @property
    def subject(self) -> Subject:
        name = self.values.get("hostname", (self.host,))[0].replace("%%", "\0")
        host = name.replace("%h", self.host).replace("\0", "%")
        user = self.user or self.values.get("user", (tokens.local_user(),))[0]
        port = self.port or self.values.get("port", ("22",))[0]
        alias = self.values.get("hostkeyalias", ("",))[0]
        values = tokens.facts(self.name, host, user=user, port=port, alias=alias)
        return Subject(self.name, host, user, values, is_final=self.is_final)


def answer(name: str, files: Sequence[str], user: str = "", port: int | None = None) -> Answer:
    """What files say of a name, in the order in which they apply; one that is absent says nothing.

    user, port: of the settings, which go before. Raises BadInput with file and line for what ssh
    refuses too, and for what only OpenSSH can judge.
    """
    reading = _Reading(name, user, str(port or ""), host=name)
    for _ in range(2):
        for file in files:
            _read(reading, file, folder=_folder(file), depth=0, inactive=False)
        if reading.is_final or not reading.wants_final:
            break
        reading.host, reading.is_final = reading.subject.host.lower(), True
        reading.values["hostname"] = (reading.host,)
    values = {key: each for key, each in reading.values.items() if not _is_none(key, each)}
    values["hostname"] = (reading.subject.host.lower(),)
    if "hostkeyalias" in values:
        values["hostkeyalias"] = (values["hostkeyalias"][0].lower(),)
    if user:
        values["user"] = (user,)
    if port:
        values["port"] = (str(port),)
    return Answer(name, values, reading.places)


def _is_none(option: str, values: tuple[str, ...]) -> bool:
    may_be_none = {"proxyjump", "proxycommand", "pkcs11provider"}
    return option in may_be_none and values[0].lower() == "none"


def _folder(file: str) -> Path:
    """Where the relative paths of a file's `Include` lead."""
    return SYSTEM if file.startswith(f"{SYSTEM}/") else Path(tokens.home()) / ".ssh"


def _read(reading: _Reading, file: str, *, folder: Path, depth: int, inactive: bool) -> None:
    """Read one file; inactive: it is included where a block does not apply."""
    if depth > DEEPEST:
        raise BadInput(f"{file}: `Include` leads deeper than {DEEPEST} files; remove the loop")
    try:
        path = Path(file).expanduser()
        found = lines.read(path, file) if path.is_file() else ()
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadInput(
            f"{file} cannot be read: {why}; repair it, or do without it: `load_ssh_configs: false` "
            "in fabric.yaml"
        ) from error
    block, applies = Place(""), not inactive
    for line in found:
        reading.order += 1
        if line.keyword in {"host", "match"}:
            block, applies = _block(reading, line, inactive=inactive)
        elif line.keyword == "include":
            for each in _included(line, folder):
                _read(reading, each, folder=folder, depth=depth + 1, inactive=not applies)
        else:
            _option(reading, line, block, applies=applies)


def _option(reading: _Reading, line: Line, block: Place, *, applies: bool) -> None:
    """Take a line's option if its block applies; its value must be one in any case, as for ssh."""
    if line.keyword == "ignoreunknown":
        reading.ignored += [line.one_word.lower()] * applies
    elif line.keyword not in KEYWORDS:
        if not any(listed(each, line.keyword) for each in reading.ignored):
            raise line.refused(
                f"`{line.keyword}` is no keyword of OpenSSH's; `IgnoreUnknown {line.keyword}` "
                "above it passes over it"
            )
    elif line.keyword in DECIDING:
        value = _value(line)
        if applies:
            place = Place(line.place, block.block, reading.order, block.excluded)
            _set(reading, line, value, place)


def _block(reading: _Reading, line: Line, *, inactive: bool) -> tuple[Place, bool]:
    """A block's first line, and whether the block applies."""
    title = f"{line.keyword.capitalize()} {line.rest}"
    if line.keyword == "host":
        words = line.words
        if not words:
            raise line.refused("`Host` has no pattern")
        excluded = tuple(word[1:] for word in words if word.startswith("!"))
        applies = not inactive and host_applies(line, reading.host)
        return Place(line.place, title, reading.order, excluded), applies
    kinds = {kind for kind, _, _ in criteria(line)}
    reading.wants_final |= "final" in kinds
    applies = not inactive and match_applies(line, reading.subject)
    return Place(line.place, title, reading.order), applies


def _value(line: Line) -> tuple[str, ...]:
    """An option's words, each of which ssh would take."""
    if line.keyword in COMMANDS:
        # ssh passes over any number of `=` here (readconf.c, parse_command).
        rest = line.rest.strip().lstrip(" \t\r=")
        if not rest:
            raise line.refused(f"no value after `{line.keyword}`")
        if line.keyword == "proxyjump" and not are_hops(rest):
            raise line.refused("`proxyjump` needs user@host:port, with commas between, or `none`")
        return (rest,)
    if line.keyword in LISTS:
        words = line.words
        if not words or ("none" in words and len(words) > 1):
            raise line.refused(f"`{line.keyword}` needs paths, or `none` alone")
        return words
    word = line.one_word
    allowed = _DOCUMENTED.get(line.keyword)
    if allowed and word.lower() not in allowed:
        raise line.refused(f"`{line.keyword}` cannot be {word!r}: {' or '.join(sorted(allowed))}")
    if line.keyword == "identityagent" and word.startswith("$") and not _VARIABLE.match(word):
        raise line.refused(f"`identityagent` {word!r} is no variable's name")
    if line.keyword == "port" and not (word.isdecimal() and 0 < int(word[:6]) < 2**16):
        raise line.refused(f"`port` must be a number from 1 to 65535, not {word!r}")
    return (word,)


def _set(reading: _Reading, line: Line, value: tuple[str, ...], place: Place) -> None:
    """Take an option's value, unless one was taken already."""
    option, values = line.keyword, reading.values
    if option == "canonicalizehostname":
        if value[0].lower() in {"yes", "always", "true"}:
            raise line.refused(
                "CanonicalizeHostname needs OpenSSH, which is not installed here, or not for this "
                "HOME"
            )
        return
    # The first of the two proxies counts, `none` too (readconf.c, oProxyCommand, parse_jump).
    rival = {"proxyjump": "proxycommand", "proxycommand": "proxyjump"}.get(option)
    if option in REPEATED and option in values:
        if value[0] not in values[option]:
            values[option] += value
    elif option not in values and rival not in values:
        if option == "hostname":
            try:
                tokens.expand(value[0], {"h": reading.host}, tokens.HOSTNAME)
            except tokens.UnknownToken as error:
                raise line.refused(str(error)) from error
        values[option] = value
        reading.places[option] = place


def _included(line: Line, folder: Path) -> Iterable[str]:
    """The files that an `Include` names, each pattern's in the order of their names."""
    words = line.words
    if not words:
        raise line.refused("`Include` names no file")
    for word in words:
        try:
            path = folder / Path(word).expanduser()
        except RuntimeError as error:
            raise line.refused(f"`Include {word}`: {error}") from error
        yield from sorted(glob.glob(str(path)))  # noqa: PTH207 - as ssh: a path may be absolute
