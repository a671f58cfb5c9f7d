"""Reads name and version from a package's file name, and makes the release's id."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.errors import BadInput

SUFFIXES = (".tar.gz", ".tgz", ".nupkg", ".zip")
_OTHER_ARCHIVES = (
    *(".tar", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz2", ".tar.lz4", ".7z"),
    ".rar",
)
_OTHER_KINDS = (
    *_OTHER_ARCHIVES,
    *(".jar", ".war", ".whl", ".deb", ".rpm", ".snupkg", ".exe", ".msi"),
)
"""What build tools make besides, which is not read."""

# A version becomes part of a folder's name, beside a dash and twelve digits; 255 bytes is the end.
LONGEST_VERSION = 64

_NAME_AND_VERSION = re.compile(
    r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*?)"
    r"\.(?P<version>[0-9]+(?:\.[0-9]+){1,3}"
    r"(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)",
)
# `web-1.2.3` would read as version 2.3 of `web-1`, `web.v1.2.3` as version 2.3 of `web.v1`.
# Five numbers in a row are one more than a version has; a framework may stand before the version.
_NUMBERS = re.compile(r".*\.[0-9]+")
_FRAMEWORK = re.compile(
    r"(?P<name>.*?)[._-](?:net(?P<plain>[0-9]+)|(?:netstandard|netcoreapp)[0-9]+)", re.IGNORECASE
)
_SWALLOWED = re.compile(r"(?P<name>.*?)(?P<joint>[-_][0-9]+|(?:^|[._-])v[0-9]+)", re.IGNORECASE)

# `git describe`: so many commits after a tag, which SemVer would sort before the tag, and ten of
# them before nine.
_DESCRIBED_BY_GIT = re.compile(r"(?P<tag>.*?)-(?P<commits>[0-9]+)[-.]g[0-9a-f]{4,40}(?:[-.]dirty)?")

# A commit, a date or a count of seconds in place of a version, as `git describe`, `date` and CI
# write them; what stands behind it says nothing more.
_BUILD = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z0-9_.-]*?)[._-]v?(?:"
    r"g?(?=[a-f]*[0-9])[0-9a-f]{7,40}|20[0-9]{6}(?:[0-9]{4}|[0-9]{6})?"
    r"|20[0-9]{2}[._-][0-9]{1,2}[._-][0-9]{1,2}"
    r")(?:[._T-].*)?",
    re.IGNORECASE,
)
_DESCRIBED = re.compile(
    r"(?P<name>[A-Za-z_][A-Za-z_.-]*?)[._-]?v?(?P<version>[0-9]+(?:\.[0-9]+){1,3})(?:-.*)?"
)

_COMMIT = re.compile("[0-9a-f]{7,40}")

_Word = tuple[int, int, str]
VersionKey = tuple[tuple[int, ...], tuple[int, tuple[_Word, ...]], int]
LikelyKey = tuple[tuple[int, ...], tuple[int, tuple[tuple[_Word, ...], ...]], int]


@dataclass(frozen=True)
class Release:
    """A package as a host will hold it.

    name, version: from the package's file name.
    digest: 64 hex digits over paths, executability and contents, whatever the archive's kind.
    files: how many files; size_bytes: their bytes, unpacked.
    """

    name: str
    version: str
    digest: str
    files: int
    size_bytes: int

    @property
    def id(self) -> str:
        """The folder's name on a host: the version, and a digest that distinguishes rebuilds."""
        return f"{self.version}-{self.digest[:12]}"

    @property
    def archive_name(self) -> str:
        """Of its archive on the workstation: without the package's name, which may be too long."""
        return f"{self.digest}.tar.gz"


def stem(file_name: str) -> str:
    """Cut a package's suffix off its file name; a folder's name stays as it is."""
    for suffix in SUFFIXES:
        if file_name.lower().endswith(suffix):
            return file_name[: -len(suffix)]
    return file_name


