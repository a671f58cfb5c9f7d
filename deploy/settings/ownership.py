"""Refuses a settings file that others could change: owner and mode of file and folder.

Cheap to import: shell completion waits for it. As Git's safe.directory has it: a file in a folder
above may be anybody's, such as /tmp/fabric.yaml, and settings decide what runs here and on the
hosts.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from deploy.errors import BadInput

NAME = "fabric.yaml"
"""The settings file's name."""


@dataclass(frozen=True)
class Trusted:
    """The ids of the users and groups that may change what is read."""

    users: frozenset[int]
    groups: frozenset[int]

    @classmethod
    def here(cls) -> Trusted:
        """Return root, this user, its groups, and who became root with sudo."""
        users, sudo = {0, os.geteuid()}, os.environ.get("SUDO_UID", "")
        if os.geteuid() == 0 and sudo.isdecimal():
            users.add(int(sudo))
        return cls(frozenset(users), frozenset({0, os.getegid(), *os.getgroups()}))


def working_folder() -> Path:
    """Return the folder that the command was typed in; BadInput where it is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise BadInput(
            f"this folder is gone ({error.strerror}); change to your project's folder"
        ) from error


def nearest() -> Path | None:
    """Return the settings file here or in a folder above, as it is typed here; None without one.

    Raises:
        BadInput: The working directory is gone, or others could have written a file above it.
    """
    here = working_folder()
    for depth, folder in enumerate((here, *here.parents)):
        if (folder / NAME).is_file():
            relative = Path(*[".."] * depth, NAME)
            if depth:
                refuse_foreign(folder / NAME, str(relative), Trusted.here())
            return relative
    return None


def refuse_foreign(file: Path, typed: str, trusted: Trusted) -> None:
    """Raise BadInput where others could change the file, or put another in its place.

    file: its absolute path; typed: what to type after `--settings`. Where the file is a link, the
    place that it leads to counts as well.
    """
    real = file.resolve()
    for path in dict.fromkeys((file.parent, file, real.parent, real)):
        if finding := _finding(path, trusted):
            problem, repair = finding
            raise BadInput(
                f"{file}, in a folder above, is not read: {path} {problem}, and settings decide "
                "what runs here and on the hosts.",
                f"If you trust it, name it with `--settings {quote(typed)}`, or run `{repair}`.",
            )


def _finding(path: Path, trusted: Trusted) -> tuple[str, str] | None:
    """Return what is wrong with a path, and what repairs it; None where nothing is."""
    found = path.lstat()
    if found.st_uid not in trusted.users:
        problem = f"belongs to {_user(found.st_uid)}, not to {_user(os.geteuid())}"
        return problem, f"sudo chown -h {_user(os.geteuid())} {quote(str(path))}"
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if stat.S_ISLNK(found.st_mode) or is_sticky:
        return None  # a link has no mode; in a sticky folder, each file is its owner's to replace
    if found.st_mode & stat.S_IWOTH:
        return "can be changed by every user", f"chmod o-w {quote(str(path))}"
    if found.st_mode & stat.S_IWGRP and found.st_gid not in trusted.groups:
        return (
            f"can be changed by the group {_group(found.st_gid)}",
            f"chmod g-w {quote(str(path))}",
        )
    return None


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
