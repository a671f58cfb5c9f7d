"""A package of any kind becomes the same release; an unsafe or broken one leaves nothing behind."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import os
import random
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.package import entries, program
from deploy.package.manifest import File
from deploy.package.opening import Package, open_package

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENTS = {
    "web": b"#!/usr/bin/env python3\n",
    "appsettings.json": b"{}",
    "wwwroot/css/site.css": b"body {}\n" * 1000,
    "wwwroot/a name with spaces.txt": b"",
    "wwwroot/\u00fcber.txt": "\u00fc".encode(),
}


def opened(path: Path, **options: Any) -> Package:
    workspace = path.parent / "workspace"
    workspace.mkdir(exist_ok=True)
    defaults: dict[str, Any] = {
        "executables": lambda _: ("web",),
        "max_unpacked_bytes": 10_000_000,
        "workspace": workspace,
    }
    return open_package(path, **(defaults | options))


def folder(at: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    root = at / "web.1.2.3"
    for name, data in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        (root / name).chmod(0o644)
    return root


def unix_zip(at: Path, contents: dict[str, bytes] = CONTENTS, mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(at / "web.1.2.3.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in reversed(contents.items()):
            info = zipfile.ZipInfo(name, (1999, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, data)
    return at / "web.1.2.3.zip"


def windows_zip(at: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    """No modes at all, and backslashes."""
    with zipfile.ZipFile(at / "web.1.2.3.zip", "w") as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name.replace("/", "\\"))
            info.create_system = 0
            archive.writestr(info, data)
            info.external_attr = 0x20
    return at / "web.1.2.3.zip"


def nupkg(at: Path, contents: dict[str, bytes] = CONTENTS) -> Path:
    metadata = {
        "[Content_Types].xml": b"<Types/>",
        "_rels/.rels": b"<Relationships/>",
        "web.nuspec": b"<package/>",
        "package/services/metadata/core-properties/1.psmdcp": b"<coreProperties/>",
    }
    with zipfile.ZipFile(at / "web.1.2.3.nupkg", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (metadata | contents).items():
            info = zipfile.ZipInfo(name.replace(" ", "%20").replace("\u00fc", "%C3%BC"))
            info.external_attr = 0
            archive.writestr(info, data)
            info.external_attr = 0
    return at / "web.1.2.3.nupkg"


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mtime = kind, target, hash(name) % 10**9
    return info


def tar(at: Path, *members: tuple[tarfile.TarInfo, bytes], name: str = "web.1.2.3.tar.gz") -> Path:
    with tarfile.open(at / name, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return at / name


def tar_of(at: Path, contents: dict[str, bytes] = CONTENTS, name: str = "web.1.2.3.tar.gz") -> Path:
    backwards = sorted(contents, reverse=True)
    return tar(at, *[(member(f"./{path}"), contents[path]) for path in backwards], name=name)


def tgz(at: Path) -> Path:
    return tar_of(at, name="web.1.2.3.tgz")


KINDS = [folder, unix_zip, windows_zip, nupkg, tar_of, tgz]


def test_a_package_whose_name_is_as_long_as_a_name_may_be_is_opened(tmp_path: Path) -> None:
    long = folder(tmp_path).rename(tmp_path / f"{'a' * 249}.1.2.3")
    assert opened(long).release.name == "a" * 249


@pytest.mark.parametrize("make", KINDS)
def test_every_kind_of_package_is_the_same_release(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    (tmp_path / "reference").mkdir()
    reference = opened(folder(tmp_path / "reference"))
    package = opened(make(tmp_path))
    assert package.release == reference.release
    assert package.archive.read_bytes() == reference.archive.read_bytes()
    assert package.files == frozenset(CONTENTS)
    assert package.release.files == len(CONTENTS)
    assert package.release.size_bytes == sum(map(len, CONTENTS.values()))


@pytest.mark.parametrize("make", KINDS)
def test_the_archive_is_normalised_and_its_figures_true(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    package = opened(make(tmp_path))
    assert package.archive.stat().st_size == package.archive_bytes
    with tarfile.open(package.archive) as archive:
        members = archive.getmembers()
        order = [(found.isreg(), found.name) for found in members]
        assert order == sorted(order), "folders first"
        assert {found.name: found.mode for found in members} == {
            "files": 0o750,
            "files/web": 0o750,
            "files/appsettings.json": 0o640,
            "files/wwwroot": 0o750,
            "files/wwwroot/css": 0o750,
            "files/wwwroot/css/site.css": 0o640,
            "files/wwwroot/a name with spaces.txt": 0o640,
            "files/wwwroot/\u00fcber.txt": 0o640,
        }
        assert {(found.mtime, found.uid, found.gid, found.uname) for found in members} == {
            (0, 0, 0, "")
        }
        for name, contents in CONTENTS.items():
            read = archive.extractfile(f"files/{name}")
            assert read is not None
            assert read.read() == contents
    assert package.manifest == tuple(
        File(name, blake2(CONTENTS[name]), len(CONTENTS[name]), executable=name == "web")
        for name in sorted(CONTENTS)
    )


def blake2(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def test_each_file_can_be_taken_out_of_the_archive(tmp_path: Path) -> None:
    """Small files come with their neighbours, large ones alone; gzip and tar see no seam."""
    noise = random.Random(1)  # noqa: S311 - repeatable, not secret
    sizes = {f"small{n:02}": 5_000 for n in range(40)} | {"large": 3_000_000, "medium": 70_000}
    contents = {name: noise.randbytes(size) for name, size in sizes.items()} | {
        "web": b"",
        "z": b"",
    }
    package = opened(folder(tmp_path, contents))
    data = package.archive.read_bytes()
    assert package.spans.keys() == contents.keys()
    for name, (first, last) in package.spans.items():
        piece = data[: package.skeleton_bytes] + data[first:last]
        with tarfile.open(fileobj=io.BytesIO(piece)) as archive:
            read = archive.extractfile(f"files/{name}")
            assert read is not None
            assert read.read() == contents[name]
            others = {member.name for member in archive if member.isreg()} - {f"files/{name}"}
            assert not others or sizes.get(name, 0) < 32 * 1024
        assert last - first < sizes.get(name, 0) + 40_000
    spans = sorted(set(package.spans.values()))
    assert spans[0][0] == package.skeleton_bytes
    assert all(one[1] == other[0] for one, other in itertools.pairwise(spans))
    assert len(spans) < len(contents), "small files share"


@pytest.mark.parametrize(
    "changed",
    [
        CONTENTS | {"appsettings.json": b"[]"},
        CONTENTS | {"another": b""},
        {name: data for name, data in CONTENTS.items() if name != "appsettings.json"},
        {name.replace("css/site", "site"): data for name, data in CONTENTS.items()},
    ],
)
def test_another_content_is_another_release(tmp_path: Path, changed: dict[str, bytes]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert opened(unix_zip(one)).release.id != opened(unix_zip(other, changed)).release.id


@pytest.mark.parametrize("make", KINDS)
def test_who_names_the_executables_is_told_what_files_there_are(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    told: list[frozenset[str]] = []

    def all_scripts(files: frozenset[str]) -> tuple[str, ...]:
        told.append(files)
        return ("web",)

    assert opened(make(tmp_path), executables=all_scripts).files == told[0]


def modes(package: Package) -> dict[str, int]:
    with tarfile.open(package.archive) as archive:
        members = archive.getmembers()
    return {m.name.removeprefix("files/"): m.mode for m in members if m.isreg()}


def test_an_executable_bit_of_the_package_is_kept_and_tells_releases_apart(tmp_path: Path) -> None:
    plain, marked = member("tool"), member("tool")
    marked.mode = 0o744
    web = (member("web"), b"web")
    (tmp_path / "other").mkdir()
    one, other = (
        opened(tar(tmp_path, web, (plain, b"x"))),
        opened(tar(tmp_path / "other", web, (marked, b"x"))),
    )
    assert modes(one) == {"web": 0o750, "tool": 0o640}
    assert modes(other) == {"web": 0o750, "tool": 0o750}
    assert one.release.id != other.release.id


PROGRAMS = {"web": b"w", "createdump": b"\x7fELF\x02", "run.sh": b"#!/bin/sh\n", "a.dll": b"MZ"}
BY_CONTENT = {"web": 0o750, "createdump": 0o750, "run.sh": 0o750, "a.dll": 0o640}


@pytest.mark.parametrize(
    "make",
    [
        windows_zip,
        unix_zip,
        lambda at, contents: unix_zip(at, contents, 0o100777),
        folder,
        tar_of,
    ],
    ids=["no modes", "all 0644", "all 0777", "a folder, all 0644", "a tar, all 0644"],
)
def test_programs_are_recognised_where_no_mode_distinguishes_files(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    """Artifact stores lose modes: a helper without its bit then answered each request with 500."""
    assert modes(opened(make(tmp_path, PROGRAMS))) == BY_CONTENT


def test_modes_count_where_some_files_are_executable(tmp_path: Path) -> None:
    root = folder(tmp_path, PROGRAMS)
    (root / "a.dll").chmod(0o755)
    assert modes(opened(root)) == {
        "web": 0o750,
        "createdump": 0o640,
        "run.sh": 0o640,
        "a.dll": 0o750,
    }


def test_the_modes_that_git_bash_shows_are_none(tmp_path: Path) -> None:
    """On Windows tar takes scripts and libraries of Windows for executable, and no ELF file."""
    members = [(member(name), data) for name, data in PROGRAMS.items()]
    for info, _ in members:
        info.mode = 0o755 if info.name in {"a.dll", "run.sh"} else 0o644
    assert modes(opened(tar(tmp_path, *members))) == BY_CONTENT


def test_control_a_library_of_linux_beside_marked_ones_of_windows_is_no_sign_of_git_bash(
    tmp_path: Path,
) -> None:
    """NuGet on Linux marks libraries of Windows; a native library needs no mark."""
    contents = {"a.dll": b"MZ", "web": b"data", "native/libown.so.1": b"\x7fELF"}
    members = [(member(name), data) for name, data in contents.items()]
    for info, _ in members:
        info.mode = 0o644 if info.name.startswith("native") else 0o755
    assert modes(opened(tar(tmp_path, *members))) == {
        "a.dll": 0o750,
        "web": 0o750,
        "native/libown.so.1": 0o640,
    }


CAFE = "wwwroot/caf\u00e9 men\u00fc.png"


def named_zip(at: Path, raw: bytes, extra: bytes = b"") -> Path:
    """A zip of a file whose name is these bytes, without the flag for UTF-8."""
    path = unix_zip(at, {"web": b"w"})
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("n" * len(raw))
        info.extra = extra
        archive.writestr(info, b"x")
    path.write_bytes(path.read_bytes().replace(b"n" * len(raw), raw))
    return path


def unicode_path(raw: bytes, name: str, *, checksum: int | None = None) -> bytes:
    """Info-ZIP's extra field of a name."""
    right = zlib.crc32(raw) if checksum is None else checksum
    value = struct.pack("<BI", 1, right) + name.encode()
    return struct.pack("<HH", 0x7075, len(value)) + value


