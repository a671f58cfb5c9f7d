"""The second opening packs nothing; a cache that lies, is damaged or missing changes no result."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audit import packages
from deploy.errors import BadInput
from deploy.package import opening
from deploy.package.cache import cached_opening, content, entry, private_folder
from deploy.package.cache.cached_opening import NOWHERE, Folders
from deploy.plan import candidate
from deploy.settings.verify import Verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.package.opening import Package

TEXT = b"a line that shrinks\n" * 5000


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    (tmp_path / "workspace").mkdir()
    for name in ("cache", "state"):
        (tmp_path / name).mkdir()
    return Folders(tmp_path / "cache" / "changeover", tmp_path / "state" / "changeover")


def a_zip(at: Path, name: str = "web.1.2.3.zip", text: bytes = TEXT) -> Path:
    with zipfile.ZipFile(at / name, "w", zipfile.ZIP_DEFLATED) as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "web")
        archive.writestr(zipfile.ZipInfo("web"), b"#!/bin/sh\n")
        archive.writestr(zipfile.ZipInfo("wwwroot/empty/"), b"")
        archive.writestr("wwwroot/site.css", text)
        elf = b"\x7fELF\x02\x01" + bytes(12) + (62).to_bytes(2, "little") + bytes(100)
        archive.writestr("tool", elf)
    return at / name


def a_folder(at: Path, name: str = "web.1.2.3", text: bytes = TEXT) -> Path:
    (at / name / "wwwroot").mkdir(parents=True)
    (at / name / "web").write_bytes(b"#!/bin/sh\n")
    (at / name / "wwwroot" / "site.css").write_bytes(text)
    (at / name / "link").symlink_to("web")
    return at / name


def opened(path: Path, folders: Folders, *programs: str, **options: Any) -> Package:
    defaults: dict[str, Any] = {
        "executables": lambda _: programs or ("web",),
        "max_unpacked_bytes": 10_000_000,
        "workspace": path.parent / "workspace",
    }
    return cached_opening.open_package(path, folders=folders, **(defaults | options))


def test_a_package_with_the_longest_name_is_opened_again(tmp_path: Path, folders: Folders) -> None:
    long = a_folder(tmp_path, f"{'a' * 249}.1.2.3")
    assert opened(long, folders) == opened(long, folders)


def taken(package: Package) -> tuple[Package, bytes]:
    """The package and its archive, which is taken away."""
    data = package.archive.read_bytes()
    package.archive.unlink()
    return package, data


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the packages that were really packed."""
    found: list[str] = []
    original = opening.open_package

    def counted(path: Path, **options: Any) -> Package:
        found.append(path.name)
        return original(path, **options)

    monkeypatch.setattr(opening, "open_package", counted)
    return found


def entries(folders: Folders) -> list[Path]:
    assert folders.entries is not None
    return sorted(folders.entries.iterdir()) if folders.entries.is_dir() else []


@pytest.mark.parametrize("make", [a_zip, a_folder])
def test_the_second_opening_packs_nothing_and_gives_the_same(
    make: Callable[[Path], Path], tmp_path: Path, folders: Folders, packed: list[str]
) -> None:
    path = make(tmp_path)
    plain = taken(opened(path, NOWHERE))
    packed.clear()
    assert [taken(opened(path, folders)) for _ in range(3)] == [plain] * 3
    assert len(packed) == 1
    assert sorted(each.name for each in (tmp_path / "workspace").iterdir()) == []


def test_content_alone_counts_and_never_a_path_or_a_time(
    tmp_path: Path, folders: Folders, packed: list[str]
) -> None:
    path = a_zip(tmp_path)
    first = taken(opened(path, folders))
    os.utime(path, (1, 1))
    other = path.rename(path.with_name("api.2.0.0.zip"))
    package, archive = taken(opened(other, folders))
    assert (package.release.name, package.release.version) == ("api", "2.0.0")
    assert package.release.digest == first[0].release.digest
    assert archive == first[1]
    assert packed == ["web.1.2.3.zip"]
    before = other.stat()
    a_zip(tmp_path, other.name, TEXT.replace(b"a", b"b", 1))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert taken(opened(other, folders))[0].release.digest != first[0].release.digest


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "wwwroot" / "site.css").write_bytes(TEXT[:-1] + b"!"),
        lambda root: (root / "wwwroot" / "site.css").rename(root / "site.css"),
        lambda root: (root / "wwwroot" / "site.css").chmod(0o755),
        lambda root: (root / "link").unlink(),
        lambda root: (root / "empty").mkdir(),
    ],
)
def test_a_folder_that_differs_in_anything_is_another_package(
    change: Callable[[Path], object], tmp_path: Path, folders: Folders
) -> None:
    root = a_folder(tmp_path)
    for each in (root / "web", root / "wwwroot" / "site.css"):
        each.chmod(0o644)
    (root / "other").write_bytes(b"")
    (root / "other").chmod(0o755)
    first = taken(opened(root, folders))
    change(root)
    assert taken(opened(root, folders)) == taken(opened(root, NOWHERE)) != first


