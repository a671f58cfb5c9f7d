r"""The commands that CI systems read in a step's log, as lines to write past the guard. Pure.

- GitHub: docs.github.com, "Workflow commands": `::group::`, `::error title=…::`; what the runner
  decodes in a value is in actions/runner, src/Runner.Common/ActionCommand.cs.
- GitLab: docs.gitlab.com, "CI/CD job logs": `\e[0Ksection_start:<time>:<name>\r\e[0K<title>`.
- Azure Pipelines: learn.microsoft.com, "Logging commands": `##[group]`, `##vso[task.logissue …]`;
  what the agent decodes is in azure-pipelines-agent,
  src/Microsoft.VisualStudio.Services.Agent/Command.cs.

Every value passes through `foreign_text` first, as all text in a log does: then it can begin no
command, and has no escape character, without which GitLab reads no section. What is left is what
the systems decode in a value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy import ci_system
from deploy.foreign_text import Lines, line

if TYPE_CHECKING:
    from collections.abc import Mapping

ERASE = "\x1b[0K"
_DECODED_BY_AZURE = re.compile(r"%(?=0[AD]|3B|5D|AZP25|VSTS)", re.IGNORECASE)


class Dialect:
    """The commands of a CI system; this one has none: each is empty."""

    def begin(self, title: str, name: str, at: float) -> str:
        """Begin a group; name: without white space, of one group alone; at: unix seconds."""
        del title, name, at
        return ""

    def end(self, name: str, at: float) -> str:
        """End the group of this name."""
        del name, at
        return ""

    def error(self, title: str, text: str) -> str:
        """Report an error beside the log; text: one line or more."""
        del title, text
        return ""


class GitHub(Dialect):
    """GitHub Actions, and what runs its workflows elsewhere."""

    def begin(self, title: str, name: str, at: float) -> str:
        """Groups have no name."""
        del name, at
        return f"::group::{self._data(line(title))}"

    def end(self, name: str, at: float) -> str:
        """The group that was begun last."""
        del name, at
        return "::endgroup::"

    def error(self, title: str, text: str) -> str:
        """An annotation, on the page of the run."""
        name = self._data(line(title)).replace(":", "%3A").replace(",", "%2C")
        return f"::error title={name}::{self._data(text)}"

    @staticmethod
    def _data(text: str) -> str:
        return _guarded(text).replace("%", "%25").replace("\n", "%0A")


class GitLab(Dialect):
    """GitLab, which has no annotations in logs."""

    def begin(self, title: str, name: str, at: float) -> str:
        """A section, which the page can fold and measures."""
        return f"{ERASE}section_start:{at:.0f}:{name}\r{ERASE}{_guarded(line(title))}"

    def end(self, name: str, at: float) -> str:
        """Sections end by their names."""
        return f"{ERASE}section_end:{at:.0f}:{name}\r{ERASE}"


class Azure(Dialect):
    """Azure Pipelines."""

    def begin(self, title: str, name: str, at: float) -> str:
        """Groups have no name."""
        del name, at
        return f"##[group]{_guarded(line(title))}"

    def end(self, name: str, at: float) -> str:
        """The group that was begun last."""
        del name, at
        return "##[endgroup]"

    def error(self, title: str, text: str) -> str:
        """An issue, on the page of the run; it has no title of its own."""
        said = _DECODED_BY_AZURE.sub(r"\\x25", _guarded(f"{line(title)}: {text}"))
        return f"##vso[task.logissue type=error]{said}".replace("\n", "%0A")


PLAIN = Dialect()
_DIALECTS = {ci_system.GITHUB: GitHub(), ci_system.GITLAB: GitLab(), ci_system.AZURE: Azure()}


def of(environ: Mapping[str, str]) -> Dialect:
    """The commands of the CI system that runs this; none of any other, and outside of CI."""
    system = ci_system.running(environ)
    return _DIALECTS.get(system, PLAIN) if system else PLAIN


def _guarded(text: str) -> str:
    return Lines(for_terminal=False).guarded(text)
