"""Checks what a command needs to run, in the package and on the host."""

from __future__ import annotations

import difflib
import os
import posixpath
import re
import stat
from contextlib import closing
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from deploy.errors import BadInput
from deploy.foreign_text import visible
from deploy.package import program
from deploy.package.entries import check_link, is_host_program
from deploy.unit import command

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.package.entries import Entry

_MOST_LINKS = 40
_IN_RELEASE = re.compile(r"/srv/[^/]+/current/(.+)")
_NODE = re.compile(r"(?:.*/)?node(?:js)?")
_HOST_POLICY = "libhostpolicy.so"  # of a self-contained app, which needs no such file
_FOUND_BY_NODE = (".js", ".mjs", ".cjs", ".json")


class Files(Protocol):
    """What is known of a package's files; an `opening.Package` is one."""

    @property
    def path(self) -> Path:
        """What the build left."""

    @property
    def files(self) -> frozenset[str]:
        """Relative paths of files and links."""

    @property
    def interpreters(self) -> dict[str, tuple[str, ...]]:
        """What its programs need to be started, by path."""

    @property
    def windows_scripts(self) -> frozenset[str]:
        """Scripts whose lines end as Windows writes them."""


def host_programs(
    contents: dict[str, Entry], marked: set[str], package: str
) -> dict[str, tuple[str, ...]]:
    """By path, the program under /usr that a link leads to by which the command is started.

    That is the command's own file, or the interpreter in its first line. BadInput for other such
    links.
    """
    starting = set(marked)
    for path in marked:
        if contents[path].kind == stat.S_IFREG:
            with closing(contents[path].open()) as source:
                interpreters = program.interpreters(source.read(program.HEAD_BYTES))
            local = (_IN_RELEASE.fullmatch(each) for each in interpreters)
            starting |= {_followed(found[1], contents) for found in local if found}
    for entry in contents.values():
        if entry.kind == stat.S_IFLNK and entry.path not in starting:
            check_link(entry, package)
    links = (contents[path] for path in sorted(starting) if path)
    return {each.path: (each.target,) for each in links if each.kind == stat.S_IFLNK}


def _followed(path: str, contents: dict[str, Entry]) -> str:
    """The file that a path leads to, or a link to a program of the host's; empty for neither."""
    for _ in range(_MOST_LINKS):
        entry = contents.get(path)
        if entry is None or entry.kind == stat.S_IFDIR:
            break
        if entry.kind == stat.S_IFREG or is_host_program(entry.target):
            return path
        path = os.path.normpath(PurePosixPath(path).parent / entry.target)
    return ""


def executable(wanted: str, contents: dict[str, Entry], package: str) -> str:
    """Find the file that `wanted` names, through links; BadInput gives the nearest name."""
    if path := _followed(str(PurePosixPath(wanted)), contents):
        return path
    files = [entry.path for entry in contents.values() if entry.kind == stat.S_IFREG]
    folded = {file.lower(): file for file in files}
    near = difflib.get_close_matches(wanted.lower(), folded, n=1, cutoff=0.5)
    below = [file for file in files if PurePosixPath(file).name == PurePosixPath(wanted).name]
    guess = (below or [folded[match] for match in near] or [""])[0]
    hint = f"did you mean {guess!r}?" if guess else f"it holds {', '.join(sorted(files)[:3])}, …"
    raise BadInput(
        f"package {package}: the command's file {wanted!r} is not in it; {hint} "
        "Correct `command` in the settings, or the build",
    )


