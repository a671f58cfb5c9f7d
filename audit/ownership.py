"""Ownership: every layout in which another user could change what root reads is refused."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from audit.wall import Attempt, Wall
from deploy.aws.inventory import Host
from deploy.hosts import lstat, ownership
from deploy.hosts.scripts.script import text_of
from deploy.settings.app import App

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Judge = Callable[[Host, App, Mapping[str, str]], list[str]]


HOST = Host("web-1", "10.0.0.1", "i-00000000000000001")
ENVIRONMENT_FILE = "/etc/web/web.env"
NAME = "changeover-audit"  # no user of this machine
APP = App(
    name=NAME,
    package="x",
    target_group="x",
    ports=(5000,),
    environment_file=ENVIRONMENT_FILE,
)
OTHER = 12345
FOLDERS = {
    "srv": 0o755,
    f"srv/{NAME}": 0o755,
    f"srv/{NAME}/releases": 0o750,
    f"srv/{NAME}/releases/1.0.0-aaaaaaaaaaaa": 0o750,
    f"srv/{NAME}/releases/.2.0.0-bbbbbbbbbbbb.part": 0o700,
    f"srv/{NAME}/slots": 0o755,
    f"srv/{NAME}/current": 0o755,
    f"srv/{NAME}/records": 0o700,
    f"srv/{NAME}/records/units": 0o700,
    f"srv/{NAME}/records/manifests": 0o700,
    f"srv/{NAME}/records/bad": 0o700,
    "var/lib": 0o755,
    "var/lib/changeover": 0o755,
    f"var/lib/{NAME}": 0o750,
    "etc": 0o755,
    "etc/web": 0o755,
}
FILES = {
    f"srv/{NAME}/records/history": 0o600,
    f"srv/{NAME}/records/5000.out": 0o600,
    f"srv/{NAME}/records/units/1.0.0-aaaaaaaaaaaa.ab12.web@5000.service": 0o600,
    f"srv/{NAME}/records/manifests/1.0.0-aaaaaaaaaaaa": 0o600,
    f"srv/{NAME}/records/bad/1.0.0-aaaaaaaaaaaa": 0o600,
    "var/lib/changeover/lab.lock": 0o644,
    "etc/web/web.env": 0o640,
}
SLOT = f"srv/{NAME}/slots/5000"
STATE = f"var/lib/{NAME}"


def lay_out(root: Path) -> None:
    """Make what a deploy leaves on a host, below this folder."""
    for path, mode in FOLDERS.items():
        (root / path).mkdir(parents=True, exist_ok=True)
        (root / path).chmod(mode)
    for path, mode in FILES.items():
        (root / path).write_text("x\n")
        (root / path).chmod(mode)
    (root / SLOT).symlink_to("../releases/1.0.0-aaaaaaaaaaaa")


def _replace(path: Path, make: Callable[[Path], None]) -> None:
    """Put something else in the place of a path, which stays beside it."""
    path.rename(path.with_name(f"{path.name}.away"))
    make(path)


def _link(root: Path, path: str) -> None:
    _replace(root / path, lambda made: made.symlink_to(f"{made.name}.away"))


def _through_a_link_of_others(root: Path, path: str) -> None:
    """A link of root's to a folder that another user may exchange for another."""
    (root / "home/bob").mkdir(parents=True)
    (root / path).rename(root / "home/bob/here")
    os.chown(root / "home/bob", OTHER, OTHER)
    up = "../" * (len(Path(path).parts) - 1)
    (root / path).symlink_to(f"{up}home/bob/here")


def _through_two_links(root: Path, path: str) -> None:
    (root / "mid").symlink_to("far")
    (root / path).rename(root / "far")
    up = "../" * (len(Path(path).parts) - 1)
    (root / path).symlink_to(f"{up}mid")


def _chown(root: Path, path: str) -> None:
    os.chown(root / path, OTHER, -1, follow_symlinks=False)


def _mode(root: Path, path: str, bits: int) -> None:
    (root / path).chmod((root / path).stat().st_mode & 0o7777 | bits)


