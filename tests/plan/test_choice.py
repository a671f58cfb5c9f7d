"""The newest package is chosen where it is clear which one that is, and else refused."""

from __future__ import annotations

from pathlib import Path

import builders
import pytest

from deploy.errors import BadInput
from deploy.plan.choice import choose, newest, of_version


def make_empty(at: Path, *there: str) -> None:
    for name in there:
        (at / name).mkdir() if name.endswith("/") else (at / name).touch()


@pytest.mark.parametrize(
    ("there", "pattern", "app", "chosen"),
    [
        (["web.1.9.0.zip", "web.1.10.0.zip"], "*.zip", None, "web.1.10.0.zip"),
        (["web.2.0.0-rc.1.zip", "web.2.0.0.zip"], "web.*", None, "web.2.0.0.zip"),
        (["web.1.0.0.zip", "admin.2.0.0.zip"], "*", "web", "web.1.0.0.zip"),
        (["web.1.0.0.zip", "web.1.1.0/"], "web.*", "web", "web.1.1.0"),
        (["web.1.0.0.zip", "README.md", "web.9.9.9", "web.zip"], "*", None, "web.1.0.0.zip"),
        (["web.1.0.0.zip"], "web.1.0.0.zip", None, "web.1.0.0.zip"),
    ],
)
def test_the_newest_package_is_chosen(
    tmp_path: Path, there: list[str], pattern: str, app: str | None, chosen: str
) -> None:
    make_empty(tmp_path, *there)
    assert newest(pattern, tmp_path, app) == tmp_path / chosen
    assert newest(str(tmp_path / pattern), Path("/elsewhere"), app) == tmp_path / chosen


@pytest.mark.parametrize("name", ["job [main]", "a*b", "what?", "[!x]"])
def test_what_the_projects_folder_is_called_is_no_pattern(tmp_path: Path, name: str) -> None:
    """CI systems name folders after branches and jobs."""
    project = tmp_path / name
    (project / "packages").mkdir(parents=True)
    make_empty(project / "packages", "web.1.0.0.zip", "web.1.1.0.zip")
    assert newest("packages/web.*.zip", project) == project / "packages" / "web.1.1.0.zip"
    assert of_version("packages/web.*.zip", project, "1.0.0") == [
        project / "packages" / "web.1.0.0.zip"
    ]


@pytest.mark.parametrize(
    ("there", "pattern", "app", "said"),
    [
        ([], "web.*.zip", None, ["'web.*.zip'", "is empty"]),
        ([], "packages/web.*.zip", None, ["there is no folder", "packages"]),
        (["admin.1.0.0.zip"], "web.*.zip", None, ["'web.*.zip'", "holds admin.1.0.0.zip"]),
        (["admin.1.0.0.zip"], "*.zip", "web", ["none of 'web'", "only of admin"]),
        (["web.1.0.0.zip", "web.1.0.0.tgz"], "web.*", None, ["same version", "web.1.0.0.tgz"]),
        (["web.1.0.0+a.zip", "web.1.0.0+b.zip"], "*", None, ["same version"]),
        (["web.1.0.0.zip", "admin.1.0.0.zip"], "*", None, ["several names", "admin, web"]),
        (["web.zip"], "*", None, ["'web.zip'", "web.1.2.3.zip"]),
        (["README.md"], "*", None, ["'README.md'", "web.1.2.3"]),
        ([f"{number}.txt" for number in range(7)], "*.zip", None, ["0.txt", "and 2 more"]),
    ],
)
def test_no_clear_choice_is_refused(
    tmp_path: Path, there: list[str], pattern: str, app: str | None, said: list[str]
) -> None:
    make_empty(tmp_path, *there)
    with pytest.raises(BadInput) as refusal:
        newest(pattern, tmp_path, app)
    for words in said:
        assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["web.1.2.3-9-g5f4fec3.zip", "web.1.2.3-10-g0a1b2c3.zip"], "web.1.2.3-10-g0a1b2c3.zip"),
        (["web.1.2.3.zip", "web.1.2.3-5-g5f4fec3.zip"], "web.1.2.3-5-g5f4fec3.zip"),
        (["web.1.2.4.zip", "web.1.2.3-5-g5f4fec3.zip"], "web.1.2.4.zip"),
        (["web.1.2.3-rc.9.zip", "web.1.2.3-rc.10.zip"], "web.1.2.3-rc.10.zip"),
        (["web.1.2.3-rc9.zip", "web.1.2.3-rc10.zip", "web.1.2.3.zip"], "web.1.2.3.zip"),
        (["web.1.2.3.zip", "web.latest.zip", "web.zip", "web.1.2.4.zip.part"], "web.1.2.3.zip"),
        (["web.1.2.3.nupkg", "web.1.2.3.symbols.nupkg"], "web.1.2.3.nupkg"),
        (["web.1.2.3.nupkg", "web.1.2.3.snupkg"], "web.1.2.3.nupkg"),
        (["web.1.2.3.zip", "web-1.2.3.jar", "web.1.2.2.deb", "web.1.2.3.exe"], "web.1.2.3.zip"),
        (["web.1.2.3.zip", "web2-latest.zip"], "web.1.2.3.zip"),
        (["web.1.0.0-5f4fec3.zip", "web.1.0.0-41fec3a.zip"], "web.1.0.0-5f4fec3.zip"),
        (["web.1.0.0-5f4fec3.zip", "web.1.0.0-40fec3a.zip"], "web.1.0.0-5f4fec3.zip"),
        (["web.1.2.3.zip", "web.1.2.3.zip.minisig", "._web.1.2.4.zip"], "web.1.2.3.zip"),
    ],
)
def test_the_newest_is_what_build_tools_mean_by_it(
    tmp_path: Path, there: list[str], chosen: str
) -> None:
    """By SemVer ten commits after a tag came before nine, and both before the tag."""
    make_empty(tmp_path, *there)
    assert newest("*", tmp_path).name == chosen


