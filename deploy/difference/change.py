"""What changes of an app, on hosts where it is the same. Pure."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.difference import files, unit_text
from deploy.difference.files import Contents
from deploy.difference.stored import Stored
from deploy.hosts.records import is_previous
from deploy.package import manifest
from deploy.package.delta import Parcel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.difference.files import FileChanges
    from deploy.difference.moves import Move
    from deploy.package.opening import Package


@dataclass(frozen=True)
class Change:
    """The changes of an app.

    Attributes:
        app: By name.
        hosts: By name.
        before: The release that runs or lies in its place, or the unit that is replaced; empty for
            nothing.
        after: The release that is to run there, or the unit that is returned to.
        is_sent: Whether the release does not lie there yet.
        sent_bytes: So many bytes at most are sent to each of the hosts.
        package_bytes: Of the package as a host is sent it that has nothing of it; 0 where no
            package is deployed.
        files: What becomes of the files; None where those of a release are not known.
        unit: The unified diff of the unit in use and the one to come, without values that may be
            secrets; None where one of the two is not known.
        unit_with_values: The same with them, for a person's own terminal alone.
    """

    app: str
    hosts: tuple[str, ...]
    before: str
    after: str
    is_sent: bool = False
    sent_bytes: int = 0
    package_bytes: int = 0
    files: FileChanges | None = None
    unit: tuple[str, ...] | None = None
    unit_with_values: tuple[str, ...] = field(default=(), repr=False)


def of(
    moves: Iterable[Move], stored: Mapping[tuple[object, ...], Stored] | None = None
) -> tuple[Change, ...]:
    """Return the changes by the moves, one for all hosts on which it is the same, in their order.

    stored: what hosts have, by the moves' keys; without it, what no host was asked for is unknown.
    """
    by_move: dict[tuple[object, ...], Change] = {}
    hosts: dict[Change, list[str]] = {}
    for move in moves:
        if move.key not in by_move:
            by_move[move.key] = _of(move, (stored or {}).get(move.key, Stored()))
        hosts.setdefault(by_move[move.key], []).append(move.on.host.name)
    return tuple(replace(change, hosts=tuple(names)) for change, names in hosts.items())


def _of(move: Move, stored: Stored) -> Change:
    """What changes on one host, of which the name is left out."""
    package = move.package
    after = Contents.of_package(package.manifest) if package else stored.releases.get(move.after)
    # Nothing of ours is replaced where nothing was, or a unit of another's.
    is_ours = bool(move.before) and not is_previous(move.before)
    before = stored.releases.get(move.before) if is_ours else files.NOTHING
    old_unit, new_unit = stored.unit_before, move.unit_text or stored.unit_after
    unit: tuple[str, ...] | None = None
    unit_with_values: tuple[str, ...] = ()
    if is_ours and old_unit is not None and new_unit is not None:
        unit = unit_text.unified(old_unit, new_unit)
        unit_with_values = unit_text.unified(old_unit, new_unit, shows_values=True)
    return Change(
        app=move.on.app.name,
        hosts=(),
        before=move.before,
        after=move.after,
        is_sent=move.is_sent,
        sent_bytes=_sent_bytes(package, move.before, before) if package and move.is_sent else 0,
        package_bytes=package.archive_bytes if package else 0,
        files=None if before is None or after is None else files.compared(before, after),
        unit=unit,
        unit_with_values=unit_with_values,
    )


def _sent_bytes(package: Package, release: str, before: Contents | None) -> int:
    """How much a host is sent at most that has the files of this release."""
    digests = before.digests if before else {}
    found = [manifest.Found(release, path, digest) for path, digest in digests.items()]
    difference = manifest.compare(package.manifest, found, "")
    return min(Parcel(io.BytesIO(), package, difference).size, package.archive_bytes)