@pytest.mark.parametrize(
    ("raw", "extra"),
    [
        (CAFE.encode(), b""),
        (CAFE.encode("cp850"), unicode_path(CAFE.encode("cp850"), CAFE)),
        (CAFE.encode(), unicode_path(b"another", "old.png")),
    ],
    ids=["UTF-8 without the flag", "Info-ZIP's field", "a field of another name"],
)
def test_a_zips_names_are_read_as_they_were_written(
    tmp_path: Path, raw: bytes, extra: bytes
) -> None:
    """Zip under the locale C writes no flag: the file was stored as `caf├⌐ men├╝.png`."""
    assert opened(named_zip(tmp_path, raw, extra)).files == {"web", CAFE}


@pytest.mark.parametrize("codec", ["cp437", "cp850", "latin-1", "cp932"])
def test_a_name_whose_letters_cannot_be_known_is_refused(tmp_path: Path, codec: str) -> None:
    name = "\u30c6\u30b9\u30c8.png" if codec == "cp932" else CAFE
    with pytest.raises(BadInput, match=r"not written as UTF-8.*rename that file"):
        opened(named_zip(tmp_path, name.encode(codec)))


@pytest.mark.parametrize("make", [folder, unix_zip, windows_zip, nupkg, tar_of])
def test_a_command_whose_first_line_ends_as_windows_writes_it_is_refused(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    contents = {"web": b"#!/usr/bin/env python3\r\nprint(1)\r\n"}
    with pytest.raises(BadInput, match=r"'web' begins with .*python3.* eol=lf"):
        opened(make(tmp_path, contents))


def elf(machine: int, order: int = 1) -> bytes:
    """The header of a program for a machine, by its number in elf.h."""
    number = machine.to_bytes(2, "big" if order == 2 else "little")
    return b"\x7fELF" + bytes([2, order]) + bytes(12) + number + bytes(44)


@pytest.mark.parametrize(
    ("machine", "order", "names"),
    [
        (62, 1, {"x86_64"}),
        (183, 1, {"aarch64"}),
        (22, 2, {"s390x"}),
        (3, 1, {"i386", "i486", "i586", "i686", "x86_64"}),
        (9999, 1, None),
    ],
)
def test_a_program_says_which_machines_it_is_for(
    tmp_path: Path, machine: int, order: int, names: set[str] | None
) -> None:
    found = opened(folder(tmp_path, {"web": elf(machine, order), "other": elf(62)})).machines
    assert found == ({"web": frozenset(names)} if names else {})


def test_a_script_and_a_short_file_are_for_every_machine(tmp_path: Path) -> None:
    assert opened(folder(tmp_path)).machines == {}
    (tmp_path / "b").mkdir()
    assert opened(folder(tmp_path / "b", {"web": b"\x7fELF"})).machines == {}


def test_links_inside_are_kept_and_lead_to_the_executable(tmp_path: Path) -> None:
    package = opened(
        tar(
            tmp_path,
            (member("bin/real"), b"web"),
            (member("web", tarfile.SYMTYPE, "bin/real"), b""),
            (member("bin/up", tarfile.SYMTYPE, "../bin/./real"), b""),
        )
    )
    assert package.files == {"bin/real", "web", "bin/up"}
    with tarfile.open(package.archive) as archive:
        assert archive.getmember("files/web").linkname == "bin/real"
        assert archive.getmember("files/bin/real").mode == 0o750
    assert [file.path for file in package.manifest] == ["bin/real"]
    assert package.links == 2


def test_a_link_in_a_folder_and_in_a_zip_are_one_release(tmp_path: Path) -> None:
    root = folder(tmp_path, {"real": b"web"})
    (root / "web").symlink_to("real")
    zipped = unix_zip(tmp_path, {"real": b"web"})
    with zipfile.ZipFile(zipped, "a") as archive:
        info = zipfile.ZipInfo("web")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "real")
    assert opened(root).release == opened(zipped).release