def refuse_missing(app: str, words: tuple[str, ...], opened: Files, key: str = "command") -> None:
    """Refuse a command whose script, or whose program's interpreter, is not in the package.

    app: the app's name, whose release is mounted at /srv/<app>/current; words: the command's; key:
    the setting that has it.

    Raises:
        BadInput: Names what is not there, and what is meant.
    """
    package = opened.path.name
    if words[0] in command.BUILTINS and words[0] not in opened.files:
        raise BadInput(
            f"{app}: {key}: {words[0]!r} is a word of the shell, and the command runs without "
            "one; write it into a script of the package, or sh -c '… && exec ./web'"
        )
    if found := command.background(words):
        raise BadInput(
            f"{app}: {key}: systemd takes a service for ended whose first process ends, and "
            f"{package} would be started in the background by {visible(found)}"
        )
    starter, script = command.program_and_script(words)
    if script and not _is_there(app, script, opened, is_node=bool(_NODE.fullmatch(starter))):
        near = difflib.get_close_matches(script, sorted(opened.files), n=1, cutoff=0.5)
        below = [file for file in sorted(opened.files) if file.endswith(f"/{script}")]
        hint = f"did you mean {(below or near)[0]!r}? " if below or near else ""
        raise BadInput(
            f"{app}: {key}: {visible(starter)} is to run {visible(script)}, which is not in "
            f"{package}; {hint}Correct `{key}` in the settings, or the build"
        )
    local = posixpath.normpath(script.removeprefix(f"/srv/{app}/current/"))
    if script.endswith(".dll"):
        config = f"{script.removesuffix('.dll')}.runtimeconfig.json"
        policy = posixpath.join(posixpath.dirname(script), _HOST_POLICY)
        if not (_is_there(app, config, opened) or _is_there(app, policy, opened)):
            raise BadInput(
                f"{app}: {key}: dotnet reads from {visible(config)} how {visible(script)} is to "
                f"run, which is not in {package}; pack all that `dotnet publish` writes"
            )
    if local in opened.windows_scripts and command.is_shell(starter):
        raise BadInput(
            f"package {package}: the lines of {visible(local)!r} end as Windows writes them, which "
            "no shell on a host can read; write the file with Unix line ends (in .gitattributes: "
            f"{visible(local.rpartition('/')[2])} text eol=lf)"
        )
    for path, needed in opened.interpreters.items():
        paths = (each for each in needed if "/" in each)
        if wrong := next((each for each in paths if not _is_there(app, each, opened)), None):
            raise BadInput(
                f"{app}: {visible(path)} of {package} is started by {visible(wrong)}, which is not "
                "in the package; build it for that place, or correct its first line"
            )


def unmarked(package: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the warning that these programs of a package are not executable; none for none."""
    if not paths:
        return ()
    which, them = f"{visible(paths[0])} is a program that is", "it"
    if len(paths) > 1:
        which, them = f"{len(paths)} programs, such as {visible(paths[0])}, are", "them"
    return (
        f"{package}: {which} not executable, while other files are: nothing can start {them}; make "
        f"{them} executable before you pack (chmod +x), or name {them} under `executables:`",
    )


def on_host(
    app: str, words: tuple[str, ...], opened: Files, *, has_own_path: bool
) -> dict[str, str]:
    """What must be there on each host: an absolute path, or a name on systemd's PATH; and for what.

    words: the command's. has_own_path: whether the service may have a PATH of its own, where `env`
    looks; systemd itself never looks there.
    """
    starter, _ = command.program_and_script(words)
    names = [(starter, "the command")]
    names += [(each, path) for path, needed in opened.interpreters.items() for each in needed]
    found = {name: why for name, why in reversed(names) if "/" in name or not has_own_path}
    found[words[0]] = "the command"
    return {
        name: why
        for name, why in found.items()
        if ("/" not in name or name.startswith("/"))
        and name not in opened.files
        and not name.startswith(f"/srv/{app}/current/")
    }


def _is_there(app: str, path: str, opened: Files, *, is_node: bool = False) -> bool:
    """Whether a path is in the package; true for what lies elsewhere, or behind a link."""
    current = f"/srv/{app}/current/"
    if path.startswith("/") and not path.startswith(current):
        return True
    local = posixpath.normpath(path.removeprefix(current))
    if local == "." or local in opened.files:
        return True
    parts = local.split("/")
    if any("/".join(parts[:count]) in opened.files for count in range(1, len(parts))):
        return True  # a link to a folder, or what fails in another way
    if any(file.startswith(f"{local}/") for file in opened.files):
        return True
    return is_node and any(local + suffix in opened.files for suffix in _FOUND_BY_NODE)
