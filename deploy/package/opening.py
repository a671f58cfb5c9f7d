"""Opens a package: verifies it, reads it, and makes the one archive for all hosts."""

from __future__ import annotations

import stat
import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from deploy.errors import BadInput
from deploy.package import program, readers, release, runnable
from deploy.package.archive import Bundle
from deploy.package.entries import (
    MOST_ENTRIES,
    Entry,
    Meter,
    Source,
    check_link,
    is_host_program,
    too_big,
)
from deploy.package.release import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.package.manifest import File


_MACOS_FOLDER = "__MACOSX/"
_DS_STORE, _APPLE_DOUBLE = b"\0\0\0\1Bud1", b"\0\5\x16\7"


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
        _refuse_nested(found, path.name)
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
    place = workspace / opened.archive_name
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
    contents = _without_macos_files(contents)
    if not any(entry.kind == stat.S_IFREG for entry in contents.values()):
        raise BadInput(f"package {package}: there are no files in it; build it again")
    _imply_folders(contents, package, meter)
    return _with_modes_that_count(dict(sorted(contents.items())))


def _refuse_nested(files: frozenset[str], package: str) -> None:
    """Refuse a package that holds nothing but another one, as artifact stores pack a package."""
    inner = next(iter(files)).rpartition("/")[2] if len(files) == 1 else ""
    if release.stem(inner) != inner:
        raise BadInput(
            f"package {package}: it holds {inner!r} alone, which is a package itself; unpack it "
            "once, as the store that it comes from has packed it again"
        )


def _without_macos_files(contents: dict[str, Entry]) -> dict[str, Entry]:
    """Leave out what macOS adds to archives of its own accord, and what is only of use there.

    `.DS_Store`, which lists a folder's files to anyone who asks, and AppleDouble files:
    `._a.py` beside `a.py`, or below `__MACOSX/`. A program that takes all files of a kind fails by
    these.
    """
    left_out = {
        path
        for path, entry in contents.items()
        if entry.kind == stat.S_IFREG and _is_of_macos(entry, contents)
    }
    kept = {path: entry for path, entry in contents.items() if path not in left_out}
    is_used = any(
        path.startswith(_MACOS_FOLDER) and entry.kind != stat.S_IFDIR
        for path, entry in kept.items()
    )
    if is_used or not any(path.startswith(_MACOS_FOLDER) for path in left_out):
        return kept
    return {path: each for path, each in kept.items() if not f"{path}/".startswith(_MACOS_FOLDER)}


def _is_of_macos(entry: Entry, contents: dict[str, Entry]) -> bool:
    """Whether a file is one of macOS' own, by its name and its first bytes."""
    folder, _, name = entry.path.rpartition("/")
    partner = f"{folder}/{name[2:]}" if folder else name[2:]
    is_beside = partner in contents or entry.path.startswith(_MACOS_FOLDER)
    mark = _DS_STORE if name == ".DS_Store" else _APPLE_DOUBLE
    if name != ".DS_Store" and not (name.startswith("._") and is_beside):
        return False
    return _start(entry).startswith(mark)


def _with_modes_that_count(contents: dict[str, Entry]) -> dict[str, Entry]:
    """Take the modes away where they say nothing: something lost or made them up on the way.

    Artifact stores and some archivers leave every file at 0644, others at 0777, and Windows has
    modes of its own; contents decide then. Where else only some files are executable, that was
    meant.
    """
    files = [entry for entry in contents.values() if entry.kind == stat.S_IFREG]
    marked = [entry for entry in files if entry.mode is not None and entry.mode & 0o111]
    if 0 < len(marked) < len(files) and not _is_marked_by_windows(files, marked):
        return contents
    return {path: replace(entry, mode=None) for path, entry in contents.items()}


def _is_marked_by_windows(files: list[Entry], marked: list[Entry]) -> bool:
    """Whether the modes are those that tar shows in Git Bash and Cygwin, which know no others.

    There libraries of Windows and scripts are executable, by their first bytes, and no ELF program.
    """
    if not any(entry.path.lower().endswith((".dll", ".exe")) for entry in marked):
        return False
    paths = {entry.path for entry in marked}
    starts = {entry.path: _start(entry) for entry in files}
    elf = {
        path
        for path, start in starts.items()
        if start.startswith(program.ELF) and not program.is_library(path)
    }
    scripts = {path for path, start in starts.items() if start.startswith(b"#!")}
    return bool(elf) and not elf & paths and scripts <= paths


def _start(entry: Entry) -> bytes:
    """The first bytes of a file, by which its kind is known."""
    with closing(entry.open()) as source:
        return source.read(program.HEAD_BYTES)


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
