"""Uploads by content: the real scripts, on this machine, into a folder that stands for a host."""

from __future__ import annotations

import os
import random
import shutil
import stat
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import builders
import pytest
import shell

from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, ConnectionLost, Unfit
from deploy.hosts.scripts import base, upload
from deploy.package import manifest
from deploy.package.opening import Package, open_package
from deploy.steps.fleet import Fleet
from deploy.steps.staging import PrepareHost, UploadRelease

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.hosts.scripts.script import Script
    from deploy.package.entries import Source

T = TypeVar("T")
FILES = 20
LIBRARY_BYTES = 50_000


class Host:
    """A folder that stands for a host: scripts run in a real shell, with its paths moved there.

    cut: after so many bytes of a stream, the connection breaks; before_copying: what happens on
    the host between the question and the upload.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "srv/web"
        self.cut: int | None = None
        self.sent = 0
        self.before_upload: Callable[[], object] = lambda: None
        self.changes: list[str] = []
        self.told: list[str] = []
        (self.home / "releases").mkdir(parents=True)

    def _run(self, script: Script[T], stdin: bytes = b"") -> CommandResult:
        moved = script.text.replace("/srv/", f"{self.root}/srv/").replace("chown ", "true ")
        return shell.run(moved, stdin)

    def ask(self, script: Script[T], timeout_seconds: float, most_bytes: int) -> T:
        del timeout_seconds, most_bytes
        return script.parse(self._run(script))

    def change(self, app: str, script: Script[T]) -> T:
        del app
        self.changes.append(script.name)
        return script.parse(self._run(script))

    def send(self, app: str, script: Script[T], source: Source, sent: Callable[[int], None]) -> T:
        del app
        self.before_upload()
        data = b""
        while chunk := source.read(10_000):
            data += chunk
            sent(len(chunk))
        self.sent += len(data)
        result = self._run(script, data[: self.cut])
        if self.cut is not None:
            raise ConnectionLost("the connection broke")
        if result.exit_code:
            raise CommandFailed("host-1", script.name, result)
        return script.parse(result)

    @property
    def fleet(self) -> Fleet:
        """What a step touches, and nothing but this host in it."""
        fleet = SimpleNamespace(remote=lambda _: self, tell=lambda _, text: self.told.append(text))
        return cast("Fleet", fleet)

    def upload(self, package: Package) -> int:
        """Do the step; how many bytes it sent."""
        before = self.sent
        UploadRelease(builders.host(), builders.app().at(5000), package).run(self.fleet)
        return self.sent - before

    def release(self, package: Package) -> Path:
        """Where the release lies."""
        return self.home / "releases" / package.release.id


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


def build(
    folder: Path, version: str, changed: dict[str, bytes] | None = None, **links: str
) -> Package:
    """A package of one program and 19 libraries that do not compress, and what is changed in it."""
    noise = random.Random(1)  # noqa: S311 - repeatable, not secret
    contents = {f"lib/part{n}.bin": noise.randbytes(LIBRARY_BYTES) for n in range(FILES - 1)}
    root = folder / f"web.{version}"
    for name, data in ({"web": b"#!/bin/sh\n"} | contents | (changed or {})).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        (root / name).chmod(0o600)
    (root / "uploads").mkdir()
    for name, target in links.items():
        (root / name).symlink_to(target)
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    return open_package(
        root, executables=lambda _: ("web",), max_unpacked_bytes=10**8, workspace=workspace
    )


def tree(folder: Path) -> dict[str, Any]:
    """What lies in a folder: contents, targets of links, and None for folders."""
    found: dict[str, Any] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = path.readlink()
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def assert_published(host: Host, package: Package) -> None:
    """The release is as in the package, normalised, its manifest holds, and nothing is left."""
    release = host.release(package)
    assert tree(release) == tree(package.path)
    for path in [release, *release.rglob("*")]:
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        executable = path.is_dir() or path.name == "web"
        assert path.is_symlink() or mode == (0o750 if executable else 0o640), path
        assert path.is_dir() or found.st_nlink == 1, "a hot fix would hit both"
    stored = host.home / "records/manifests" / package.release.id
    check = ["b2sum", "--check", "--quiet", "--strict", str(stored)]
    subprocess.run(check, cwd=release, check=True)
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert not list(host.home.glob("releases/.*"))
    assert not list(host.home.glob("records/manifests/*.new"))


def test_a_first_upload_sends_all_and_is_published_as_it_was_built(
    host: Host, tmp_path: Path
) -> None:
    package = build(tmp_path, "1.0.0", link="lib/part0.bin", empty="uploads")
    sent = host.upload(package)
    assert package.archive_bytes <= sent < package.archive_bytes + 4_000
    assert_published(host, package)
    assert host.told[-1] == f"| sent 1.0 of {package.archive_bytes / 1e6:.1f} MB"
    assert host.upload(package) < 4_000, "a step that is repeated finds what it did"
    assert_published(host, package)


@pytest.mark.parametrize("umask", [0, 0o077, 0o177])
def test_modes_are_the_same_whatever_the_hosts_umask(
    umask: int, host: Host, tmp_path: Path
) -> None:
    """Case 45: pam_umask and sudo's umask_override decide what a command of ours starts with."""
    package = build(tmp_path, "1.0.0")
    before = os.umask(umask)
    try:
        host.upload(package)
    finally:
        os.umask(before)
    assert_published(host, package)


