"""Which files of a release are added, changed and removed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.package import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Contents:
    """The files of a release.

    Attributes:
        digests: 64 hex digits of each file, by its path.
        sizes: Bytes of each file, by its path; a path that is missing has an unknown size.
    """

    digests: Mapping[str, str]
    sizes: Mapping[str, int]

    @classmethod
    def of_package(cls, files: Iterable[manifest.File]) -> Contents:
        """The files of a package."""
        listed = tuple(files)
        return cls(
            {file.path: file.digest for file in listed}, {file.path: file.size for file in listed}
        )

    @classmethod
    def of_manifest(cls, text: str, release: str, sizes: Mapping[str, int]) -> Contents:
        """The files that the stored manifest of a release lists."""
        found = manifest.stored(text, release)
        return cls({each.path: each.digest for each in found}, sizes)


NOTHING = Contents({}, {})


@dataclass(frozen=True)
class FileChanges:
    """The files that are added, changed and removed.

    Attributes:
        added: Those of the new release alone: path and bytes, in the order of their paths.
        changed: Those of both with other contents, likewise; bytes of the new ones.
        removed: Those of the old release alone, likewise.
    """

    added: tuple[tuple[str, int], ...] = ()
    changed: tuple[tuple[str, int], ...] = ()
    removed: tuple[tuple[str, int], ...] = ()


def compared(before: Contents, after: Contents) -> FileChanges:
    """Compare the files of two releases by their contents."""
    old, new = before.digests, after.digests

    def sized(paths: Iterable[str], of: Contents) -> tuple[tuple[str, int], ...]:
        return tuple((path, of.sizes.get(path, 0)) for path in sorted(paths))

    return FileChanges(
        sized(new.keys() - old.keys(), after),
        sized((path for path in new.keys() & old.keys() if new[path] != old[path]), after),
        sized(old.keys() - new.keys(), before),
    )
