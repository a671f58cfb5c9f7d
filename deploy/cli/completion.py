"""What a shell can complete on a command line: commands, options, and the values of options.

The shell passes the line up to the cursor, gets whole words, one a line, and shows those that begin
as the last one. Where it gets none it completes files.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.cli.invoke_patch import BARE
from deploy.cli.known_names import KnownNames
from deploy.cli.options import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROGRAMS = frozenset({"inv", "invoke", "changeover"})
OURS = frozenset({*EXAMPLES, "completion"})
LISTS = frozenset({"hosts", "skip-host"})
"""The options that take several names, comma-separated."""


def candidates(line: str, core: Any, commands: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words that the last one of the line may become.

    Args:
        line: As it is typed, up to the cursor.
        core: Invoke's parser context of its own options.
        commands: Those of the commands, by name.
    """
    found = _candidates(*words(line), core, commands)
    return tuple(each for each in found if each.isprintable())


def words(line: str) -> tuple[list[str], str]:
    """Return the words after the program that are complete, and the one at the cursor.

    It is empty after a space. Quotes are read as a POSIX shell does; one may still be open.
    """
    mark = "x"  # whatever the line ends with, this belongs to the word at the cursor
    split: list[str] = []
    for closing in ("", "'", '"'):
        with suppress(ValueError):
            split = shlex.split(f"{line}{mark}{closing}")
            break
    starts = [at for at, word in enumerate(split) if Path(word).name in PROGRAMS]
    after = split[starts[0] + 1 :] if starts else split[1:]
    return (after[:-1], after[-1].removesuffix(mark)) if after else ([], "")


def _candidates(
    before: Sequence[str], word: str, core: Any, commands: Mapping[str, Any]
) -> Sequence[str]:
    name, typed, waiting = _read(before, commands)
    context = commands.get(name)
    known = KnownNames(typed.get("settings"), typed.get("env"))
    if waiting:
        return _values(known, name, waiting, word)
    option, equals, part = word.partition("=")
    if equals and context and option in context.flags:
        values = _values(known, name, _long(context.flags[option]), part)
        return [f"{option}={value}" for value in values]
    given = {flag for each in typed for flag in _flags(context, each)}
    flags = [*context.flag_names(), "--help"] if context else core.flag_names()
    options = [flag for flag in flags if flag.startswith("--") and flag not in {*given} - {word}]
    if word.startswith("-"):
        own = context.flags.get(word) if context else None
        # Invoke's own scripts drop the space after an option.
        values = _values(known, name, _long(own), "") if own and own.takes_value else []
        return [*options, *values]
    if name not in OURS:
        return sorted(commands)
    bare = BARE.get(name) or next(map(_long, commands[name].positional_args), "")
    return [*known.of(bare), *options] if bare and bare not in typed else options


def _read(before: Sequence[str], commands: Mapping[str, Any]) -> tuple[str, dict[str, str], str]:
    """Return the last command, the options that it was given, and the one that waits for a value.

    Options are by their long name; one without a value has an empty one.
    """
    name, typed, waiting = "", dict[str, str](), ""
    for word in before:
        flags = commands[name].flags if name else {}
        option, equals, value = word.partition("=")
        if waiting:
            typed[waiting], waiting = word, ""
        elif option in flags:
            argument = flags[option]
            typed[_long(argument)] = value
            waiting = _long(argument) if argument.takes_value and not equals else ""
        elif word in commands:
            name, typed = word, {}
    return name, typed, waiting


def _long(argument: Any) -> str:
    """An option's long name, without dashes before it."""
    return str(argument.name).replace("_", "-")


def _flags(context: Any, name: str) -> tuple[str, ...]:
    """All that is typed for an option, by its long name: `--env` and `-e`."""
    names = context.args[name].names
    return tuple(f"--{each}" if len(each) > 1 else f"-{each}" for each in names)


def _values(known: KnownNames, command: str, option: str, word: str) -> list[str]:
    """The whole words that a value may become; of a list, its last name."""
    found = known.of(option) if command in OURS else ()
    if option not in LISTS:
        return list(found)
    first, comma, _ = word.rpartition(",")
    named = {each.strip() for each in first.split(",")}
    return [f"{first}{comma}{each}" for each in found if each not in named]