def _hard_link(root: Path, path: str) -> None:
    (root / "other name").hardlink_to(root / path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _stranger(root: Path, folder: str, name: bytes) -> None:
    """A file of another user with a name of his choice, among root's."""
    path = os.fsencode(root / folder) + b"/" + name
    with open(path, "w"):  # noqa: PTH123 - a name in bytes
        pass
    os.chown(path, OTHER, OTHER)


def hostile() -> dict[str, Callable[[Path], None]]:
    """Changes to a good layout, each of which must be found, by what they do."""
    made: dict[str, Callable[[Path], None]] = {}
    for path in (*FOLDERS, *FILES, SLOT):
        made[f"{path} is another's"] = partial(_chown, path=path)
    for path in (*FOLDERS, *FILES):
        if path != STATE:
            made[f"{path} is writable for its group"] = partial(_mode, path=path, bits=0o020)
            made[f"{path} is writable for its group, setgid"] = partial(
                _mode, path=path, bits=0o2020
            )
        made[f"{path} is writable for all"] = partial(_mode, path=path, bits=0o002)
        made[f"{path} is writable for all, sticky"] = partial(_mode, path=path, bits=0o1777)
    for path in FOLDERS:
        if path not in {"srv", f"srv/{NAME}"}:
            made[f"{path} is a link"] = partial(_link, path=path)
        if "/" in path and path not in {"var/lib", STATE}:
            made[f"{path} is a FIFO"] = partial(_fifo, path=path)
    for path in FILES:
        made[f"{path} is a link"] = partial(_link, path=path)
        made[f"{path} is a FIFO"] = partial(_fifo, path=path)
        made[f"{path} has another name"] = partial(_hard_link, path=path)
    for path in ("srv", f"srv/{NAME}"):
        made[f"{path} leads to another's folder"] = partial(_through_a_link_of_others, path=path)
        made[f"{path} leads over two links"] = partial(_through_two_links, path=path)
    made["the environment file can be read by all"] = partial(_mode, path="etc/web/web.env", bits=4)
    made["the environment file is a program"] = partial(_mode, path="etc/web/web.env", bits=0o100)
    made["the slot is a folder"] = lambda root: _replace(root / SLOT, Path.mkdir)
    made["a release is a socket"] = lambda root: _socket(root / f"srv/{NAME}/releases/3.0.0-c")
    for name in (b"\x1b]0;x\x07", b"x\nweb.own.paths=", b"-rf", b"$(id)", b"\xff\xfe", b" ", b"'"):
        made[f"a stranger among the records: {name!r}"] = partial(
            _stranger, folder=f"srv/{NAME}/records/bad", name=name
        )
    return made


def _fifo(root: Path, path: str) -> None:
    _replace(root / path, lambda place: os.mkfifo(place, 0o600))


def harmless() -> dict[str, Callable[[Path], None]]:
    """Changes to a good layout, none of which may be refused."""

    def linked(root: Path, path: str) -> None:
        (root / "data").mkdir()
        (root / path).rename(root / "data/here")
        up = "../" * (len(Path(path).parts) - 1)
        (root / path).symlink_to(f"{up}data/here")

    def first(root: Path) -> None:
        (root / f"srv/{NAME}").rename(root / "away")

    def empty(root: Path) -> None:
        for path in ("srv", "var", "etc"):
            (root / path).rename(root / f"{path}.away")

    return {
        "nothing changed": lambda _: None,
        "a first install": first,
        "an empty machine": empty,
        "/srv is a link of root's": partial(linked, path="srv"),
        "the app's folder is a link of root's": partial(linked, path=f"srv/{NAME}"),
        "a folder is setgid": partial(_mode, path=f"srv/{NAME}/releases", bits=0o2000),
        "a folder is sticky": partial(_mode, path=f"srv/{NAME}", bits=0o1000),
        "no environment file yet": lambda root: (root / "etc/web/web.env").unlink(),
        "the service's folder is for its group": partial(_mode, path=STATE, bits=0o020),
    }


def facts(root: Path, shell: str = "sh") -> dict[str, str]:
    """What the script says of a machine whose `/` is this folder."""
    script = text_of(ownership.look(NAME, NAME, ENVIRONMENT_FILE, str(root)))
    ended = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True)
    return ownership.parse(ended.stdout)


def layouts(judge: Judge, *, every: int = 1) -> Attempt:
    """Layouts before a judge: what it lets through, and what it refuses for nothing.

    every: take one layout in so many.
    """
    findings: list[str] = []
    cases = [(name, change, True) for name, change in hostile().items()]
    cases += [(name, change, False) for name, change in harmless().items()]
    for name, change, is_hostile in cases[::every]:
        problems = problems_of(judge, change)
        if is_hostile and not problems:
            findings.append(f"accepted: {name}")
        if not is_hostile and problems:
            findings.append(f"refused without cause: {name}: {problems[0]}")
    return Attempt(len(cases[::every]), tuple(findings))


def problems_of(judge: Judge, change: Callable[[Path], None]) -> list[str]:
    """What a judge finds on a machine with a good layout and this change."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        lay_out(root)
        change(root)
        return judge(HOST, APP, facts(root))


def judge_of_modes(host: Host, app: App, parsed: Mapping[str, str]) -> list[str]:
    """What looks at permission bits alone, as `test -w` of another user would."""
    entries = lstat.entries(parsed[f"{app.name}.own.paths"]).values()
    return [f"{host}: {each.path}" for each in entries if each.mode & 0o022 and each.kind != "l"]


WALLS: tuple[Wall, ...] = (
    Wall(
        name="ownership on a host",
        attack=partial(layouts, ownership.judge),
        control=partial(layouts, judge_of_modes),
    ),
)