def test_an_empty_folder_counts_and_is_kept(tmp_path: Path) -> None:
    root = folder(tmp_path, {"web": b"w"})
    before = opened(root).release
    (root / "uploads").mkdir()
    after = opened(root)
    assert after.release.id != before.id
    with tarfile.open(after.archive) as archive:
        assert archive.getmember("files/uploads").isdir()


def test_case_and_a_folder_on_top_are_the_builds_own_business(tmp_path: Path) -> None:
    package = opened(unix_zip(tmp_path, {"web": b"1", "Web": b"2", "publish/web": b"3"}))
    assert package.files == {"web", "Web", "publish/web"}


def test_a_folder_called_package_in_a_nupkg_is_content(tmp_path: Path) -> None:
    assert "package/x.txt" in opened(nupkg(tmp_path, {"web": b"", "package/x.txt": b""})).files


APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"
OF_MACOS = {
    "__MACOSX/._web": APPLE_DOUBLE,
    "__MACOSX/wwwroot/._.DS_Store": APPLE_DOUBLE,
    "._web": APPLE_DOUBLE,
    "wwwroot/css/._site.css": APPLE_DOUBLE,
    ".DS_Store": b"\x00\x00\x00\x01Bud1\x00",
    "wwwroot/.DS_Store": b"\x00\x00\x00\x01Bud1\x00",
}


