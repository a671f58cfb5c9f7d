"""A program that lost its bit of execution is named in the plan, where other files have theirs."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.package.cache.cached_opening import NOWHERE, Folders
from deploy.plan import candidate

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.plan.candidate import Offer

NODE = ".playwright/node/linux-x64/node"


def elf(kind: int) -> bytes:
    """The header of an ELF file: kind 2 is a program, 3 a library without a loader (elf(5))."""
    return (
        b"\x7fELF"
        + bytes([2, 1])
        + bytes(10)
        + kind.to_bytes(2, "little")
        + bytes([62])
        + bytes(45)
    )


def with_loader() -> bytes:
    """A program of this machine, which may lie anywhere in memory, as compilers make them."""
    shell = shutil.which("sh")
    assert shell
    return Path(shell).resolve().read_bytes()


def offered(package: Path, workspace: Path, folders: Folders = NOWHERE, **settings: Any) -> Offer:
    """What a deploy of the package offers hosts."""
    app = builders.app(**settings)
    environment = builders.environment(app, root=package.parent)
    workspace.mkdir(exist_ok=True)
    opened = candidate.prepare(environment, app, package, workspace, folders)
    return candidate.offer(environment, opened, builders.survey())


def build(folder: Path, files: dict[str, bytes], *marked: str) -> Path:
    """A folder as download-artifact leaves it, 0644 everywhere, and what somebody marked since."""
    root = folder / "web.7.0.0"
    for name, data in {"web": b"#!/bin/sh\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
        (root / name).chmod(0o755 if name in marked else 0o644)
    return root


def as_tar(root: Path) -> Path:
    """The same in an archive."""
    with tarfile.open(root.with_name(f"{root.name}.tar.gz"), "w:gz") as archive:
        archive.add(root, ".")
    return root.with_name(f"{root.name}.tar.gz")


@pytest.mark.parametrize("pack", [lambda root: root, as_tar], ids=["folder", "tar.gz"])
def test_programs_that_are_not_executable_where_others_are_are_named(
    tmp_path: Path, pack: Callable[[Path], Path]
) -> None:
    root = build(tmp_path, {NODE: with_loader(), "tools/x": elf(2)}, "web")
    (warning,) = offered(pack(root), tmp_path / "w").warnings
    assert f"2 programs, such as {NODE}, are not executable, while other files are" in warning
    assert "make them executable before you pack (chmod +x), or name them under" in warning


def test_from_the_cache_too(tmp_path: Path) -> None:
    root = build(tmp_path, {NODE: with_loader()}, "web")
    folders = Folders(tmp_path / "cache" / "changeover", tmp_path / "state" / "changeover")
    for name in ("first", "second"):
        (warning,) = offered(root, tmp_path / name, folders).warnings
        assert f"{NODE} is a program that is not executable, while other files are" in warning


@pytest.mark.parametrize(
    ("files", "marked"),
    [
        ({NODE: with_loader()}, ()),
        ({NODE: with_loader()}, ("web", NODE)),
        ({"lib/libc.so.6": with_loader(), "libx.so": elf(2), "x.node": elf(3)}, ("web",)),
        ({"tool.py": b"#!/usr/bin/python3\n", "x": b"\x7fELF"}, ("web",)),
    ],
    ids=["none is marked", "all are marked", "libraries", "scripts and what is cut short"],
)
def test_control_nothing_is_said(
    files: dict[str, bytes], marked: tuple[str, ...], tmp_path: Path
) -> None:
    """Where no mode distinguishes files, their contents decide, and the program is executable."""
    assert offered(build(tmp_path, files, *marked), tmp_path / "w").warnings == ()


def test_what_the_settings_name_is_executable_and_not_named(tmp_path: Path) -> None:
    root = build(tmp_path, {NODE: with_loader()}, "web")
    assert offered(root, tmp_path / "w", executables=(NODE,)).warnings == ()
