"""What output would do: to a terminal, by its bytes, and to CI runners, by their own rules."""

from __future__ import annotations

import re
import unicodedata

# What rich writes of its own: colours, cursor moves and erasures of the live region.
OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\x1b\[2K|\r(?=\x1b|\n)")
ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
GITHUB_COMMANDS = {
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
}
# .NET's comparison by culture passes over characters without weight.
WEIGHTLESS = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)


def acting(output: str, *, of_rich: bool = False) -> list[str]:
    """The characters in some output that act on a terminal or hide, but line breaks.

    of_rich: leave out the sequences that rich itself writes to a terminal.
    """
    rest = OURS.sub("", output) if of_rich else output
    return [f"U+{ord(c):04X}" for c in rest if c != "\n" and unicodedata.category(c) in ACTING]


def runner_commands(output: str) -> list[str]:
    """The lines of a step's output that GitHub's or Azure's runner would obey."""
    # StreamReader.ReadLine ends lines so (actions/runner, src/Runner.Sdk/ProcessInvoker.cs).
    lines = re.split(r"\r\n|\r|\n", output)
    return [line for line in lines if _github(line) or _azure(line) or _teamcity(line)]


def _github(line: str) -> bool:
    """actions/runner, src/Runner.Common/ActionCommand.cs: TryParseV2, then TryParse."""
    plain = WEIGHTLESS.sub("", line)
    trimmed = plain.lstrip()
    if trimmed.startswith("::") and (end := trimmed.find("::", 2)) >= 0:
        name = trimmed[2:end].partition(" ")[0]
        if name.lower() in GITHUB_COMMANDS:
            return True
    start = plain.find("##[")
    end = plain.find("]", start)
    if start < 0 or end < 0:
        return False
    return plain[start + 3 : end].partition(" ")[0].lower() in GITHUB_COMMANDS


def _azure(line: str) -> bool:
    """microsoft/azure-pipelines-agent, src/Microsoft.VisualStudio.Services.Agent/Command.cs.

    Its web page also draws `##[section]` and the like, wherever they are.
    """
    plain = WEIGHTLESS.sub("", line)
    if re.search(r"##\[\w+\]", plain):
        return True
    start = plain.find("##vso[")
    end = plain.find("]", start)
    if start < 0 or end < 0:
        return False
    name = plain[start + 6 : end].partition(" ")[0]
    return len([part for part in name.split(".") if part]) == 2


def _teamcity(line: str) -> bool:
    return "##teamcity[" in line