@pytest.mark.parametrize("make", KINDS[:-1])
def test_what_macos_adds_by_itself_is_left_out(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    """`._0001_initial.py` ended a start, and /.DS_Store listed the files to whoever asked."""
    (tmp_path / "plain").mkdir()
    found = opened(make(tmp_path, CONTENTS | OF_MACOS))
    assert found.files == set(CONTENTS)
    assert found.release == opened(make(tmp_path / "plain", CONTENTS)).release


def test_files_that_are_only_called_as_those_of_macos_stay(tmp_path: Path) -> None:
    own = {
        "._web": b"text",
        "._alone": APPLE_DOUBLE,
        "a/.DS_Store": b"text",
        "__MACOSX/readme.txt": b"",
        "__MACOSX/._readme.txt": APPLE_DOUBLE,
    }
    assert opened(unix_zip(tmp_path, CONTENTS | own)).files == {*CONTENTS, *own} - {
        "__MACOSX/._readme.txt"
    }


def refused(path: Path, *said: str, **options: Any) -> None:
    """One sentence that names the package and says it all; nothing is left in the workspace."""
    with pytest.raises(BadInput) as refusal:
        opened(path, **options)
    for words in (path.name, *said):
        assert words in str(refusal.value)
    assert list((path.parent / "workspace").iterdir()) == []


@pytest.mark.parametrize("make", [unix_zip, tar_of, nupkg])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../evil", "leaves the package's folder"),
        ("a/../../evil", "leaves the package's folder"),
        ("a/..", "leaves the package's folder"),
        ("new\nline", "control character"),
        ("bell\x07", "control character"),
        ("n" * 256, "longer than 255 bytes"),
    ],
)
def test_unsafe_names_are_refused(
    tmp_path: Path,
    make: Callable[[Path, dict[str, bytes]], Path],
    name: str,
    said: str,
) -> None:
    refused(make(tmp_path, CONTENTS | {name: b""}), said)