def test_a_redeploy_sends_what_is_new_and_copies_the_rest(host: Host, tmp_path: Path) -> None:
    host.upload(build(tmp_path, "1.0.0"))
    package = build(tmp_path, "2.0.0", {"lib/part3.bin": b"new"})
    assert host.upload(package) < package.archive_bytes / 20
    assert_published(host, package)
    assert host.told[-1] == "| sent 0.0 of 0.9 MB; 19 files (0.9 MB) copied there"


def test_control_without_a_manifest_all_is_sent(host: Host, tmp_path: Path) -> None:
    first = build(tmp_path, "1.0.0")
    host.upload(first)
    (host.home / "records/manifests" / first.release.id).unlink()
    package = build(tmp_path, "2.0.0", {"lib/part3.bin": b"new"})
    assert host.upload(package) > package.archive_bytes
    assert_published(host, package)


def test_a_manifest_whose_release_is_gone_is_not_believed(host: Host, tmp_path: Path) -> None:
    first = build(tmp_path, "1.0.0")
    host.upload(first)
    shutil.rmtree(host.release(first))
    package = build(tmp_path, "2.0.0")
    assert host.upload(package) > package.archive_bytes
    assert "sent after all" not in "".join(host.told)
    assert_published(host, package)


def test_files_that_moved_and_twins_are_copied_too(host: Host, tmp_path: Path) -> None:
    first = build(tmp_path, "1.0.0")
    host.upload(first)
    moved = (first.path / "lib/part3.bin").read_bytes()
    twin = random.Random(2).randbytes(LIBRARY_BYTES)  # noqa: S311 - repeatable, not secret
    new = {"lib/part3.bin": b"", "other/it's moved": moved, "a twin": twin, "z twin": twin}
    package = build(tmp_path, "2.0.0", new)
    assert host.upload(package) < LIBRARY_BYTES + 5_000
    assert_published(host, package)


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "-",
        "--help",
        "-rf",
        "it's",
        'a "quote"',
        "$(touch evil)",
        "`touch evil`",
        "*",
        "a:b: FAILED",
        "\u00fcber",
        "a\u2028b",
        "\u65e5\u672c/\U0001f600",
        " lead and trail ",
        "tab's %s &\u00a0",
        "n" * 200 + "/" + "m" * 200,
        "deep/" * 30 + "x",
        "files",
        "manifest",
        "copies/manifest",
    ],
)
def test_odd_names_survive_being_sent_copied_moved_and_resumed(
    host: Host, tmp_path: Path, name: str
) -> None:
    odd = random.Random(3).randbytes(LIBRARY_BYTES)  # noqa: S311 - repeatable, not secret
    first = build(tmp_path, "1.0.0", {name: odd, f"empty {name}"[:99]: b""})
    host.upload(first)
    assert_published(host, first)
    copied = build(tmp_path, "2.0.0", {name: odd, f"empty {name}"[:99]: b"", "web": b"2"})
    assert host.upload(copied) < LIBRARY_BYTES
    assert_published(host, copied)
    moved = build(tmp_path, "3.0.0", {f"moved {name}": odd, "web": b"3"})
    assert host.upload(moved) < LIBRARY_BYTES
    assert_published(host, moved)
    assert not any("sent after all" in text for text in host.told)