def test_other_settings_of_the_same_package_have_an_entry_of_their_own(
    tmp_path: Path, folders: Folders, packed: list[str]
) -> None:
    path = a_zip(tmp_path)
    for _ in range(2):
        assert opened(path, folders, "web").machines == {}
        assert opened(path, folders, "web", "tool").machines == {"tool": {"x86_64"}}
    assert len(packed) == len(entries(folders)) == 2
    with pytest.raises(BadInput, match="more than the limit"):
        opened(path, folders, max_unpacked_bytes=1000)
    with pytest.raises(BadInput, match="'missing' is not in it"):
        opened(path, folders, "missing")
    assert len(entries(folders)) == 2


def changed(at: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at % len(data)] ^= 1
        path.write_bytes(data)

    return change


def replaced(path: Path) -> None:
    path.unlink()
    path.mkdir()


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def linked(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


@pytest.mark.parametrize(
    "damage",
    [
        *(changed(at) for at in (0, 70, 200, -1, -2000)),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: path.write_bytes(b"\0" * 10_000),
        lambda path: path.chmod(0o644),
        lambda path: path.chmod(0),
        replaced,
        piped,
        linked,
    ],
)
def test_a_damaged_entry_is_passed_over(
    damage: Callable[[Path], None], tmp_path: Path, folders: Folders, packed: list[str]
) -> None:
    path = a_zip(tmp_path)
    plain = taken(opened(path, folders))
    (kept,) = entries(folders)
    damage(kept)
    assert taken(opened(path, folders)) == plain
    assert sorted(each.name for each in (tmp_path / "workspace").iterdir()) == []
    if os.geteuid() or kept.stat().st_mode & 0o777:
        assert len(packed) == 2


def test_an_entry_of_another_package_in_its_place_is_passed_over(
    tmp_path: Path, folders: Folders
) -> None:
    path, other = a_zip(tmp_path), a_zip(tmp_path, "web.2.0.0.zip", b"other")
    plain = taken(opened(path, folders))
    (kept,) = entries(folders)
    opened(other, folders)
    (theirs,) = (each for each in entries(folders) if each != kept)
    theirs.replace(kept)
    assert taken(opened(path, folders)) == plain


def test_a_cache_that_was_brought_from_elsewhere_is_not_believed(
    tmp_path: Path, folders: Folders, packed: list[str]
) -> None:
    """As CI's caches are, which a build of less trust may have filled."""
    path = a_zip(tmp_path)
    theirs = replace(folders, state=tmp_path / "elsewhere")
    opened(path, theirs)
    opened(path, folders)
    assert len(packed) == 2
    opened(path, folders)
    assert len(packed) == 2, "and its own entry replaced that"


def of_others(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    folder.chmod(0o755)


def linked_folder(folder: Path) -> None:
    (folder.parent / "real").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "real")


@pytest.mark.parametrize("which", ["entries", "state"])
@pytest.mark.parametrize(
    "spoil",
    [
        of_others,
        linked_folder,
        lambda folder: folder.write_text("a file"),
        lambda folder: folder.parent.rmdir() or folder.parent.write_text("a file"),
    ],
)
def test_a_folder_that_is_not_this_users_alone_is_not_used(
    which: str,
    spoil: Callable[[Path], object],
    tmp_path: Path,
    folders: Folders,
    packed: list[str],
) -> None:
    path, plain = a_zip(tmp_path), taken(opened(a_zip(tmp_path), NOWHERE))
    spoil(getattr(folders, which))
    packed.clear()
    assert [taken(opened(path, folders)) for _ in range(2)] == [plain] * 2
    assert len(packed) == 2


def test_a_folder_of_another_user_is_not_used(
    tmp_path: Path, folders: Folders, packed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sudo, HOME may be another user's: nothing of root's is left there."""
    path = a_zip(tmp_path)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    opened(path, folders)
    assert entries(folders) == []
    monkeypatch.setattr(os, "geteuid", lambda: user)
    opened(path, folders)
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    opened(path, folders)
    assert len(packed) == 3


def test_a_disk_that_takes_nothing_leaves_nothing_behind(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, plain = a_zip(tmp_path), taken(opened(a_zip(tmp_path), NOWHERE))

    rename = os.replace

    def full(*paths: Any, **folder: int) -> None:
        if folder:
            raise OSError(28, "No space left on device")
        rename(*paths)

    monkeypatch.setattr(os, "replace", full)
    assert taken(opened(path, folders)) == plain
    monkeypatch.undo()
    assert entries(folders) == []
    monkeypatch.setattr(entry, "MOST_BYTES", 100)
    assert taken(opened(path, folders)) == plain
    assert entries(folders) == [], "larger than all that may be kept"


def test_the_oldest_entries_go_first(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [a_zip(tmp_path, f"web.{n}.0.0.zip", os.urandom(9_000)) for n in range(4)]
    for number, path in enumerate(paths[:3]):
        known = set(entries(folders))
        opened(path, folders)
        (new,) = set(entries(folders)) - known
        os.utime(new, (number, number))
    size = new.stat().st_size
    opened(paths[0], folders)  # used again: not the oldest any more
    assert folders.entries is not None
    for name, age in (("dead.partial", 10**8), ("living.partial", 10**11)):
        (folders.entries / name).write_text("half")
        os.utime(folders.entries / name, (age, age))
    (folders.entries / "README").write_text("not ours")
    monkeypatch.setattr(entry, "MOST_BYTES", 3 * size + size // 2)
    opened(paths[3], folders)
    names = {each.name for each in entries(folders)}
    assert {"README", "living.partial"} <= names
    assert "dead.partial" not in names
    kept = [each for each in entries(folders) if each.suffix == entry.SUFFIX]
    assert len(kept) == 3
    keys = [each.key for each in map(content.of_package, paths) if each]
    assert {each.name.partition("-")[0] for each in kept} == {keys[0], keys[2], keys[3]}


def test_a_package_that_is_written_meanwhile_is_not_kept(
    tmp_path: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, original = a_zip(tmp_path), opening.open_package
    data = path.read_bytes()

    def racing(at: Path, **options: Any) -> Package:
        a_zip(tmp_path, text=b"written meanwhile")
        package = original(at, **options)
        path.write_bytes(data)  # and back again, in the same inode and size
        return package

    monkeypatch.setattr(opening, "open_package", racing)
    racy = taken(opened(path, folders))
    monkeypatch.undo()
    assert entries(folders) == []
    assert taken(opened(path, folders)) == taken(opened(path, NOWHERE)) != racy


def test_two_commands_at_once_share_a_cache(tmp_path: Path, folders: Folders) -> None:
    path = a_zip(tmp_path)
    plain = taken(opened(path, NOWHERE))
    start = threading.Barrier(8)

    def run(number: int) -> tuple[Package, bytes]:
        place = tmp_path / f"workspace-{number}"
        place.mkdir()
        start.wait(10)
        found = [taken(opened(path, folders, workspace=place)) for _ in range(5)][-1]
        return replace(found[0], archive=plain[0].archive), found[1]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(8))) == [plain] * 8
    assert [each.suffix for each in entries(folders)] == [entry.SUFFIX]


def test_entries_and_the_key_are_private_and_the_key_lies_elsewhere(
    tmp_path: Path, folders: Folders
) -> None:
    opened(a_zip(tmp_path), folders)
    assert folders.entries is not None
    assert folders.state is not None
    (key,) = folders.state.iterdir()
    for each in (*entries(folders), key):
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    for folder in (folders.entries, folders.state):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    key.write_bytes(b"short")
    opened(a_zip(tmp_path), folders)
    opened(a_zip(tmp_path), folders)
    assert len(key.read_bytes()) == 32


@pytest.mark.parametrize(
    ("variable", "home", "expected"),
    [
        ("/xdg", "/home/me", "/xdg/changeover"),
        ("", "/home/me", "/home/me/.cache/changeover"),
        ("relative", "/home/me", "/home/me/.cache/changeover"),
    ],
)
def test_the_folder_is_where_the_xdg_specification_has_it(
    variable: str, home: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    monkeypatch.setenv("HOME", home)
    assert private_folder.of_user("XDG_CACHE_HOME", ".cache") == Path(expected)


def test_what_cannot_be_read_is_refused_as_without_a_cache(
    tmp_path: Path, folders: Folders
) -> None:
    (tmp_path / "web.1.0.0.zip").write_bytes(b"no zip")
    os.mkfifo(tmp_path / "web.2.0.0.zip")
    for name in ("web.1.0.0.zip", "missing.1.0.0.zip"):
        said = set[str]()
        for each in (NOWHERE, folders, folders):
            with pytest.raises(BadInput) as refused:
                opened(tmp_path / name, each)
            said.add(str(refused.value))
        assert len(said) == 1
    assert content.of_package(tmp_path / "web.2.0.0.zip") is None, "and it is not waited for"
    assert entries(folders) == []


def test_a_kept_package_is_verified_again_by_its_own_rules(
    tmp_path: Path, folders: Folders, packed: list[str]
) -> None:
    (tmp_path / packages.NAME).write_bytes(packages.package())
    sums = tmp_path / packages.SUMS
    digest = hashlib.sha256(packages.package()).hexdigest()
    sums.write_text(f"{digest}  {packages.NAME}\n")
    settings = packages.environment(tmp_path, Verify(sha256sums=packages.SUMS))

    def prepared() -> Package:
        place = tmp_path / "workspace"
        app, path = settings.apps[0], tmp_path / packages.NAME
        return candidate.prepare(settings, app, path, place, folders).package

    first = taken(prepared())
    assert taken(prepared()) == first
    assert first[0].path == tmp_path / packages.NAME, "as it was named, not its copy"
    assert len(packed) == 1
    sums.write_text(f"{'0' * 64}  {packages.NAME}\n")
    with pytest.raises(BadInput, match="Do not deploy it"):
        prepared()