@pytest.mark.parametrize("name", ["/etc/passwd", "C:/evil", "C:\\evil", "\\\\server\\evil", "//x"])
def test_absolute_paths_are_refused(tmp_path: Path, name: str) -> None:
    refused(unix_zip(tmp_path, CONTENTS | {name: b""}), "absolute path")
    if "\\" not in name:
        refused(tar(tmp_path, (member(name), b"")), "absolute path")


@pytest.mark.parametrize("name", ["..\\evil", "a\\..\\..\\evil"])
def test_backslashes_hide_no_way_out(tmp_path: Path, name: str) -> None:
    refused(unix_zip(tmp_path, CONTENTS | {name: b""}), "leaves the package's folder")
    refused(tar(tmp_path, (member(name), b"")), "backslash")


@pytest.mark.parametrize("name", ["%2e%2e/evil", "..%5cevil", "%2fevil", "a%00b", "%E4"])
def test_a_nupkgs_escapes_hide_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        opened(nupkg(tmp_path, CONTENTS | {name: b""}))


def test_a_nul_in_a_zips_name_is_refused(tmp_path: Path) -> None:
    path = unix_zip(tmp_path, CONTENTS | {"aXb": b""})
    path.write_bytes(path.read_bytes().replace(b"aXb", b"a\0b"))
    refused(path, "control character")


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    refused(tar(tmp_path, (member("caf\udce9"), b"")), "no UTF-8")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("link", "/etc/passwd"),
        ("link", ".."),
        ("link", "../other"),
        ("a/link", "../../x"),
        ("a/link", "b/../../../x"),
        ("link", "a/../web"),
        ("link", ""),
    ],
)
def test_links_out_of_the_tree_are_refused(tmp_path: Path, name: str, target: str) -> None:
    refused(
        tar(tmp_path, (member("web"), b""), (member(name, tarfile.SYMTYPE, target), b"")),
        "outside of the package's folder",
    )
    if target:
        root = folder(tmp_path)
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(target)
        refused(root, "outside of the package's folder")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.CHRTYPE, "device"),
        (tarfile.BLKTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
    ],
)
def test_what_is_no_file_is_refused(tmp_path: Path, kind: bytes, said: str) -> None:
    refused(tar(tmp_path, (member("web"), b""), (member("odd", kind, "web"), b"")), said)


def test_a_pipe_in_a_folder_and_in_a_zip_is_refused(tmp_path: Path) -> None:
    root = folder(tmp_path)
    os.mkfifo(root / "pipe")
    refused(root, "'pipe' is a device, a pipe or a socket")
    refused(unix_zip(tmp_path, mode=stat.S_IFIFO | 0o644), "a device, a pipe or a socket")


@pytest.mark.parametrize(
    ("first", "second"),
    [("web", "web"), ("web", "./web"), ("a//b", "a/b"), ("web", "web/config"), ("a/b/c", "a/b")],
)
def test_duplicate_names_are_refused(tmp_path: Path, first: str, second: str) -> None:
    twice = tar(tmp_path, (member("web2"), b""), (member(first), b"1"), (member(second), b"2"))
    refused(twice, "build it again with one", executables=lambda _: ())


def test_duplicate_names_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = unix_zip(tmp_path, CONTENTS | {"wwwroot\\css\\site.css": b"other"})
    refused(path, "'wwwroot/css/site.css' is in it twice")


def test_a_file_below_a_link_is_refused(tmp_path: Path) -> None:
    link = member("inside", tarfile.SYMTYPE, "wwwroot")
    refused(
        tar(tmp_path, (member("web"), b""), (link, b""), (member("inside/x"), b"")),
        "a file or link and a folder at once",
    )


@pytest.mark.parametrize("make", [unix_zip, tar_of, nupkg])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_an_archive_cut_short_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], share: float
) -> None:
    path = make(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "cut short or damaged")


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_a_tar_cut_before_its_compression_is_refused(tmp_path: Path, blocks: int) -> None:
    path = tar_of(tmp_path, {"web": b"w" * 600, "other": b"o" * 600})
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[: 512 * blocks]))
    refused(path, "cut short or damaged")


def test_a_tar_with_something_after_its_end_is_refused(tmp_path: Path) -> None:
    path = tar_of(tmp_path)
    data = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(data + data))
    refused(path, "something after the end")


