"""Judges owners, modes and links on a host: who could change what root reads.

`look` is a script that prints facts; `judge` is pure. Root publishes releases, installs units and
reads the environment file from these paths: another owner of one could make root run his code.
"""

from __future__ import annotations

import posixpath
import re
from shlex import quote
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.hosts import lstat, service_user
from deploy.hosts.lstat import Entry, way
from deploy.hosts.scripts.lock import LOCKS
from deploy.hosts.scripts.script import Program, program
from deploy.hosts.service_user import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.aws.inventory import Host
    from deploy.settings.app import App

MOST_BYTES = 64 * 1024
MOST_FINDINGS = 8
OTHERS_WRITE = 0o022
SECRET_MODE = 0o640
"""The most that an environment file's mode may allow."""

FOLDERS = ("releases", "slots", "current", "records")
LISTS = ("records/units", "records/manifests", "records/bad")
OTHERS_FOLDERS = ("/home/", "/run/user/")
"""Where another owner is right, and a path of root's has no place."""

_KINDS = {"f": "a file", "d": "a folder", "l": "a link", "p": "a FIFO", "s": "a socket"}


def look(
    app: str, user: str, environment_file: str | None = None, root: str = ""
) -> tuple[Program, ...]:
    """Programs for root that print the facts as `<app>.own.key=value` lines.

    root: the folder that stands for `/`. Values are hexadecimal or numbers. Raises BadInput for a
    name or a path that no shell should see.
    """
    users = service_user.question(app, user)
    if environment_file and not _is_plain(environment_file):
        raise BadInput(f"{app}: environment_file {environment_file!r} is no absolute path")
    base = f"./srv/{app}"
    fixed = [base, *(f"{base}/{name}" for name in (*FOLDERS, *LISTS))]
    fixed += [f".{LOCKS}", f"./var/lib/{app}", *(f".{p}" for p in way(environment_file or "/"))]
    paths = dict.fromkeys((".", "./srv", "./var/lib", *fixed))
    own = (app, root, MOST_BYTES, lstat.PRINTED, f".{LOCKS}")
    return *users, program("look_at_owners", *own, *paths)


def _is_plain(path: str) -> bool:
    words = path.split("/")
    return re.fullmatch(r"/[!-~]+", path) is not None and not {".", ".."} & set(words)


def parse(output: str) -> dict[str, str]:
    """The script's lines by key, for a caller without a parser of its own; the last one counts."""
    lines = (line.partition("=") for line in output.splitlines() if "=" in line)
    return {key: value.strip() for key, _, value in lines}


def refuse_wrong(host: Host, apps: Iterable[App], output: str) -> None:
    """Raise BadInput with all findings on a host: what others could change is no fact.

    output: what `look` printed for each app, among other `key=value` lines.
    """
    parsed = parse(output)
    findings = [finding for app in apps for finding in judge(host, app, parsed)]
    if findings:
        raise BadInput(*findings)


def judge(host: Host, app: App, parsed: Mapping[str, str]) -> list[str]:
    """Return the problems of an app's paths and user on a host, each with its repair.

    parsed: what `look` printed, by key.
    """
    findings = service_user.judge(host, app, parsed)
    value = parsed.get(f"{app.name}.own.paths", "")
    entries = lstat.entries(value)
    if "/" not in entries or len(value) >= 2 * MOST_BYTES:
        findings.append(
            f"{host}: the owners of what lies under /srv/{app.name} cannot be read; look there: "
            f"sudo find /srv/{app.name} -maxdepth 2 -ls"
        )
        return findings
    busy = set(re.findall(r"[0-9]+", parsed.get(f"{app.name}.own.busy", "")))
    wrong = [
        f"{host}: {problem}"
        for entry in entries.values()
        for problem in _problems(app, entry, entries, service_user.uid(app, parsed), busy)
    ]
    more = len(wrong) - MOST_FINDINGS
    rest = [f"{host}: {more} more paths of {app.name} have a wrong owner or mode"]
    return findings + wrong[:MOST_FINDINGS] + (rest if more > 0 else [])


def _problems(
    app: App, entry: Entry, entries: Mapping[str, Entry], own_uid: int | None, busy: set[str]
) -> Iterator[str]:
    """What is wrong with one path: a sentence, and the command that repairs it."""
    file = posixpath.normpath(app.environment_file or "/")
    kinds = _allowed(app, entry, entries, file)
    if entry.path == file != "/":
        yield from _secret(entry)
    elif entry.kind == "l" and entry.kind not in kinds and f"{file}/".startswith(f"{entry.path}/"):
        yield f"{entry.path} is a link; name the file behind it under `environment_file:`"
    elif entry.kind not in kinds:
        yield _of_other_kind(entry, "file" if "f" in kinds else "folder")
    elif entry.path == f"/var/lib/{app.name}" and not file.startswith(f"{entry.path}/"):
        yield from _state(app, entry, own_uid)
    else:
        yield from _writable(app, entry, busy)


