"""A package from a build: chosen, checked, and made into the one archive that hosts are sent."""

from __future__ import annotations

import glob
import os
import stat
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from deploy.errors import BadInput
from deploy.package import readers, release, runnable
from deploy.package.archive import Bundle
from deploy.package.entries import (
    MOST_ENTRIES,
    Entry,
    Meter,
    Source,
    check_link,
    is_host_program,
    refusing,
    too_big,
)
from deploy.package.release import Release
from deploy.settings.base import expanded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.package.manifest import File


@dataclass(frozen=True)
class Package:
    """A package ready to be sent.

    path: what the build left; release: what it is.
    archive: the same contents as a tar.gz whose order, times, owners and modes are normalised, of
    archive_bytes in all.
    files: relative paths of files and links; manifest: every regular file; links: how many.
    spans: by path, from which to which byte of the archive a file goes; before skeleton_bytes are
    folders and links. What is taken out of it by these is a tar.gz too, but for its end.
    unmarked: its ELF programs that are not executable, where other files are.
    machines: the machines that its ELF programs are for, as `uname -m` calls them, by path;
    interpreters: what its programs need to be started, by path; windows_scripts: whose lines end
    as Windows writes them.
    """

    path: Path
    release: Release
    archive: Path
    archive_bytes: int
    files: frozenset[str]
    manifest: tuple[File, ...]
    links: int
    spans: dict[str, tuple[int, int]] = field(repr=False)
    skeleton_bytes: int
    unmarked: tuple[str, ...] = ()
    machines: dict[str, frozenset[str]] = field(default_factory=dict)
    interpreters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    windows_scripts: frozenset[str] = frozenset()


def choose(pattern: str, base: Path, name: str | None = None) -> Path:
    """Find the newest package that matches the glob `pattern`, relative to `base`.

    Where `name` is given, packages of other names are passed over. BadInput when none matches,
    when two share the newest version, or when several names match and none was asked for.
    """
    matches = _matching(base, pattern)
    if not matches:
        there = _what_is_there((base / expanded(pattern)).parent)
        raise BadInput(f"package {pattern!r}: nothing in {base} matches; {there}")
    named = [(path, *parsed) for path in matches if (parsed := _parsed(path))]
    if not named:
        release.parse_name(matches[0].name)
        raise BadInput(
            f"package {pattern!r}: {matches[0].name} in {base} is no package; it must be a .zip, "
            ".nupkg, .tar.gz, .tgz or a folder"
        )
    wanted = [found for found in named if name is None or found[1] == name]
    names = sorted({found[1] for found in named})
    if not wanted:
        raise BadInput(
            f"package {pattern!r}: none of {name!r} in {base}, only of {', '.join(names)}; "
            f"build one called like {name}.1.2.3.zip, or name it with --package",
        )
    if name is None and len(names) > 1:
        raise BadInput(
            f"package {pattern!r}: packages of several names match in {base}: {', '.join(names)}; "
            f"write the pattern for one, like {names[0]}.*",
        )
    newest = max(release.version_key(version) for _, _, version in wanted)
    best = [path for path, _, version in wanted if release.version_key(version) == newest]
    if len(best) > 1:
        raise BadInput(
            f"package {pattern!r}: {' and '.join(path.name for path in best)} in {best[0].parent} "
            "are of the same version; remove one, or name one with --package",
        )
    return best[0]


def of_version(pattern: str, base: Path, version: str) -> list[Path]:
    """The packages that match the glob `pattern` and are of exactly this version."""
    matches = _matching(base, pattern)
    return [path for path in matches if (parsed := _parsed(path)) and parsed[1] == version]


def _matching(base: Path, pattern: str) -> list[Path]:
    """What a glob matches below `base`, whose own name is no pattern: it may hold brackets."""
    wanted = expanded(pattern)
    if (base / wanted).exists():
        return [base / wanted]
    return [base / found for found in sorted(glob.glob(str(wanted), root_dir=base))]  # noqa: PTH207 - it may be absolute


