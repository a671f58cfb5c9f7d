"""Builds scripts that stage a release: users, folders, upload, unit, and its removal. Pure.

Builders of scripts, as in `base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.script import Program, Script, nothing, program
from deploy.package.manifest import DIGEST_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence


def prepare(app: str, user: str) -> Script[None]:
    """Make the service's user and the app's folders; changes nothing where they are right.

    Exit code 84 (TOOLS_DIFFER) prints a program that is not as GNU's here, its version, and what
    it said: the first line of each. Exit code 85 (UNITS_UNWRITABLE) prints why no unit can be
    installed.
    """
    name, owner = values.checked(values.name, app), values.checked(values.name, user)
    acts = (program("gnu_trials"), program("prepare_app", name, owner))
    return Script("making user and folders", acts, nothing)


def part(release: str) -> str:
    """The hidden folder beside the releases in which one is put together."""
    return f".{values.checked(values.release_id, release)}.part"


def receive_release(app: str, release: str, user: str, links: int, manifest: str) -> Script[None]:
    """Read a parcel from stdin, copy the rest, check all, publish it by rename.

    Nothing appears under the release's name before all of it is there, right and on disk. An
    upload that is cut off leaves its part, for the next one to go on from. Exit code 78
    (CONTENT_DIFFERS) where a file is not as in the package: a copy, as a rule; 82 (OTHER_RELEASE)
    where another release has this name. links: how many symbolic links the release has; manifest:
    the digest of its manifest, 64 hex digits.
    """
    receive = program(
        "receive_release",
        values.checked(values.name, app),
        values.checked(values.release_id, release),
        values.checked(values.name, user),
        int(links),
        values.checked(values.digest, manifest),
        DIGEST_BITS,
    )
    return Script("upload", (program("label_files"), receive), nothing)


def discard_part(app: str, release: str) -> Script[None]:
    """Remove what an upload left."""
    name, release_id = values.checked(values.name, app), values.checked(values.release_id, release)
    act = program("discard_part", name, release_id)
    return Script("removing what was uploaded", (act,), nothing)


def stage_units(
    judged: Sequence[tuple[str, int]],
    kept: Sequence[tuple[str, int]],
    trials: Sequence[Program] = (),
) -> Script[None]:
    """Let the host's own systemd judge units under their real names, and keep them if it may.

    Texts come from stdin, one after the other: those that are judged (name and bytes of each),
    those that are kept (file and bytes), and those that are tried. trials: the program that tries
    them, of `rehearsal`. Exit code 80 (UNIT_REFUSED) prints what systemd said: it ends with 0
    for a misspelt key, but then names our file.
    """
    checks = [(values.checked(values.unit_name, name), size) for name, size in judged]
    words = [word for pair in checks for word in pair]
    staged = program("stage_units", *words, "--", *(word for pair in kept for word in pair))
    kept_all = program("keep_units", *(file for file, _ in kept))
    return Script("verifying the unit", (staged, *trials, kept_all), nothing)


def remove_releases(app: str, releases: tuple[str, ...], coming: str = "") -> Script[None]:
    """Remove releases, what is kept of them, and partial uploads, but none that a slot points to.

    coming: the release whose partial upload stays, to be gone on with.
    """
    remove = program(
        "remove_releases",
        values.checked(values.name, app),
        values.checked(values.release_id, coming) if coming else "",
        *(values.checked(values.release_id, each) for each in releases),
    )
    return Script("removing old releases", (remove,), nothing)