def test_an_upload_that_was_cut_off_goes_on_where_it_was(host: Host, tmp_path: Path) -> None:
    package = build(tmp_path, "1.0.0", link="web")
    host.cut = package.archive_bytes // 2
    with pytest.raises(ConnectionLost):
        host.upload(package)
    assert not host.release(package).exists()
    assert not host.changes, "what was sent is left there"
    host.cut = None
    sent = host.upload(package)
    assert package.archive_bytes * 0.4 < sent < package.archive_bytes * 0.6
    assert "left there by an upload before" in host.told[-1]
    assert_published(host, package)


@pytest.mark.parametrize("cut", [0, 1, 100, 2_000, 300_000, -2_000, -1])
def test_wherever_it_is_cut_nothing_half_done_is_published(
    host: Host, tmp_path: Path, cut: int
) -> None:
    """The last bytes are the archive's end: without it all is there, and right."""
    host.upload(build(tmp_path, "1.0.0", {"lib/part1.bin": b"old" * 99_999}))
    package = build(tmp_path, "2.0.0", {f"new{n}": os.urandom(LIBRARY_BYTES) for n in range(9)})
    host.cut = cut
    with pytest.raises(ConnectionLost):
        host.upload(package)
    if host.release(package).exists():
        assert cut == -1
    else:
        assert [p.name for p in host.home.glob("releases/.*")] == [f".{package.release.id}.part"]
    host.cut = None
    host.upload(package)
    assert_published(host, package)


def test_what_was_spoilt_in_a_part_is_sent_again(host: Host, tmp_path: Path) -> None:
    package = build(tmp_path, "1.0.0")
    host.cut = package.archive_bytes - 2_000
    with pytest.raises(ConnectionLost):
        host.upload(package)
    part = host.home / f"releases/.{package.release.id}.part/files"
    (part / "lib/part0.bin").write_bytes(b"spoilt")
    host.cut = None
    sent = host.upload(package)
    assert LIBRARY_BYTES < sent < 4 * LIBRARY_BYTES
    assert_published(host, package)


def test_a_hot_fix_in_the_source_does_not_reach_the_new_release(host: Host, tmp_path: Path) -> None:
    first = build(tmp_path, "1.0.0")
    host.upload(first)
    (host.release(first) / "lib/part3.bin").write_bytes(b"fixed by hand")
    (host.release(first) / "lib/part4.bin").unlink()
    package = build(tmp_path, "2.0.0", {"web": b"2"})
    sent = host.upload(package)
    assert 2 * LIBRARY_BYTES < sent < 4 * LIBRARY_BYTES
    assert_published(host, package)
    assert any("2 files are not as in the package, ./lib/part3.bin is one" in t for t in host.told)
    assert (host.release(first) / "lib/part3.bin").read_bytes() == b"fixed by hand"


def test_what_is_fixed_between_question_and_copy_does_not_either(
    host: Host, tmp_path: Path
) -> None:
    first = build(tmp_path, "1.0.0")
    host.upload(first)
    package = build(tmp_path, "2.0.0", {"web": b"2"})
    host.before_upload = lambda: (host.release(first) / "lib/part3.bin").write_bytes(b"just now")
    assert host.upload(package) > LIBRARY_BYTES
    assert_published(host, package)


