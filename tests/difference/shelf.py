"""Hosts that show what lies on them of releases and units, and are asked nothing else."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from deploy.command_result import CommandResult
from deploy.package import manifest
from deploy.package.manifest import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.hosts.scripts.script import Script

T = TypeVar("T")


def files(release: str, contents: Mapping[str, int]) -> tuple[File, ...]:
    """Files by path and bytes; their digests are those of the release's name and the path."""
    return tuple(
        File(path, manifest.text_digest(f"{release} {path}".encode()), size, executable=False)
        for path, size in contents.items()
    )


def listed(of: Iterable[File]) -> bytes:
    """The manifest that a host stores of them."""
    return manifest.write(of, "0" * 64).encode()


@dataclass
class Shelf:
    """A host.

    Attributes:
        releases: The files of releases, by release.
        units: The texts of files, by path.
        asked: What it was asked for, in order: the app, releases and files.
        lies: Bytes that it adds to whatever it shows.
        error: What it fails with when it is asked.
    """

    releases: dict[str, tuple[File, ...]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    lies: bytes = b""
    error: Exception | None = None

    def ask(self, script: Script[T], timeout_seconds: float, most_bytes: int) -> T:
        """What `show_stored` prints of it."""
        del timeout_seconds, most_bytes
        if self.error:
            raise self.error
        (show,) = script.programs
        assert show.name == "show_stored"
        app, _, count, *names = show.arguments
        self.asked.append((app, *names))
        texts: dict[str, bytes] = {}
        for number, name in enumerate(names):
            if number >= int(count):
                if name in self.units:
                    texts[f"file {number - int(count)}"] = self.units[name].encode()
            elif name in self.releases:
                found = self.releases[name]
                texts[f"manifest {number}"] = listed(found)
                sizes = "".join(f"{file.size} {file.path}\n" for file in found)
                texts[f"sizes {number}"] = sizes.encode()
        lines = (
            f"{name}\t{base64.b64encode(text + self.lies).decode()}" for name, text in texts.items()
        )
        return script.parse(CommandResult("", 0, "\n".join([*lines, ""]), ""))


def stored(release: str, of: Iterable[File]) -> dict[str, Any]:
    """The settings of a slot that has a release with these files."""
    return {"manifests": {release: manifest.text_digest(listed(of))}}
