"""Builds scripts that read a host and change nothing. Pure.

What they print of a host's own values are facts (see `ssh.framing`). Builders raise Malformed
for a name outside the grammar.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.history import HISTORY
from deploy.hosts.scripts.script import Program, Script, as_it_is, program
from deploy.hosts.scripts.service import SHOWN, processes
from deploy.package import manifest
from deploy.package.manifest import DIGEST_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.command_result import CommandResult

PROXY_LOOKS = 20
"""How often a host looks for a proxy's connections: a look and what ends after it take 0.3 s."""

MOST_FOUND_BYTES = 64 * 1024 * 1024
"""How much a host prints of what lies there of a release: beyond it, files are sent anew."""

MOST_STORED_BYTES = 4 * 1024 * 1024
"""How much a host prints of one text that lies there; a manifest has about 100 bytes for a file."""

NEEDED_TOOLS = (
    *("flock", "ss", "tar", "gzip", "xargs", "sha256sum", "b2sum", "base64", "od", "awk"),
    *("systemd-analyze", "useradd"),
)
"""The programs that our scripts use on every host."""
OTHER_TOOLS = ("curl", "python3")
"""One of them asks a port where sshd forbids forwarding."""


def survey_host(environment: str) -> tuple[Program, ...]:
    """Facts about the host itself, and who holds the environment's lock."""
    return lock.survey_lock(environment), program("survey_host", *NEEDED_TOOLS, *OTHER_TOOLS)


def survey_app(
    app: str,
    user: str,
    replaces: str | None,
    environment_file: str | None,
    units: Iterable[str] = (),
) -> Program:
    """Facts about an app on the host, with keys `<app>.…`; units: those of its slots."""
    return program(
        "survey_app",
        values.checked(values.name, app),
        values.checked(values.name, user),
        HISTORY,
        DIGEST_BITS,
        values.checked(values.unit_name, replaces) if replaces else "",
        environment_file or "",
        *(values.checked(values.unit_name, unit) for unit in units),
    )


def survey_previous(app: str, unit_name: str) -> Program:
    """What the unit that an app replaces sets: a text with the key `<app>.previous`."""
    name, unit = values.checked(values.name, app), values.checked(values.unit_name, unit_name)
    return program("survey_previous", name, unit)


def survey_ties(units: Iterable[tuple[str, str]]) -> Program:
    """Which other units a change of these reaches; units: a key for the facts, and a name."""
    words = [
        word
        for key, unit in units
        for word in (values.checked(values.name, key), values.checked(values.unit_name, unit))
    ]
    return program("survey_ties", *words)


def survey_variables(app: str, file: str, ports: Sequence[int], names: Iterable[str]) -> Program:
    """Which variables of an app's unit its environment file sets too, by their names.

    ports: those of its slots; names: those of its own variables.
    """
    given = dict.fromkeys((*(("PORT", "ASPNETCORE_URLS") if ports else ()), "HOME", *names))
    return program(
        "survey_variables",
        values.checked(values.name, app),
        file,
        *([int(port) for port in ports] if len(ports) == 1 else [""]),
        *filter(values.name, given),
    )


def survey_slots(slots: Iterable[tuple[str, int, str]]) -> tuple[Program, ...]:
    """Facts about slots (app, port and unit of each), with keys `<app>.<port>.…`."""
    words = [
        word
        for app, port, unit in slots
        for word in (
            values.checked(values.name, app),
            int(port),
            values.checked(values.unit_name, unit),
        )
    ]
    return *processes(), program("survey_slots", SHOWN, *words)


def find_contents(
    app: str, release: str, *, checked_now: bool = False
) -> Script[tuple[manifest.Found, ...]]:
    """Ask what lies on a host of a release.

    It is read from the manifests of releases, and for a partial upload from the files themselves.
    checked_now: these alone, so that nothing is trusted that was checked at another time.
    """
    find = program(
        "find_contents",
        values.checked(values.name, app),
        values.checked(values.release_id, release),
        DIGEST_BITS,
        MOST_FOUND_BYTES,
        "yes" if checked_now else "",
    )
    return Script("finding files", (find,), lambda result: manifest.read(result.stdout))


def find_proxy(port: int, others: Iterable[int]) -> Script[CommandResult]:
    """Who listens on a port, and which processes have connections to other ports.

    Facts with the keys `port.listener` and `client`; `ended`, after how many looks connections from
    the host to those ports had ended; `unwatched`, where it cannot see such.
    """
    look = program("find_proxy", int(port), PROXY_LOOKS, *map(int, others))
    return Script("looking for a proxy", (*processes(), look), as_it_is, must_succeed=True)


def find_upstreams(port: int) -> Script[CommandResult]:
    """Ask to which of the host's own ports the processes that listen on a port have connections.

    Facts with the key `upstream`.
    """
    look = program("find_upstreams", int(port), PROXY_LOOKS)
    return Script("looking behind a proxy", (look,), as_it_is, must_succeed=True)


def show_stored(
    app: str, releases: Sequence[str], files: Sequence[str]
) -> Script[Mapping[str, bytes]]:
    """Ask for the texts that lie on a host of releases of an app and of unit files.

    Returned by what they are: `manifest 0` is the stored manifest of the first release, `sizes 0`
    has a line for each of its files (bytes, a space, the path), `file 0` is the first file's text.
    A text that is not there is left out.
    """
    show = program(
        "show_stored",
        values.checked(values.name, app),
        MOST_STORED_BYTES,
        len(releases),
        *(values.checked(values.release_id, each) for each in releases),
        *(values.checked(values.path, each) for each in files),
    )
    return Script("reading what lies there", (show,), _stored)


def _stored(result: CommandResult) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for line in result.stdout.split("\n"):
        name, tab, encoded = line.partition("\t")
        if not tab:
            continue
        with suppress(ValueError):  # what is no base64 is no text
            found[name] = base64.b64decode(encoded, validate=True)
    return found
