"""What tar itself unpacks is read as tar does, where that is safe: hard links, headers, labels."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from deploy.errors import BadInput
from deploy.package.opening import Package, open_package

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = b"#!/bin/sh\n"
Member = tuple[str, bytes, bytes | str]


def packed(at: Path, *members: Member, mode: int = 0o644, **pax: str) -> Path:
    """A tar.gz of (name, kind, contents or target)."""
    path = at / "web.1.2.3.tar.gz"
    with tarfile.open(path, "w:gz", pax_headers=pax) as archive:
        for name, kind, what in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, 0o755 if name == "web" else mode
            data = what if isinstance(what, bytes) else b""
            info.size, info.linkname = len(data), what if isinstance(what, str) else ""
            archive.addfile(info, io.BytesIO(data))
    return path


def opened(path: Path) -> Package:
    workspace = path.parent / "workspace"
    workspace.mkdir(exist_ok=True)
    return open_package(
        path,
        executables=lambda _: ("web",),
        max_unpacked_bytes=1_000_000,
        workspace=workspace,
    )


WEB: Member = ("web", tarfile.REGTYPE, SCRIPT)


def test_a_hard_link_is_the_file_that_it_is_another_name_of(tmp_path: Path) -> None:
    """As pnpm's folders have them, where two packages hold the same file."""
    data = b"MIT\n" * 100
    linked = opened(
        packed(
            tmp_path,
            WEB,
            ("a/LICENSE", tarfile.REGTYPE, data),
            ("./b/LICENSE", tarfile.LNKTYPE, "./a/LICENSE"),
            ("c/LICENSE", tarfile.LNKTYPE, "b/LICENSE"),
            ("web2", tarfile.LNKTYPE, "web"),
        )
    )
    twice = opened(
        packed(
            tmp_path,
            WEB,
            ("a/LICENSE", tarfile.REGTYPE, data),
            ("b/LICENSE", tarfile.REGTYPE, data),
            ("c/LICENSE", tarfile.REGTYPE, data),
            ("web2", tarfile.REGTYPE, SCRIPT),
            mode=0o644,
        )
    )
    executable = {file.path for file in linked.manifest if file.executable}
    assert {file.path for file in linked.manifest} == {file.path for file in twice.manifest}
    assert {file.digest for file in linked.manifest} == {file.digest for file in twice.manifest}
    assert executable == {"web", "web2"}, "one file has one mode, whatever its name"


def test_a_hard_link_to_a_link_is_that_link_again(tmp_path: Path) -> None:
    opened_package = opened(
        packed(
            tmp_path,
            WEB,
            (".bin/tool", tarfile.SYMTYPE, "../web"),
            (".bin2/tool", tarfile.LNKTYPE, ".bin/tool"),
        )
    )
    assert opened_package.links == 2


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("later", "which is no file before it"),
        ("odd", "which is no file before it"),
        ("folder", "which is no file before it"),
        ("", "which is no file before it"),
        ("/etc/passwd", "absolute path"),
        ("../other/web", "leaves the package's folder"),
    ],
)
def test_a_hard_link_to_what_is_no_file_before_it_is_refused(
    tmp_path: Path, target: str, said: str
) -> None:
    path = packed(
        tmp_path,
        WEB,
        ("folder", tarfile.DIRTYPE, b""),
        ("odd", tarfile.LNKTYPE, target),
        ("later", tarfile.REGTYPE, b"x"),
    )
    with pytest.raises(BadInput, match=said):
        opened(path)


def test_hard_links_count_in_full_against_the_limit(tmp_path: Path) -> None:
    """One file of half the limit under three names is more than the limit on a host."""
    path = packed(
        tmp_path,
        WEB,
        ("a", tarfile.REGTYPE, bytes(500_000)),
        *((f"b{n}", tarfile.LNKTYPE, "a") for n in range(3)),
    )
    with pytest.raises(BadInput, match="unpacks to more than the limit"):
        opened(path)


@pytest.mark.parametrize("digits", [40, 64])
def test_what_git_archive_writes_is_read(tmp_path: Path, digits: int) -> None:
    """Its header for all files has the commit alone."""
    plain = opened(packed(tmp_path, WEB))
    assert opened(packed(tmp_path, WEB, comment="a1" * (digits // 2))).release == plain.release


@pytest.mark.parametrize(
    "header", [{"path": "other"}, {"comment": "a1" * 20, "path": "x"}, {"comment": "words"}]
)
def test_any_other_header_for_all_files_is_refused(tmp_path: Path, header: dict[str, str]) -> None:
    path = tmp_path / "web.1.2.3.tar.gz"
    with tarfile.open(path, "w:gz", pax_headers=header) as archive:
        info = tarfile.TarInfo("web")
        info.size = len(SCRIPT)
        archive.addfile(info, io.BytesIO(SCRIPT))
    with pytest.raises(BadInput, match="global header"):
        opened(path)


def test_a_label_of_the_archive_is_no_file_of_it(tmp_path: Path) -> None:
    labelled = opened(packed(tmp_path, ("build 7", b"V", b""), WEB))
    assert labelled.files == {"web"}


@pytest.mark.parametrize("target", [".", "./", "./."])
def test_a_link_to_its_own_folder_stays_inside(tmp_path: Path, target: str) -> None:
    assert opened(packed(tmp_path, WEB, ("X11", tarfile.SYMTYPE, target))).links == 1


def test_a_sparse_file_of_macos_is_named_with_what_packs_it_whole(tmp_path: Path) -> None:
    """The tar of macOS writes libraries of .NET so by itself, and knows no --sparse."""
    path = tmp_path / "web.1.2.3.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("web")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        archive.addfile(info)
    with pytest.raises(BadInput, match="on macOS with tar --no-read-sparse"):
        opened(path)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_file_in_place_of_the_packages_own_folder_is_refused(tmp_path: Path, kind: bytes) -> None:
    what = b"x" if kind == tarfile.REGTYPE else "web"
    with pytest.raises(BadInput, match="its own folder is a file"):
        opened(packed(tmp_path, WEB, ("./", kind, what)))
