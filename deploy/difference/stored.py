"""Reads from hosts the manifests and units that a plan replaces.

One host is asked for all that show the same digests, and what it answers counts only where it has
these: so it speaks for the others, and no host can make them look different from what they are. Of
a unit that is stored for a return, the survey knows no digest of the text: the switch refuses one
that is not what its name says.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from deploy import values
from deploy.difference.files import Contents
from deploy.hosts.lock import many_hosts
from deploy.hosts.scripts import read
from deploy.package import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.difference.moves import Move
    from deploy.hosts.scripts.script import Script

T = TypeVar("T")

LOOK_SECONDS = 10.0
"""How long a host may take; what it does not show by then is not known."""
MOST_BYTES = 8 * read.MOST_STORED_BYTES
"""How much a host may print: six texts of one move, in base64."""
MOST_ASKED, MOST_AT_ONCE = 64, 32
"""How many questions are asked, and how many together: beyond it, no plan shows what differs."""


class Host(Protocol):
    """The part of a `Remote` that is used here."""

    def ask(self, script: Script[T], timeout_seconds: float, most_bytes: int) -> T:
        """Run a reading script; return its parser's value."""


@dataclass(frozen=True)
class Stored:
    """The files and units on a host of the release that a move replaces and of the one it brings.

    Attributes:
        releases: The files of releases, by release; those that are not known are missing.
        unit_before: The text of the unit file in use; None where it is not known.
        unit_after: The text of the unit that is stored for the release to come; likewise.
    """

    releases: Mapping[str, Contents] = field(default_factory=dict)
    unit_before: str | None = None
    unit_after: str | None = None


def of(moves: Iterable[Move], remotes: Mapping[str, Host]) -> dict[tuple[object, ...], Stored]:
    """Ask, all at once, what hosts have of the moves, by their keys.

    What cannot be read is not known, and no error: a plan is not refused for what it cannot show.
    """
    first = {move.key: move for move in reversed(tuple(moves))}
    asked = {str(n): move for n, move in enumerate(first.values()) if move.stored or move.unit_file}
    ask = partial(_asked, asked, remotes)
    names = [*asked][:MOST_ASKED]
    answers = many_hosts.answers(names, ask, LOOK_SECONDS, MOST_AT_ONCE)
    return {asked[name].key: it for name, it in answers if isinstance(it, Stored)}


def _asked(moves: Mapping[str, Move], remotes: Mapping[str, Host], name: str) -> Stored:
    move = moves[name]
    files = [each for each in (move.unit_file, move.stored_unit) if each]
    script = read.show_stored(move.on.app.name, move.stored, files)
    texts = remotes[move.on.host.name].ask(script, LOOK_SECONDS, MOST_BYTES)
    units = dict(zip(files, (texts.get(f"file {n}") for n in range(len(files))), strict=True))
    return Stored(_releases(move, texts), _unit_before(move, units), _text(units, move.stored_unit))


def _releases(move: Move, texts: Mapping[str, bytes]) -> dict[str, Contents]:
    """The files of releases whose manifest is the one that the survey saw."""
    found: dict[str, Contents] = {}
    for number, release in enumerate(move.stored):
        listed = texts.get(f"manifest {number}", b"")
        if manifest.text_digest(listed) == move.on.slot.manifests[release]:
            sizes = _sizes(texts.get(f"sizes {number}", b""))
            found[release] = Contents.of_manifest(listed.decode(errors="replace"), release, sizes)
    return found


def _sizes(listed: bytes) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in listed.decode(errors="replace").split("\n"):
        size, _, path = line.partition(" ")
        found[path] = values.number(size) or 0
    return found


def _unit_before(move: Move, units: Mapping[str, bytes | None]) -> str | None:
    """The unit file's text, where it is the one that the survey saw."""
    raw = units.get(move.unit_file) or b""
    is_same = hashlib.sha256(raw).hexdigest() == move.on.slot.unit_sha256
    return _text(units, move.unit_file) if is_same else None


def _text(units: Mapping[str, bytes | None], file: str) -> str | None:
    raw = units.get(file)
    return None if raw is None else raw.decode(errors="replace")
