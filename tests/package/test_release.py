"""Names and versions come from the file's name, as Octopus writes them, and sort as SemVer says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import BadInput
from deploy.package.release import SUFFIXES, Release, parse_name, version_key


@pytest.mark.parametrize(
    ("file_name", "name", "version"),
    [
        ("web.1.2.3.zip", "web", "1.2.3"),
        ("web.1.2.zip", "web", "1.2"),
        ("web.1.2.3.4.zip", "web", "1.2.3.4"),
        ("web.1.2.3", "web", "1.2.3"),
        ("web.1.2.3.tar.gz", "web", "1.2.3"),
        ("web.1.2.3.tgz", "web", "1.2.3"),
        ("WEB.1.2.3.ZIP", "WEB", "1.2.3"),
        ("My.App.1.2.3-beta.1.nupkg", "My.App", "1.2.3-beta.1"),
        ("My.App.1.2.3-beta.1+build.5.nupkg", "My.App", "1.2.3-beta.1+build.5"),
        ("web.1.2.3+0a1b2c.zip", "web", "1.2.3+0a1b2c"),
        ("web-api.10.20.30.zip", "web-api", "10.20.30"),
        ("web_api.2026.11.22.zip", "web_api", "2026.11.22"),
        ("net8.1.4.2.zip", "net8", "1.4.2"),
        ("My.App.net8.1.4.2.nupkg", "My.App.net8", "1.4.2"),
        ("log4net.2.0.15.0.nupkg", "log4net", "2.0.15.0"),
        ("web.2026.1128.1412+5f4fec3.zip", "web", "2026.1128.1412+5f4fec3"),
        ("h2o.1.0.zip", "h2o", "1.0"),
        ("web.1.0.0-rc-2.zip", "web", "1.0.0-rc-2"),
        ("web.1.0.0-1.2.3.zip", "web", "1.0.0-1.2.3"),
    ],
)
def test_name_and_version_come_from_the_file_name(file_name: str, name: str, version: str) -> None:
    assert parse_name(file_name) == (name, version)


@pytest.mark.parametrize(
    ("file_name", "example"),
    [
        ("web.zip", "web.1.2.3.zip"),
        ("web.1.zip", "web.1.2.3.zip"),
        ("1.2.3.zip", "web.1.2.3.zip"),
        (".1.2.3.zip", "web.1.2.3.zip"),
        ("web-1.2.3.zip", "web.1.2.3.zip"),
        ("web_4.5.6.tar.gz", "web.4.5.6.tar.gz"),
        ("web.v4.5.6.nupkg", "web.4.5.6.nupkg"),
        ("web-1.0.zip", "web.1.0.zip"),
        ("web.1.2.3-.zip", "web.1.2.3.zip"),
        ("web.1.2.3-beta/../x.zip", "web.1.2.3.zip"),
        ("we b.1.2.3.zip", "web.1.2.3.zip"),
        ("web.1.2.3\n.zip", "web.1.2.3.zip"),
        ("web.१.२.zip", "web.1.2.3.zip"),
        ("web.latest.zip", "web.1.2.3.zip"),
        ("v1.2.3.zip", "web.1.2.3.zip (a dot"),
        ("v1.2.3-5-g5f4fec3.tgz", "web.1.2.3.tgz (a dot"),
        ("web.1.2.3.tar.xz", ".tar.xz is no kind of package that is read"),
        ("web-1.2.3.jar", "as .zip, .nupkg, .tar.gz or .tgz, and call it like web.1.2.3.zip"),
        ("web.1.2.3.4.5.zip", "(at most four numbers)"),
        ("App.5.1.2.3.4.zip", "(at most four numbers)"),
        ("My.App.net8.0.1.4.2.nupkg", "My.App.1.2.3.nupkg"),
        ("My.App.netstandard2.1.1.0.0.nupkg", "My.App.1.2.3.nupkg"),
        ("My.App.netcoreapp3.1.1.2.nupkg", "My.App.1.2.3.nupkg"),
        ("web.5f4fec3.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web-0a1b2c3d4e5f60718293a4b5c6d7e8f901234567.tgz", "web.2026.1128.1412+5f4fec3.tgz"),
        ("web.20261128.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web.20261128-1412.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web.2026-11-28.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web.2026_11_28.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web.2026-11-28T14-12.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web-20261128141200.tar.gz", "web.2026.1128.1412+5f4fec3.tar.gz"),
        ("web.20261128-5f4fec3.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web.v20261128.nupkg", "web.2026.1128.1412+5f4fec3.nupkg"),
        ("web.1764338400.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web.2026.11.28.14.12.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web.g5f4fec3.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("web-5F4FEC3-dirty.zip", "web.2026.1128.1412+5f4fec3.zip"),
        ("my-app.5f4fec3.zip", "my-app.2026.1128.1412+5f4fec3.zip"),
        ("web-1.2.3-5-g5f4fec3.zip", "web.1.2.3.zip"),
        ("Web.Net8.0.1.4.2.nupkg", "Web.1.2.3.nupkg"),
        ("web.net8.0.zip", "web.1.2.3.zip"),
        ("20261128.net8.0.20261128.zip", "web.1.2.3.zip"),
        ("web.1.net8.0.1.4.2.nupkg", "web.1.2.3.nupkg"),
        ("web.defaced.zip", "web.1.2.3.zip"),
        ("", "web.1.2.3.zip"),
        (f"web.1.2.3-{'b' * 80}.zip", "web.1.2.3-beta.1.zip"),
    ],
)
def test_a_name_without_a_version_is_refused_with_an_example(file_name: str, example: str) -> None:
    with pytest.raises(BadInput) as refusal:
        parse_name(file_name)
    assert repr(file_name) in str(refusal.value)
    assert example in str(refusal.value)


ASCENDING = [
    "0.9",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0-rc.1-2-g5f4fec3",
    "1.0.0",
    "1.0.0-9-g5f4fec3",
    "1.0.0-10-g0a1b2c3",
    "1.0.0-20.g070e4a9",
    "1.0.0-21-g070e4a9-dirty",
    "1.0.0.1",
    "1.0.2",
    "1.0.10",
    "1.2.0",
    "1.10",
    "2.0.0-beta",
    "2026.11.22",
]


def test_versions_sort_as_semver_does() -> None:
    descending = ASCENDING[::-1]
    assert sorted(descending, key=version_key) == ASCENDING
    assert len({version_key(version) for version in ASCENDING}) == len(ASCENDING)


def test_build_metadata_and_absent_numbers_do_not_count() -> None:
    assert version_key("1.2.3+a") == version_key("1.2.3+b") == version_key("1.2.3.0")
    assert version_key("1.2") == version_key("1.2.0")


NUMBERS = st.lists(st.integers(0, 9999).map(str), min_size=2, max_size=4).map(".".join)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z]{0,8}(\.[A-Za-z]{2,8}){0,2}", fullmatch=True)
WORDS = st.from_regex(r"[0-9A-Za-z]{1,6}(\.[0-9A-Za-z]{1,4}){0,2}", fullmatch=True)


@given(NAMES, NUMBERS, st.none() | WORDS, st.none() | WORDS, st.sampled_from(["", *SUFFIXES]))
def test_every_name_written_so_reads_back(
    name: str, numbers: str, prerelease: str | None, build: str | None, suffix: str
) -> None:
    version = numbers + (f"-{prerelease}" if prerelease else "") + (f"+{build}" if build else "")
    assert parse_name(f"{name}.{version}{suffix}") == (name, version)
    assert version_key(version) == version_key(version.partition("+")[0])


def test_the_id_tells_a_rebuild_of_a_version_apart() -> None:
    one = Release("web", "1.2.3", "a" * 64, 3, 10)
    other = Release("web", "1.2.3", "b" * 64, 3, 10)
    assert one.id == "1.2.3-aaaaaaaaaaaa"
    assert one.id != other.id


PIECES = st.sampled_from(
    ["web", "net8", "v1", "5f4fec3", "g5f4fec3", "20261128", "2026", "11", "1", "0", "main", "x64"]
)


@given(st.lists(st.tuples(PIECES, st.sampled_from("._-")), min_size=1, max_size=7))
def test_every_suggested_name_is_one_that_is_accepted(pieces: list[tuple[str, str]]) -> None:
    base = "".join(piece + joint for piece, joint in pieces)[:-1]
    try:
        parse_name(f"{base}.zip")
    except BadInput as refusal:
        examples = re.findall(r"like (\S+)", str(refusal))
        assert examples
        for example in examples:
            parse_name(example)