@pytest.mark.parametrize("more", [b"\n", bytes(512), b"garbage" * 100])
def test_a_zip_with_something_after_its_end_is_refused(tmp_path: Path, more: bytes) -> None:
    path = unix_zip(tmp_path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"built by CI"
    opened(path).archive.unlink()
    path.write_bytes(path.read_bytes() + more)
    refused(path, "something after the end")


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = unix_zip(tmp_path, {"web": b"w", "data": bytes(range(256)) * 8})
    with zipfile.ZipFile(path) as archive:
        crc = archive.getinfo("data").CRC.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(crc, bytes(4)))
    refused(path, "cut short or damaged")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = unix_zip(tmp_path, {"web": b"w"})
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(bytes(data))
    refused(path, "encrypted")


def test_a_rare_compression_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "web.1.2.3.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("web", bytes(1000))
    refused(tmp_path / "web.1.2.3.zip", "compressed in a rare way")


def test_the_limit_is_shown_in_the_unit_of_its_setting() -> None:
    """The setting max_unpacked_mb counts MiB."""
    assert "the limit of 2,048 MiB with" in str(entries.too_big("web.zip", "a", 2048 * 2**20))


@pytest.mark.parametrize("make", [folder, unix_zip, tar_of])
def test_more_than_the_limit_is_refused(tmp_path: Path, make: Callable[..., Path]) -> None:
    path = make(tmp_path, CONTENTS | {"zeros": bytes(2_000_000)})
    refused(path, "more than the limit", max_unpacked_bytes=1_000_000)
    exact = sum(map(len, CONTENTS.values())) + 2_000_000
    assert opened(path, max_unpacked_bytes=exact).release.size_bytes == exact


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = unix_zip(tmp_path, {"web": bytes(5_000_000)})
    true, lie = (5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true, lie))
    refused(path, "cut short or damaged", max_unpacked_bytes=1000)


def test_a_tar_whose_header_is_the_bomb_is_refused(tmp_path: Path) -> None:
    info = member("web")
    info.name = "n" * 5_000_000
    with tarfile.open(tmp_path / "web.1.2.3.tgz", "w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info)
    refused(tmp_path / "web.1.2.3.tgz", "impossible size", max_unpacked_bytes=1000)


def test_more_entries_than_a_host_should_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.package.opening.MOST_ENTRIES", 3)
    refused(unix_zip(tmp_path), "more than the limit")
    assert entries.MOST_ENTRIES > 100_000


def test_an_empty_package_is_refused(tmp_path: Path) -> None:
    refused(unix_zip(tmp_path, {}), "no files")
    refused(tar(tmp_path, (member("uploads", tarfile.DIRTYPE), b"")), "no files")
    (tmp_path / "web.1.2.3").mkdir()
    refused(tmp_path / "web.1.2.3", "no files")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("Web", "did you mean 'web'?"),
        ("wbe", "did you mean 'web'?"),
        ("bin/web", "did you mean 'web'?"),
        ("site.css", "did you mean 'wwwroot/css/site.css'?"),
        ("wwwroot", "'wwwroot' is not in it"),
        ("nothing-alike-at-all", "it holds appsettings.json, web"),
        ("../web", "'../web' is not in it"),
    ],
)
def test_an_absent_executable_is_refused_with_the_nearest_name(
    tmp_path: Path, wanted: str, said: str
) -> None:
    refused(unix_zip(tmp_path), said, executables=lambda _: ("web", wanted))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("web.1.2.3.zip", b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("web.1.2.3.zip", b"\n<!DOCTYPE html><title>Sign in", "the download may have asked for a"),
        ("web.1.2.3.zip", gzip.compress(b"x", mtime=0), "first bytes it is gzip; call it .tar.gz"),
        ("web.1.2.3.tgz", b"PK\x03\x04" + bytes(30), "first bytes it is a zip; call it .zip"),
        ("web.1.2.3.tgz", bytes(257) + b"ustar" + bytes(250), "a tar that is not compressed"),
        ("web.1.2.3.zip", b"{}", "cut short or damaged (File is not a zip file)"),
    ],
)
def test_what_is_called_a_package_and_is_none_is_named(
    tmp_path: Path, name: str, data: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(data)
    refused(tmp_path / name, said)


@pytest.mark.parametrize("inner", ["web.1.2.3.zip", "drop/web.1.2.3.tar.gz"])
def test_a_package_that_a_store_has_packed_again_is_refused(tmp_path: Path, inner: str) -> None:
    """Where the command needed no file of it, it was deployed."""
    path = unix_zip(tmp_path, {inner: b"PK"})
    refused(path, "which is a package itself; unpack it once", executables=lambda _: ())
    opened(unix_zip(tmp_path, {inner: b"PK", "readme": b""}), executables=lambda _: ())


def test_no_package_at_all_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "web.1.2.3.zip", "no such file")
    (tmp_path / "web.1.2.3.zip").write_bytes(b"this is no zip")
    refused(tmp_path / "web.1.2.3.zip", "cut short or damaged")
    (tmp_path / "web.1.2.3").write_bytes(b"this is no folder")
    refused(tmp_path / "web.1.2.3", "no kind of package")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_package_is_refused(tmp_path: Path) -> None:
    path = unix_zip(tmp_path)
    path.chmod(0)
    refused(path, "you may not read it")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    is_tar = data.draw(st.booleans())
    path = (tar_of if is_tar else unix_zip)(tmp_path_factory.mktemp("fuzz"))
    whole = bytearray(gzip.decompress(path.read_bytes()) if is_tar else path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(gzip.compress(whole, 1) if is_tar else bytes(whole))
    try:
        opened(path)
    except BadInput:
        assert list((path.parent / "workspace").iterdir()) == []


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"\xef\xbb\xbf#!/bin/sh\n", "begins with '#!/bin/sh' behind a byte-order mark"),
        (b"\xef\xbb\xbf#!/bin/sh\r\n", "begins with '#!/bin/sh' and a carriage return"),
        (b"#!/usr/bin/env python3 -u\n", "write #!/usr/bin/env -S python3 -u"),
        (b"#!/usr/bin/env A=b python3\n", "of which env is given all that follows as one word"),
        (b"#!python\n", "'#!python', which is no absolute path, so no host can start it"),
        (b"#!/" + b"builds/" * 40 + b"bin/python3\n", "ends behind the 255 bytes that Linux"),
        (b"MZ\x90\x00" + bytes(60), "'web' is a program for Windows, and hosts run Linux"),
        (b"\xcf\xfa\xed\xfe" + bytes(60), "'web' is a program for macOS, and hosts run Linux"),
    ],
)
def test_a_program_that_no_linux_host_can_start_is_refused(
    start: bytes, said: str, tmp_path: Path
) -> None:
    refused(windows_zip(tmp_path, {"web": start, "other": start}), said)
    opened(windows_zip(tmp_path, {"web": b"#!/bin/sh\n", "other": start}))