def parse_name(file_name: str) -> tuple[str, str]:
    """Name and version from `web.1.2.3.zip` or `My.App.1.2.3-beta.1.nupkg`, as Octopus names them.

    The version is the leftmost run of two to four dotted numbers that reaches the end, with an
    optional -prerelease and +build. BadInput names the file and shows a right name: for a commit or
    a date, the UTC time of the build with the commit after it, which alone has no order.
    """
    base = stem(file_name)
    other = next((kind for kind in _OTHER_KINDS if file_name.lower().endswith(kind)), "")
    if other:
        right = _right_name(file_name[: -len(other)], file_name[: -len(other)])
        raise BadInput(
            f"package {file_name!r}: {other} is no kind of package that is read; pack what is to "
            f"be on the hosts as .zip, .nupkg, .tar.gz or .tgz, and call it like {right}"
        )
    match = _NAME_AND_VERSION.fullmatch(base)
    if match is None or not re.search("[A-Za-z]", match["name"]):
        raise BadInput(
            f"package {file_name!r}: its name holds no name and version; call it like "
            f"{_right_name(file_name, base)} (name, dot, version of two to four numbers)",
        )
    name, version = match["name"], match["version"]
    if _SWALLOWED.fullmatch(name):
        raise BadInput(
            f"package {file_name!r}: it is not clear where the name ends and the version starts; "
            f"call it like {_right_name(file_name, base)} (a dot between name and version)",
        )
    if _NUMBERS.fullmatch(name):
        raise BadInput(
            f"package {file_name!r}: more numbers stand in a row than the four of a version, so it "
            "is not clear where the version starts; call it like "
            f"{_right_name(file_name, base)} (at most four numbers)"
        )
    framework = _FRAMEWORK.fullmatch(name)
    if framework and (not framework["plain"] or version.startswith("0.")):
        is_name = re.search("[A-Za-z]", framework["name"]) and not _is_unclear(framework["name"])
        right = framework["name"] if is_name else "web"
        raise BadInput(
            f"package {file_name!r}: a framework stands before the version, so it is not clear "
            "where that starts; leave the framework out, like "
            f"{right}.1.2.3{file_name[len(base) :]}"
        )
    if len(version) > LONGEST_VERSION:
        raise BadInput(
            f"package {file_name!r}: the version has {len(version)} characters, "
            f"at most {LONGEST_VERSION} fit; shorten it like web.1.2.3-beta.1.zip",
        )
    return name, version


def version_key(version: str) -> VersionKey:
    """Sort as SemVer does: numbers as numbers, a prerelease before its release.

    Up to four numbers, absent ones being 0; build metadata (+…) is ignored. What `git describe`
    writes, `1.2.3-5-g5f4fec3`, comes after the tag, by the commits since then.
    """
    numbers, words, commits = _parts(version)
    return numbers, (0 if words else 1, tuple(map(_identifier_key, words))), commits


def likely_key(version: str) -> LikelyKey:
    """Sort as people count: rc9 before rc10, where SemVer has the reverse."""
    numbers, words, commits = _parts(version)
    return numbers, (0 if words else 1, tuple(map(_counted, words))), commits


def _parts(version: str) -> tuple[tuple[int, ...], list[str], int]:
    """The four numbers, the words of a prerelease, and the commits since the tag."""
    core, _, _ = version.partition("+")
    described = _DESCRIBED_BY_GIT.fullmatch(core)
    numbers, _, prerelease = (described["tag"] if described else core).partition("-")
    parts = [int(number) for number in numbers.split(".")]
    words = prerelease.split(".") if prerelease else []
    return (
        tuple(parts + [0] * (4 - len(parts))),
        words,
        int(described["commits"] if described else 0),
    )


def _identifier_key(word: str) -> _Word:
    return (0, int(word), "") if word.isdecimal() else (1, 0, word)


def _counted(word: str) -> tuple[_Word, ...]:
    """A word by the texts and the numbers in it; one that is a number alone comes first."""
    if word.isdecimal():
        return (_identifier_key(word),)
    if _COMMIT.fullmatch(word):
        return (1, 0, ""), _identifier_key(word)  # its digits count nothing
    return (1, 0, ""), *map(_identifier_key, re.findall(r"[0-9]+|[^0-9]+", word.lower()))


def may_be_newer(file_name: str, name: str) -> bool:
    """Whether a file is called as a package of this name, with a version that cannot be read.

    What is no archive lies beside the packages: an installer, a jar, a package of symbols.
    """
    base, lower = stem(file_name), file_name.lower()
    is_archive = base != file_name or lower.endswith(_OTHER_ARCHIVES)
    rest = base[len(name) :] if lower.startswith(name.lower()) else ""
    is_versioned = re.match(r"[._ -]v?[0-9]|v[0-9]", rest, re.IGNORECASE) is not None
    return is_archive and is_versioned and ".symbols." not in lower


def _right_name(file_name: str, base: str) -> str:
    """Return a name that is accepted and as near to this one as possible."""
    suffix = file_name[len(base) :] or ".zip"
    guess = _DESCRIBED.fullmatch(base)
    build = None if guess else _BUILD.fullmatch(base)
    if build and not _is_unclear(build["name"]):
        return f"{build['name']}.2026.1128.1412+5f4fec3{suffix}"
    if guess is None or _is_unclear(guess["name"]) or _FRAMEWORK.match(base):
        return f"web.1.2.3{suffix}"
    name = "web" if guess["name"].lower() == "v" else guess["name"]
    return f"{name}.{guess['version']}{suffix}"


def _is_unclear(name: str) -> bool:
    """Whether a name ends as a version or a framework does, so that none may follow."""
    return any(each.fullmatch(name) for each in (_NUMBERS, _FRAMEWORK, _SWALLOWED))
