"""What a command needs to run: of the package, and of the host. Pure."""

from __future__ import annotations

import difflib
import posixpath
import re
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.foreign_text import visible
from deploy.unit import command

if TYPE_CHECKING:
    from deploy.package.opening import Package

_NODE = re.compile(r"(?:.*/)?node(?:js)?")
_FOUND_BY_NODE = (".js", ".mjs", ".cjs", ".json")


def refuse_missing(app: str, words: tuple[str, ...], opened: Package) -> None:
    """Refuse a command whose script, or whose program's interpreter, is not in the package.

    app: the app's name, whose release is mounted at /srv/<app>/current; words: the command's.

    Raises:
        BadInput: Names what is not there, and what is meant.
    """
    package = opened.path.name
    if words[0] in command.BUILTINS and words[0] not in opened.files:
        raise BadInput(
            f"{app}: command: {words[0]!r} is a word of the shell, and the command runs without "
            "one; write it into a script of the package, or sh -c '… && exec ./web'"
        )
    program, script = command.program_and_script(words)
    if script and not _is_there(app, script, opened, is_node=bool(_NODE.fullmatch(program))):
        near = difflib.get_close_matches(script, sorted(opened.files), n=1, cutoff=0.5)
        below = [file for file in sorted(opened.files) if file.endswith(f"/{script}")]
        hint = f"did you mean {(below or near)[0]!r}? " if below or near else ""
        raise BadInput(
            f"{app}: command: {visible(program)} is to run {visible(script)}, which is not in "
            f"{package}; {hint}Correct `command` in the settings, or the build"
        )
    for path, needed in opened.interpreters.items():
        paths = (each for each in needed if "/" in each)
        if wrong := next((each for each in paths if not _is_there(app, each, opened)), None):
            raise BadInput(
                f"{app}: {visible(path)} of {package} is started by {visible(wrong)}, which is not "
                "in the package; build it for that place, or correct its first line"
            )


def on_host(
    app: str, words: tuple[str, ...], opened: Package, *, has_own_path: bool
) -> dict[str, str]:
    """What must be there on each host: an absolute path, or a name on systemd's PATH; and for what.

    words: the command's. has_own_path: whether the service may have a PATH of its own, where `env`
    looks; systemd itself never looks there.
    """
    program, _ = command.program_and_script(words)
    names = [(program, "the command")]
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


def _is_there(app: str, path: str, opened: Package, *, is_node: bool = False) -> bool:
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
