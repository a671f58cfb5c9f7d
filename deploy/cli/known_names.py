"""The names that may follow an option, from the settings and past runs, without a network.

Cheap to import and to ask, since shell completion waits for it: the settings are read as YAML, and
not checked.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.events import names, runs
from deploy.path_checks import expanded
from deploy.settings import ownership, yaml_document
from deploy.settings.yaml_document import Document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RUNS = ".changeover/runs"
"""Where runs are kept unless the settings say otherwise, as `settings.environment` has it."""
MOST_RUN_IDS = 20
SHELLS = ("bash", "zsh", "fish")


class KnownNames:
    """The names of a project, each read when it is asked for."""

    def __init__(self, settings: str | None, environment: str | None) -> None:
        """Read nothing yet; both as they are typed so far, None where they are not."""
        self._file = expanded(settings) if settings else None
        self._environment = environment

    def of(self, option: str) -> tuple[str, ...]:
        """Return what an option may be given, by the option's name; empty where that is unknown.

        Raises:
            BadInput: The settings cannot be read.
        """
        known: dict[str, Callable[[], Iterable[str]]] = {
            "env": self._environments,
            "app": self._apps,
            "hosts": self._hosts,
            "host": self._hosts,
            "skip-host": self._hosts,
            "to": self._releases,
            "release": self._releases,
            "run": self._run_ids,
            "shell": self._shells,
        }
        return tuple(known[option]()) if option in known else ()

    @cached_property
    def _deploy(self) -> Document:
        file = self._file = self._file or ownership.nearest()
        return yaml_document.read(file).below("deploy") if file else Document({}, {})

    @cached_property
    def _chosen(self) -> Document:
        """The environment that was typed, with the file that it is from."""
        chosen = self._deploy.below("environments", self._environment or "")
        other = chosen.values.get("from")
        if self._file is None or not isinstance(other, str):
            return chosen
        return yaml_document.read(self._file.parent / expanded(other)).overlaid(chosen)

    def _environments(self) -> Iterable[str]:
        return self._deploy.below("environments").values

    def _apps(self) -> Iterable[str]:
        return self._chosen.below("apps").values or self._deploy.below("apps").values

    def _hosts(self) -> Iterable[str]:
        listed: Any = self._chosen.values.get("hosts")
        if isinstance(listed, list):
            return [each for each in listed if isinstance(each, str)]
        return self._past.hosts

    def _shells(self) -> Iterable[str]:
        return SHELLS

    def _releases(self) -> Iterable[str]:
        return self._past.releases

    def _run_ids(self) -> Iterable[str]:
        files = runs.kept(self._folder(name) for name in self._environments())
        return [file.parent.name.rpartition("-")[2] for file in files[-MOST_RUN_IDS:]]

    @property
    def _past(self) -> names.Names:
        return names.of_last_runs(self._folder(self._environment or ""), self._environment or "")

    def _folder(self, environment: str) -> Path:
        """Where an environment's runs are kept."""
        typed = self._deploy.below("environments", environment).values.get("runs")
        runs_folder = expanded(typed if isinstance(typed, str) else RUNS)
        return (self._file.parent if self._file else Path()) / runs_folder
