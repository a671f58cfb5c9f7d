"""Whatever a package is called, and whatever it holds, it is opened or refused in one message."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard import damage, examples, projects
from guard.command import check, run

if TYPE_CHECKING:
    from guard.conftest import Ground

ROOT = Path(__file__).parents[2]
PIECES = (
    *(
        "web",
        "Web",
        "api",
        "My.App",
        "web-linux-x64",
        "net8.0",
        "netstandard2.0",
        "v1",
        "py3.11",
        "7zip",
    ),
    *(
        "1.2.3",
        "1",
        "1.2",
        "1.2.3.4",
        "1.2.3.4.5",
        "2024.06.01.3",
        "01.02",
        "0.0.0",
        "9" * 40,
        "٣.٣",
        "²",
    ),
    *(
        "-beta.1",
        "+build.5",
        "-",
        "+",
        "-rc.",
        "5f4fec3",
        "20241122",
        "-SNAPSHOT",
        " (1)",
        " ",
        "é",
        "日本",
        "🚀",
    ),
    *(
        "[a]",
        "*",
        "?",
        "{package}",
        "%s",
        "$(id)",
        "'",
        '"',
        "\\",
        "\x1b[2J",
        "\n",
        "\udcff",
        "\u202e",
        "a" * 120,
    ),
    *(
        ".zip",
        ".ZIP",
        ".nupkg",
        ".tar.gz",
        ".tgz",
        ".tar",
        ".tar.xz",
        ".jar",
        ".",
        "..",
        ".zip.zip",
        "~",
        "-y",
    ),
)
names = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(".".join),
    st.tuples(st.sampled_from(("web.1.2.3", "web.1.2.4-a.b+c")), st.sampled_from(PIECES)).map(
        "".join
    ),
).filter(lambda name: name not in {".", ".."} and 0 < len(name.encode(errors="replace")) < 250)


def zipped(names: tuple[str, ...] = ("web", "wwwroot/é.png"), **options: int) -> bytes:
    """A zip of scripts with these names, made on Unix."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # of a name that is in it twice
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = options.get("mode", 0o755) << 16
            archive.writestr(info, f"#!/bin/sh\n# {name}\n")
    return file.getvalue()


def tarred(
    names: tuple[str, ...] = ("web", "wwwroot/é.png"), kind: bytes = tarfile.REGTYPE
) -> bytes:
    """A tar of the same; of links where kind says so."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.mode, info.type, info.linkname = 0o755, kind, "web"
            data = f"#!/bin/sh\n# {name}\n".encode()
            info.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


ODD_NAMES = (
    "web",
    "/etc/x",
    "../x",
    "C:\\x",
    "a\\b",
    "a/../b",
    "web/x",
    "a" * 300,
    "x\x1b",
    "",
    ".",
    "é/é",
)
ARCHIVES = {
    "zip": (
        zipped(),
        zipped(mode=0o644),
        zipped(mode=stat.S_IFLNK | 0o777),
        zipped(mode=stat.S_IFIFO | 0o777),
        *(zipped(("web", name)) for name in ODD_NAMES),
    ),
    "tar": (
        tarred(),
        tarred(kind=tarfile.SYMTYPE),
        tarred(kind=tarfile.LNKTYPE),
        tarred(kind=tarfile.FIFOTYPE),
        *(tarred(("web", name)) for name in ODD_NAMES),
    ),
}


@st.composite
def archives(draw: st.DrawFn) -> tuple[str, bytes]:
    """A package's suffix, and its bytes: damaged outside and inside of what packs them."""
    kind = draw(st.sampled_from(("zip", "tar")))
    data = draw(st.sampled_from(ARCHIVES[kind]))
    for _ in range(draw(st.integers(0, 3))):
        data = draw(_other_bytes(data))
    if kind == "tar":
        data = gzip.compress(data, 1)
        if draw(st.integers(0, 4)) == 0:
            data = draw(_other_bytes(data))
    return draw(
        st.sampled_from({"zip": (".zip", ".nupkg"), "tar": (".tar.gz", ".tgz")}[kind])
    ), data


@st.composite
def _other_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    new = draw(
        st.binary(max_size=8)
        | st.sampled_from((b"\xff" * 4, b"\0" * 8, b"PK\x01\x02", b"PK\x05\x06"))
    )
    way = draw(st.integers(0, 3))
    if way == 0:
        return data[:at]
    length = len(new) if way == 1 else draw(st.integers(0, 8))
    return data[:at] + new + data[at + length :]