def test_control_a_copy_that_is_not_checked_carries_the_hot_fix(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is the check that keeps it out."""
    first = build(tmp_path, "1.0.0")
    host.upload(first)
    (host.release(first) / "lib/part3.bin").write_bytes(b"fixed by hand")
    package = build(tmp_path, "2.0.0", {"web": b"2"})
    checked = upload.receive_release(
        "web", package.release.id, "web", 0, manifest.digest(package.manifest, "")
    )
    text = checked.text.replace("if ! wrong=$(b2sum", "if false && wrong=$(b2sum")
    assert text != checked.text
    unchecked = shell.typed(text, checked.name)
    monkeypatch.setattr(upload, "receive_release", lambda *_, **__: unchecked)
    host.upload(package)
    assert (host.release(package) / "lib/part3.bin").read_bytes() == b"fixed by hand"


@pytest.mark.parametrize(
    "add",
    [
        lambda files: (files / "extra").write_text("x"),
        lambda files: (files / "extra").symlink_to("web"),
    ],
    ids=["a file", "a link"],
)
def test_what_is_not_of_the_package_is_not_published(
    host: Host, tmp_path: Path, add: Callable[[Path], object]
) -> None:
    """The part is thrown away, so that the next try sends all."""
    package = build(tmp_path, "1.0.0")
    files = host.home / f"releases/.{package.release.id}.part/files"
    host.cut = package.archive_bytes - 2_000
    with pytest.raises(ConnectionLost):
        host.upload(package)
    host.cut = None
    host.before_upload = lambda: add(files)
    with pytest.raises(CommandFailed, match="there is more than in the package: 2"):
        host.upload(package)
    assert not list(host.home.glob("releases/.*"))
    assert host.changes == ["removing what was uploaded"]
    host.before_upload = lambda: None
    host.upload(package)
    assert_published(host, package)


def test_a_link_to_the_right_contents_is_no_file(host: Host, tmp_path: Path) -> None:
    package = build(tmp_path, "1.0.0")
    files = host.home / f"releases/.{package.release.id}.part/files"
    host.cut = package.archive_bytes - 2_000
    with pytest.raises(ConnectionLost):
        host.upload(package)
    host.cut = None
    outside = tmp_path / "outside"

    def swap() -> None:
        (files / "lib/part0.bin").rename(outside)
        (files / "lib/part0.bin").symlink_to(outside)

    host.before_upload = swap
    with pytest.raises(CommandFailed, match="there is more than in the package"):
        host.upload(package)
    assert not host.release(package).exists()


def test_a_package_of_old_whose_archive_is_damaged_is_not_published(
    host: Host, tmp_path: Path
) -> None:
    package = build(tmp_path, "1.0.0")
    data = bytearray(package.archive.read_bytes())
    data[len(data) // 2] ^= 1
    package.archive.write_bytes(data)
    with pytest.raises(CommandFailed, match="upload ended with exit code"):
        host.upload(package)
    assert not list((host.home / "releases").iterdir())


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (
            "mv\nmv (uutils coreutils) 0.0.30\nmv: cannot move 'a' to 'b': Not a directory\n",
            "host-1: `mv` there does not do what GNU's does, so no release can be switched safely "
            "(mv (uutils coreutils) 0.0.30: mv: cannot move 'a' to 'b': Not a directory); install",
        ),
        ("\nmv\n\x1b[1mmv 1\n\n", "`mv` there does not .* safely (\\x1b[1mmv 1); install GNU"),
        ("", "there does not do what GNU's does"),
    ],
)
def test_p10_a_host_that_cannot_switch_by_rename_is_unfit(printed: str, said: str) -> None:
    class Refusing:
        def change(self, _app: str, script: Script[T]) -> T:
            result = CommandResult("", base.TOOLS_DIFFER, printed, "")
            raise CommandFailed("host-1", script.name, result)

    remotes = {"host-1": cast("Any", Refusing())}
    own = Fleet(remotes, {}, cast("Any", None), cast("Any", None))
    with pytest.raises(Unfit) as refused:
        PrepareHost(builders.host(), builders.app().at(5000)).run(own)
    for part in said.split(" .* "):
        assert part in str(refused.value)


def test_p10_a_host_whose_units_cannot_be_written_is_unfit() -> None:
    class ReadOnly:
        def change(self, _app: str, script: Script[T]) -> T:
            said = "sh: cannot create /etc/systemd/system/.x: Read-only file system\x1b[2J\n"
            result = CommandResult("", base.UNITS_UNWRITABLE, said, "")
            raise CommandFailed("host-1", script.name, result)

    remotes = {"host-1": cast("Any", ReadOnly())}
    own = Fleet(remotes, {}, cast("Any", None), cast("Any", None))
    with pytest.raises(Unfit, match=r"no unit can be .* Read-only file system\\x1b\[2J; make it"):
        PrepareHost(builders.host(), builders.app().at(5000)).run(own)