@pytest.mark.parametrize(
    ("older", "other"),
    [
        ("web.1.2.3.zip", "web.v2.0.0.zip"),
        ("web.1.2.3.zip", "web-2.0.0.tar.gz"),
        ("web.1.2.3.zip", "web.1.3.0rc1.zip"),
        ("web.1.2.3.zip", "web.1.2.3.post1.zip"),
        ("web.1.2.3.zip", "web.1.3.0~rc1.zip"),
        ("web.1.2.3.zip", "web.1.2.4 (1).zip"),
        ("web.1.2.3.zip", "web.1.2.4.5.6.zip"),
        ("web.1.2.3.zip", "web.1.2.4.tar.xz"),
        ("web.1.2.3-rc9.zip", "web.1.2.3-rc10.zip"),
        ("web.1.2.3-alpha.zip", "web.1.2.3-SNAPSHOT.zip"),
    ],
)
def test_what_may_be_newer_is_never_passed_over_in_silence(
    tmp_path: Path, older: str, other: str
) -> None:
    """The older one was deployed, with exit code 0."""
    make_empty(tmp_path, older, other)
    with pytest.raises(BadInput, match=r"not clear which one .* is the newest") as refused:
        newest("web*", tmp_path)
    assert other in str(refused.value)
    assert "name one with --package" in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("web.${VERSION}.zip", "${VERSION} is not replaced here: write * in its place"),
        ("web.$VERSION.zip", "$VERSION is not replaced here"),
        ("web.#{Octopus.Release.Number}.zip", "{Octopus.Release.Number} is not replaced here"),
        ("web.$(Build.BuildNumber).zip", "$(Build.BuildNumber) is not replaced here"),
        ("web.%VERSION%.zip", "%VERSION% is not replaced here"),
        ("builds\\web.*.zip", "write slashes, not backslashes"),
    ],
)
def test_what_nothing_replaces_in_a_pattern_is_named(
    tmp_path: Path, pattern: str, said: str
) -> None:
    make_empty(tmp_path, "web.1.2.3.zip")
    with pytest.raises(BadInput) as refused:
        newest(pattern, tmp_path)
    assert said in str(refused.value)


def test_a_folder_that_one_is_in_and_a_link_have_their_own_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--package .` was said to be called ''."""
    app = builders.app(package="web.*")
    (tmp_path / "web.1.2.3").mkdir()
    (tmp_path / "blob").touch()
    (tmp_path / "web.1.2.4.zip").symlink_to("blob")
    settings = builders.environment(app, root=tmp_path)
    monkeypatch.chdir(tmp_path / "web.1.2.3")
    assert choose(settings, app, ".") == tmp_path / "web.1.2.3"
    assert choose(settings, app, "../web.1.2.4.zip") == tmp_path / "web.1.2.4.zip"
