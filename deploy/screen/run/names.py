"""Names of hosts and releases: in the order in which people count, and in little space. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.foreign_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DIGEST_SHOWN = 6


def shortened(names: Iterable[str], width: int) -> dict[str, str]:
    """Each name in at most so many characters, cut in the middle; names that differ still do.

    Fleets have names that differ at their ends, so the end gets more of the space where both
    halves do not do. Where no cut does, a number distinguishes them.
    """
    every = {name: visible(name) for name in names}
    tails = [*range(width // 2, width), *range(width // 2 - 1, -1, -1)]
    for tail in tails:
        found = {name: _cut(shown, width, tail) for name, shown in every.items()}
        if len(set(found.values())) == len(set(every.values())):
            return found
    return {
        name: _cut(shown, width - len(f"~{number}"), 0) + f"~{number}"
        for number, (name, shown) in enumerate(every.items(), start=1)
    }


def _cut(name: str, width: int, tail: int) -> str:
    """A name with its last `tail` characters, and before them as many of its first as fit."""
    if len(name) <= width:
        return name
    return f"{name[: max(0, width - tail - 1)]}…{name[len(name) - tail :]}"


def versions(releases: Iterable[str]) -> dict[str, str]:
    """Each release by its version alone, and with some of its digest where versions are alike."""
    every = {release: visible(release) for release in releases}
    short = {release: shown.rpartition("-")[0] or shown for release, shown in every.items()}
    counts = [*short.values()]
    return {
        release: version
        if counts.count(version) == 1
        else f"{version}-{every[release].rpartition('-')[2][:DIGEST_SHOWN]}"
        for release, version in short.items()
    }


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """`web 1.0.0 → 2.0.0`, for each app: what it ran and what it shall run."""
    found = []
    for app, release in after.items():
        old = before.get(app, "")
        shown = versions(each for each in (old, release) if each)
        way = f"{shown[old]} → " if old and old != release else ""
        found.append(f"{visible(app)} {way}{shown.get(release, '')}".rstrip())
    return ", ".join(found)