def test_an_assembly_is_named_as_what_starts_it(tmp_path: Path) -> None:
    path = windows_zip(tmp_path, {"Web.dll": b"MZ\x90\x00" + bytes(60)})
    refused(path, "write dotnet Web.dll as the command", executables=lambda _: ("Web.dll",))


def elf_with_loader(loader: bytes, *, is_64: bool = True, order: str = "<") -> bytes:
    """An ELF file with program headers: one of another kind, and that of the loader (elf(5))."""
    head, entry = (64, 56) if is_64 else (52, 32)
    at = head + 2 * entry
    ident = b"\x7fELF" + bytes([2 if is_64 else 1, 1 if order == "<" else 2]) + bytes(10)
    if is_64:
        rest = struct.pack(
            f"{order}HHIQQQIHHHHHH", 2, 62, 1, 0, head, 0, 0, head, entry, 2, 0, 0, 0
        )
        headers = struct.pack(f"{order}IIQQQQQQ", 1, 0, 0, 0, 0, 0, 0, 0)
        headers += struct.pack(f"{order}IIQQQQQQ", 3, 0, at, 0, 0, len(loader), 0, 0)
    else:
        rest = struct.pack(f"{order}HHIIIIIHHHHHH", 2, 3, 1, 0, head, 0, 0, head, entry, 2, 0, 0, 0)
        headers = struct.pack(f"{order}IIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0)
        headers += struct.pack(f"{order}IIIIIIII", 3, at, 0, 0, len(loader), 0, 0, 0)
    return ident + rest + headers + loader


@pytest.mark.parametrize(
    ("start", "needs"),
    [
        (elf_with_loader(b"/lib/ld-musl-x86_64.so.1\0"), ("/lib/ld-musl-x86_64.so.1",)),
        (elf_with_loader(b"/lib/ld.so.1\0", is_64=False, order=">"), ("/lib/ld.so.1",)),
        (elf_with_loader(b"/lib64/ld64.so.2\0", order=">"), ("/lib64/ld64.so.2",)),
        (elf_with_loader(b"relative\0"), ()),
        (elf_with_loader(b"/lib/x\0")[:-4], ()),
        (elf_with_loader(b"\xff\xfe\0"), ()),
        (b"\x7fELF", ()),
        (b"#!/bin/sh -e\n", ("/bin/sh",)),
        (b"#! /usr/bin/env python3\n", ("/usr/bin/env", "python3")),
        (b"#!/usr/bin/env -S A=b node --x\n", ("/usr/bin/env", "node")),
        (b"#!/usr/bin/env -i node\n", ("/usr/bin/env",)),
        (b"#!/usr/bin/env -Snode --x\n", ("/usr/bin/env", "node")),
        (b"#!/usr/bin/env -vS node\n", ("/usr/bin/env", "node")),
        (b"#!/usr/bin/env --split-string=node --x\n", ("/usr/bin/env", "node")),
        (b"#!/bin/sh\n'''exec' \"/a b/python3\" \"$0\"\n", ("/bin/sh", "/a b/python3")),
        (b"#!/bin/sh\n'''exec' /builds/python3 \"$0\"\n", ("/bin/sh", "/builds/python3")),
        (b"#!/bin/sh\n'''exec' \"$(dirname \"$0\")\"/'python' \"$0\"\n", ("/bin/sh",)),
        (b"#!/usr/bin/env\n", ("/usr/bin/env",)),
        (b"#!\n", ()),
        (b"#!\xff\xfe\n", ()),
        (b"text\n", ()),
        (b"", ()),
    ],
)
def test_a_program_says_what_it_needs_to_be_started(start: bytes, needs: tuple[str, ...]) -> None:
    assert program.interpreters(start) == needs


@given(st.binary(max_size=200))
def test_whatever_a_program_begins_with_is_no_error(data: bytes) -> None:
    for start in (data, b"\x7fELF\x02\x01" + data, b"\x7fELF\x01\x02" + data, b"#!" + data):
        assert isinstance(program.interpreters(start), tuple)


VENV = {
    "bin/python": "python3.11",
    "bin/python3": "python",
    "bin/python3.11": "/usr/bin/python3.11",
    "lib64": "lib",
}


def venv(at: Path, links: dict[str, str], script: bytes) -> list[Path]:
    """A plain Python venv in a package, as a folder and as a tar.gz."""
    root = folder(at, {"venv/bin/app": script, "venv/lib/app.py": b"", "venv/pyvenv.cfg": b""})
    for path, target in links.items():
        (root / "venv" / path).symlink_to(target)
    packed = at / "web.1.2.3.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(root, ".")
    return [root, packed]


@pytest.mark.parametrize(
    ("wanted", "script"),
    [
        ("venv/bin/python", b""),
        ("./venv/bin/python3", b""),
        ("venv/bin/python3.11", b""),
        ("venv/bin/app", b"#!/srv/web/current/venv/bin/python3\n"),
        ("venv/bin/app", b"#!/bin/sh\n'''exec' /srv/web/current/venv/bin/python3 \"$0\"\n"),
    ],
)
def test_a_plain_venv_is_taken_for_the_command_that_it_starts(
    wanted: str, script: bytes, tmp_path: Path
) -> None:
    found = [opened(path, executables=lambda _: (wanted,)) for path in venv(tmp_path, VENV, script)]
    assert found[0].release == found[1].release
    assert found[0].interpreters["venv/bin/python3.11"] == ("/usr/bin/python3.11",)
    with tarfile.open(found[0].archive) as archive:
        link = archive.getmember("files/venv/bin/python3.11")
        assert (link.type, link.linkname) == (tarfile.SYMTYPE, "/usr/bin/python3.11")


@pytest.mark.parametrize(
    ("wanted", "more"),
    [
        ("venv/lib/app.py", {}),
        ("venv/bin/app", {}),
        ("venv/bin/python", {"bin/pip": "/usr/bin/pip3"}),
        ("venv/bin/python", {"bin/python3.11": "/opt/python/bin/python3"}),
        ("venv/bin/python", {"bin/python3.11": "/usr/bin/../../etc/shadow"}),
        ("venv/bin/python", {"bin/python3.11": "/usr/bin"}),
        ("venv/bin/python", {"bin/python3.11": "/usr//bin/python3"}),
        ("venv/bin/python", {"bin/python3.11": "/etc/passwd"}),
    ],
)
def test_other_links_out_of_a_package_stay_refused(
    wanted: str, more: dict[str, str], tmp_path: Path
) -> None:
    script = b"#!/usr/bin/env python3\n"
    for path in venv(tmp_path, VENV | more, script):
        refused(path, "outside of the package's folder", executables=lambda _: (wanted,))
