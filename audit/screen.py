"""The wall between foreign text and whatever reads what Changeover prints.

Random hostile text goes through the streams that every `print` and rich's plain output use, in
pieces of random length, once as to a terminal and once as to a CI log. Nothing may be left that
acts on a terminal, begins a line, or is a command of GitHub's, Azure's or TeamCity's.
"""

from __future__ import annotations

import random
import re
import unicodedata
from typing import TYPE_CHECKING, Protocol

from audit.wall import Attempt, Wall
from deploy.foreign_text import MOST_CHARACTERS, Lines, visible

if TYPE_CHECKING:
    from collections.abc import Callable

INPUTS = 200_000
CONTROL_INPUTS = 2_000
PER_STREAM = 20
ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# What .NET's comparison by culture passes over, some of it of no acting category.
WEIGHTLESS = re.compile(r"[\xad\u034f\u115f\u3164\u200b-\u200f\u2060-\u206f\ufe00-\ufe0f\ufeff]")
# actions/runner, src/Runner.Common/ActionCommand.cs; microsoft/azure-pipelines-agent,
# src/Microsoft.VisualStudio.Services.Agent/Command.cs: whatever the command is called.
COMMAND = re.compile(r"##\[[^]]*\]|##vso\[[^]]*\]|##teamcity\[|^\s*::.*?::", re.MULTILINE)
PARTS = (
    *("\x1b", "\x1b[", "\x1b]0;", "\x07", "\x9b", "\x9d", "\x90", "\r", "\n", "\r\n", "\t", "\x08"),
    *("::", ":", "##", "#", "#[", "##[", "##vso[", "##teamcity[", "]", "::error::", "::add-mask::"),
    *("stop-commands", "task.setvariable variable=a", "group", " ", "\u00a0", "\u3000", "\x85"),
    *("\xad", "\u200b", "\u034f", "\ufe0f", "\ufeff", "\u202e", "\u2066", "\u2028", "\U000e0001"),
    *("\ud800", "\udcff", "\u0301" * 9, "[/x]", "[bold]", "web-1", "a", "\x00", "\x7f", "2J", "1A"),
)


class Sink(Protocol):
    """What a stream does with each piece that is written to it."""

    def guarded(self, text: str) -> str:
        """The text that goes on."""


class _NoWall:
    def guarded(self, text: str) -> str:
        return text


def fuzz(
    inputs: int,
    sink: Callable[[bool], Sink],
    value: Callable[[str], str],
    seed: int = 6,
) -> Attempt:
    """Send random text through streams and values; what of it still acts."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    findings: list[str] = []
    for number in range(0, inputs, PER_STREAM):
        for_terminal = bool(number // PER_STREAM % 2)
        stream, got = sink(for_terminal), list[str]()
        for _ in range(PER_STREAM):
            text = "".join(chance.choices(PARTS, k=chance.randint(1, 12)))
            findings += _acting_value(text, value(text))
            cuts = sorted(chance.choices(range(len(text) + 1), k=2))
            pieces = (text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] :], "\n")
            got += [stream.guarded(piece) for piece in pieces]
        findings += _acting_stream("".join(got), for_terminal=for_terminal)
    longest = value("\x1b" * (MOST_CHARACTERS + 1))
    if len(longest) > MOST_CHARACTERS:
        findings.append(f"a value of {len(longest):,} characters")
    return Attempt(inputs, tuple(findings), f"each value at most {MOST_CHARACTERS:,} characters")


def _acting_value(text: str, shown: str) -> list[str]:
    found = [f"{text!a}: {shown!a}" for _ in range(1) if _acts(shown) or "\n" in shown]
    if visible(shown) != shown:
        found.append(f"{text!a}: not the same when shown twice")
    return found


def _acting_stream(output: str, *, for_terminal: bool) -> list[str]:
    found = [f"acts: {output[:80]!a}"] if _acts(output) else []
    if not for_terminal:
        read = WEIGHTLESS.sub("", output)
        found += [f"obeyed: {command!a}" for command in COMMAND.findall(read)]
    return found


def _acts(text: str) -> bool:
    return any(c != "\n" and unicodedata.category(c) in ACTING for c in text)


def attack(inputs: int = INPUTS) -> Attempt:
    """Attack the product's own streams and values."""
    return fuzz(inputs, lambda for_terminal: Lines(for_terminal=for_terminal), visible)


def control(inputs: int = CONTROL_INPUTS) -> Attempt:
    """The same, with text written as it is."""
    return fuzz(inputs, lambda _: _NoWall(), str)


WALLS = (Wall("foreign text on the screen and in CI logs", attack, control),)