@examples.of_each
@given(name=names, is_named=st.booleans(), is_folder=st.booleans())
def test_an_odd_package_name_is_read_or_refused(
    ground: Ground, name: str, is_named: bool, is_folder: bool
) -> None:
    projects.lay_out(ground, projects.LEAST.replace("web.*.zip", "*"))
    damage.clear(ground.project / "packages")
    place = ground.project / "packages" / name.replace("/", "")
    if is_folder:
        place.mkdir()
        (place / "web").write_bytes(b"#!/bin/sh\n")
    else:
        place.write_bytes(zipped())
    words = ("--package", f"packages/{name}") if is_named else ()
    ended = check(run("deploy", "--env", "lab", "--dry-run", "--allow-downtime", *words))
    assert ended.code in {0, 2}


@examples.of_each
@given(archive=archives(), place=damage.places)
def test_a_damaged_package_is_opened_or_refused(
    ground: Ground, archive: tuple[str, bytes], place: str
) -> None:
    suffix, data = archive
    projects.lay_out(ground, projects.LEAST.replace("web.*.zip", "web.*"))
    damage.clear(ground.project / "packages")
    damage.put(place, ground.project / f"packages/web.1.2.3{suffix}", data)
    ended = check(run("deploy", "--env", "lab", "--dry-run", "--allow-downtime"))
    assert ended.code in {0, 2}


DIGEST = "0" * 64
LISTS = (
    f"{DIGEST}  web.1.2.3.zip\n",
    f"SHA256 (web.1.2.3.zip) = {DIGEST}\nMD5 (x) = 00\n# comment\n\n{DIGEST} *other.zip\n",
    f"\\{DIGEST}  a\\nb.zip\n",
)
SIGNATURES = (
    "untrusted comment: signature\nRUQ=\ntrusted comment: file:web.1.2.3.zip\nAAAA\n",
    "untrusted comment: a public key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
)


@examples.of_each
@given(
    text=damage.damaged(
        (*LISTS, *SIGNATURES), ("RWQf6LRCGA9i53mlYecO4IzT51TGPpvW", DIGEST, *damage.WORDS)
    ),
    place=damage.places,
    where=st.sampled_from(("SUMS", "web.1.2.3.zip.minisig", "key.pub")),
)
def test_damaged_checksums_and_signatures_are_refused(
    ground: Ground, text: bytes, place: str, where: str
) -> None:
    rule = "sha256sums: packages/SUMS" if where == "SUMS" else "minisign: packages/key.pub"
    settings = projects.LEAST.replace("      command", f"      verify: {{{rule}}}\n      command")
    projects.lay_out(ground, settings)
    packages = ground.project / "packages"
    if where != "key.pub":
        (packages / "key.pub").write_text(SIGNATURES[1])
    damage.put(place, packages / where, text)
    ended = check(run("deploy", "--env", "lab", "--dry-run", "--allow-downtime"))
    assert ended.code in {0, 2}


@pytest.mark.parametrize("suffix", [".zip", ".nupkg", ".tar.gz", ""])
@pytest.mark.parametrize("place", damage.PLACES)
def test_what_is_no_package_is_refused(ground: Ground, place: str, suffix: str) -> None:
    projects.lay_out(ground, projects.LEAST.replace("web.*.zip", "web.*"))
    damage.clear(ground.project / "packages")
    damage.put(place, ground.project / f"packages/web.1.2.3{suffix}", b"")
    for words in ((), ("--package", f"packages/web.1.2.3{suffix}")):
        ended = check(run("deploy", "--env", "lab", "--dry-run", "--allow-downtime", *words))
        assert ended.code == 2
        assert "None" not in ended.err


@pytest.mark.parametrize(
    ("suffix", "data"), [(".zip", zipped()), (".tgz", gzip.compress(tarred(), mtime=0))]
)
def test_control_a_valid_package_is_opened(ground: Ground, suffix: str, data: bytes) -> None:
    projects.lay_out(ground, projects.LEAST.replace("web.*.zip", "web.*"))
    damage.clear(ground.project / "packages")
    (ground.project / f"packages/web.1.2.3{suffix}").write_bytes(data)
    ended = check(run("deploy", "--env", "lab", "--dry-run", "--allow-downtime"))
    assert "web  none → 1.2.3-" in ended.out, ended.err