def _allowed(app: App, entry: Entry, entries: Mapping[str, Entry], file: str) -> str:
    """The types, by find's letters, that a path may have."""
    base = f"/srv/{app.name}"
    folder, name = posixpath.split(entry.path)
    if folder == f"{base}/slots":
        return "l"
    if folder in {LOCKS, *(f"{base}/{each}" for each in LISTS)}:
        return "f"
    if folder == f"{base}/records" and f"records/{name}" not in LISTS:
        return "f"
    is_before_file = file.startswith(f"{entry.path}/")
    may_be_link = entry.path in {"/srv", base} and not is_before_file
    return "dl" if may_be_link and _leads_to_folders(entry, entries) else "d"


def _leads_to_folders(link: Entry, entries: Mapping[str, Entry]) -> bool:
    """Whether a link leads, without another link, to folders that were looked at."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    found = [entries.get(path) for path in way(target)]
    return bool(found) and all(each is not None and each.kind == "d" for each in found)


def _writable(app: App, entry: Entry, busy: set[str]) -> Iterator[str]:
    """Whether anybody but root may change a path, or has another name for it."""
    path, commands, wrong = _shown(entry.path), list[str](), list[str]()
    if entry.uid:
        wrong.append(f"is owned by uid {entry.uid} and not by root")
        whom = "root:root" if entry.path in {"/srv", f"/srv/{app.name}"} else "root"
        commands.append(f"sudo chown {'-h ' * (entry.kind == 'l')}{whom} {path}")
    if entry.kind != "l" and entry.mode & OTHERS_WRITE:
        wrong.append(f"can be written to by others (mode {entry.mode:04o})")
        commands.append(f"sudo chmod go-w {path}")
    if entry.kind == "f" and entry.links > 1:
        wrong.append(f"has {entry.links - 1} other names (hard links)")
        commands.append(f"sudo rm {path}")
    if not wrong:
        return
    remedy = f"run there: {' && '.join(commands)}"
    if str(entry.uid) in busy:
        remedy = (
            f"a running process of uid {entry.uid} works under /srv/{app.name}: choose another app "
            f"name, or stop that process and {remedy}"
        )
    elif entry.uid and f"{entry.path}/".startswith((f"/var/lib/{app.name}/", *OTHERS_FOLDERS)):
        remedy = "use a folder of root's in its place, such as /etc for an environment file"
    yield f"{path} {', '.join(wrong)}; {remedy}"


def _of_other_kind(entry: Entry, wanted: str) -> str:
    path, kind = _shown(entry.path), _KINDS.get(entry.kind, "a device")
    if entry.kind == "l":
        return (
            f"{path} is a link, and a {wanted} of root's is needed (/srv and the app's own folder "
            f"may be one link of root's to such a folder); look there: sudo ls -ld {path}"
        )
    return f"{path} is {kind} and not a {wanted}; look there and remove it: sudo ls -ld {path}"


def _state(app: App, entry: Entry, own_uid: int | None) -> Iterator[str]:
    """The service's own folder: only root or its user may write to it."""
    path = _shown(entry.path)
    if entry.uid not in {0, own_uid}:
        whom = "root" if own_uid is None else app.service_user
        yield (
            f"{path} belongs to uid {entry.uid}, and systemd would give it to "
            f"{app.service_user}; choose another app name, or run there: sudo chown {whom} {path}"
        )
    if entry.mode & 0o002:
        yield f"{path} can be written to by everybody; run there: sudo chmod o-w {path}"


def _secret(entry: Entry) -> Iterator[str]:
    """The environment file, which systemd reads as root and gives to the service."""
    path = _shown(entry.path)
    if entry.kind == "l":
        yield f"environment_file {path} is a link; name the file behind it in its place"
        return
    if entry.kind != "f":
        yield f"environment_file {path} is {_KINDS.get(entry.kind, 'a device')} and not a file"
        return
    if entry.uid:
        yield (
            f"environment_file {path} is owned by uid {entry.uid} and not by root; "
            f"run there: sudo chown root:root {path}"
        )
    if entry.mode & ~SECRET_MODE:
        yield (
            f"environment_file {path} has mode {entry.mode:04o}, and 0640 at most is allowed; "
            f"run there: sudo chmod 600 {path}"
        )
    if entry.links > 1:
        yield (
            f"environment_file {path} has {entry.links - 1} other names (hard links); "
            f"run there: sudo cp {path} {path}.new && sudo mv {path}.new {path}"
        )


def _shown(path: str) -> str:
    """A path for a message and for the shell that is suggested in it."""
    return quote(shown(path)) if shown(path) == path else shown(path)
