"""Opens a package through the cache, so that only the first command packs it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from deploy.package import opening, release
from deploy.package.cache import content, entry, private_folder
from deploy.package.manifest import File
from deploy.package.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.package.opening import Package

_UNUSABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Folders:
    """Where the cache is, and apart from it the key by which its entries are known as ours."""

    entries: Path | None
    state: Path | None

    @classmethod
    def of_user(cls) -> Self:
        """This user's: ~/.cache/changeover and ~/.local/state/changeover, or where XDG has them."""
        return cls(
            private_folder.of_user("XDG_CACHE_HOME", ".cache"),
            private_folder.of_user("XDG_STATE_HOME", ".local/state"),
        )


NOWHERE = Folders(None, None)
"""No cache at all."""


@dataclass(frozen=True)
class _Wanted:
    """What a command wants to know of a package, as `opening.open_package` is asked."""

    path: Path
    executables: Callable[[frozenset[str]], tuple[str, ...]]
    max_unpacked_bytes: int
    workspace: Path

    def programs(self, files: frozenset[str]) -> list[str]:
        """The files that are to be executable; the archive depends on them."""
        return sorted(set(self.executables(files)))

    def open(self) -> Package:
        return opening.open_package(
            self.path,
            executables=self.executables,
            max_unpacked_bytes=self.max_unpacked_bytes,
            workspace=self.workspace,
        )


def open_package(
    path: Path,
    *,
    executables: Callable[[frozenset[str]], tuple[str, ...]],
    max_unpacked_bytes: int,
    workspace: Path,
    folders: Folders,
) -> Package:
    """Do as `opening.open_package` does, from the cache where it holds this very content."""
    wanted = _Wanted(path, executables, max_unpacked_bytes, workspace)
    with ExitStack() as stack:
        place = stack.enter_context(private_folder.opened(folders.entries))
        state = stack.enter_context(private_folder.opened(folders.state))
        before = content.of_package(path) if place is not None and state is not None else None
        if place is None or state is None or before is None:
            return wanted.open()
        try:
            sealing = entry.sealing_key(state)
        except (OSError, ValueError):
            return wanted.open()
        if kept := _kept(place, sealing, before.key, wanted):
            return kept
        package = wanted.open()
        # What was packed is what was digested only if it was not written to meanwhile.
        if content.of_package(path) == before:
            programs = wanted.programs(package.files)
            variant = hashlib.sha256("\0".join(programs).encode()).hexdigest()[:16]
            name = f"{before.key}-{variant}{entry.SUFFIX}"
            with suppress(OSError):
                entry.write(place, name, sealing, before.key, package, programs)
                entry.make_room(place)
        return package


def _kept(place: int, sealing: bytes, key: str, wanted: _Wanted) -> Package | None:
    """The package from an entry that is as it was written; others of its key are removed."""
    names: list[str] = []
    with suppress(OSError):
        names = sorted(each for each in os.listdir(place) if each.startswith(f"{key}-"))
    for name in names:
        try:
            if package := _read(place, name, sealing, key, wanted):
                return package
        except _UNUSABLE:
            private_folder.remove(place, name)
    return None


def _read(place: int, name: str, sealing: bytes, key: str, wanted: _Wanted) -> Package | None:
    """The package of one entry, its archive copied; None where it is for other settings.

    The archive is verified as it is copied, so that no other process can change it afterwards.
    """
    app, version = release.parse_name(wanted.path.name)
    with private_folder.reading(place, name) as file:
        known = entry.read_line(file, sealing, key)
        found = Release(
            app, version, known["release_digest"], known["file_count"], known["size_bytes"]
        )
        is_other = wanted.programs(frozenset(known["files"])) != known["programs"]
        if is_other or found.size_bytes > wanted.max_unpacked_bytes:
            return None
        archive = wanted.workspace / found.archive_name
        package = _package(known, wanted.path, found, archive)
        descriptor, part = tempfile.mkstemp(dir=wanted.workspace, suffix=".part")
        try:
            with open(descriptor, "wb") as copy:  # noqa: PTH123 - a descriptor
                entry.copy_archive(file, copy, known)
            Path(part).replace(archive)
        finally:
            Path(part).unlink(missing_ok=True)
        os.utime(file.fileno())
        return package


def _package(known: entry.Known, path: Path, found: Release, archive: Path) -> Package:
    """The opened package that a line describes."""
    return opening.Package(
        path=path,
        release=found,
        archive=archive,
        archive_bytes=known["archive_bytes"],
        files=frozenset(known["files"]),
        manifest=tuple(File(*each) for each in known["manifest"]),
        links=known["links"],
        spans={name: (first, last) for name, first, last in known["spans"]},
        skeleton_bytes=known["skeleton_bytes"],
        unmarked=tuple(known["unmarked"]),
        machines={name: frozenset(each) for name, each in known["machines"].items()},
        interpreters={name: tuple(each) for name, each in known["interpreters"].items()},
        windows_scripts=frozenset(known["windows_scripts"]),
    )