def open_package(
    path: Path,
    *,
    executables: Callable[[frozenset[str]], tuple[str, ...]],
    max_unpacked_bytes: int,
    workspace: Path,
) -> Package:
    """Read, check and normalise the package at `path`; the archive is written into `workspace`.

    `executables` is called with the paths of the files and links, and names those that must be
    there and become executable, beside those that the archive marks. BadInput for whatever cannot
    be deployed; then nothing is left behind.
    """
    name, version = release.parse_name(path.name)
    with readers.reading(path, max_unpacked_bytes, workspace) as entries:
        contents = _checked(entries, path.name, max_unpacked_bytes)
        found = frozenset(entry.path for entry in contents.values() if entry.kind != stat.S_IFDIR)
        marked = {runnable.executable(wanted, contents, path.name) for wanted in executables(found)}
        on_host = runnable.host_programs(contents, marked, path.name)
        part, partial = tempfile.mkstemp(dir=workspace, suffix=".part")
        try:
            with open(part, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                bundle = Bundle(file, path.name, max_unpacked_bytes)
                bundle.write(contents, marked)
        except BaseException:
            Path(partial).unlink()
            raise
    opened = Release(name, version, bundle.digest.hexdigest(), len(found), bundle.unpacked)
    place = workspace / f"{name}.{opened.id}.tar.gz"
    Path(partial).replace(place)
    return Package(
        path=path,
        release=opened,
        archive=place,
        archive_bytes=bundle.packed,
        files=found,
        manifest=tuple(bundle.files),
        links=bundle.links,
        spans=bundle.spans,
        skeleton_bytes=bundle.skeleton,
        unmarked=tuple(bundle.unmarked),
        machines=bundle.machines,
        interpreters=bundle.interpreters | on_host,
        windows_scripts=frozenset(bundle.windows_scripts),
    )


def _parsed(path: Path) -> tuple[str, str] | None:
    """Name and version, or None for what only lies beside the packages."""
    if path.is_file() and release.stem(path.name) == path.name:
        return None
    try:
        return release.parse_name(path.name)
    except BadInput:
        return None


def _what_is_there(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder}; build the package first, or correct the pattern"
    with refusing(folder):
        names = sorted(entry.name for entry in os.scandir(folder))
    if not names:
        return f"{folder} is empty; build the package first, or correct the pattern"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""  # noqa: PLR2004 - what fits on a line
    return f"{folder} holds {', '.join(names[:5])}{more}; build the package or correct the pattern"


def _checked(entries: Iterable[Entry], package: str, limit: int) -> dict[str, Entry]:
    """Every entry by its path, sorted, after the checks that need all of them."""
    contents: dict[str, Entry] = {}
    declared = 0
    meter = Meter(package, MOST_ENTRIES)
    for entry in entries:
        both_folders = entry.kind == stat.S_IFDIR == getattr(contents.get(entry.path), "kind", 0)
        if entry.path in contents and not both_folders:
            raise BadInput(
                f"package {package}: {entry.path!r} is in it twice; build it again with one",
            )
        if entry.kind == stat.S_IFLNK and not is_host_program(entry.target):
            check_link(entry, package)
        meter.entry(entry.path, entry.target)
        contents[entry.path] = entry
        declared += entry.size
        if declared > limit:
            raise too_big(package, entry.path, limit)
    if not any(entry.kind == stat.S_IFREG for entry in contents.values()):
        raise BadInput(f"package {package}: there are no files in it; build it again")
    _imply_folders(contents, package, meter)
    return _with_modes_that_count(dict(sorted(contents.items())))


def _with_modes_that_count(contents: dict[str, Entry]) -> dict[str, Entry]:
    """Take the modes away where they are the same for all files: something lost them on the way.

    Artifact stores and some archivers leave every file at 0644, others at 0777; contents decide
    then. Where only some files are executable, that was meant.
    """
    files = [entry for entry in contents.values() if entry.kind == stat.S_IFREG]
    if len({entry.mode is not None and bool(entry.mode & 0o111) for entry in files}) > 1:
        return contents
    return {path: replace(entry, mode=None) for path, entry in contents.items()}


def _imply_folders(contents: dict[str, Entry], package: str, meter: Meter) -> None:
    """Add the folders that no entry names; BadInput for a file that holds another."""
    checked = set[str]()
    for path in list(contents):
        parent = path.rpartition("/")[0]
        while parent and parent not in checked:
            checked.add(parent)
            if parent not in contents:
                meter.entry(parent)
            folder = contents.setdefault(parent, _implied_folder(parent))
            if folder.kind != stat.S_IFDIR:
                raise BadInput(
                    f"package {package}: {folder.path!r} is a file or link and a folder at once "
                    f"(it holds {path!r}); build it again with one",
                )
            parent = parent.rpartition("/")[0]


def _implied_folder(path: str) -> Entry:
    return Entry(path, stat.S_IFDIR, None, 0, "", lambda: cast("Source", None))
