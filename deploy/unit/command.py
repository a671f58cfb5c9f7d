"""Parses a command of the settings into words; shell syntax in it is refused. Pure."""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import PurePosixPath

# As shells, unit files and Procfiles write a variable: `$PORT`, `${Port}`, and as a word or the end
# of one `$port`. A `$` elsewhere, as in a pattern or a password, is a plain character.
_VARIABLE = re.compile(
    r"\$(?:\{(\w+)[^}]*\}|([A-Z_][A-Z0-9_]*)\b)|(?:(?<=^)|(?<=[=:/,@]))\$([A-Za-z_]\w*)(?=$|[:/,])"
    r"|(?:(?<=^)|(?<=[=:/,@]))%([A-Z_][A-Z0-9_]+)%"
)
_PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z_]\w*)\}")
_MARKUP = re.compile(
    r"\{\{\s*(\w+)\s*\}\}|<(port)>|\{\s+(port)\s*\}|\$\{\{([^}]*)\}\}"
    r"|#\{([A-Za-z][\w.\[\]]*)\}#?",
    re.IGNORECASE,
)
# In a value that no shell reads: what shells, Compose, CI systems, Octopus and templates replace.
_UNREPLACED = re.compile(
    r"\$\{\{[^}]*\}\}|\$\{[A-Z_][A-Z0-9_]*(?::?[-?+][^}]*)?\}|\{\{\s*[\w.]+\s*\}\}"
    r"|#\{[A-Za-z][\w.\[\]]*\}#?|\b__[A-Z][A-Z0-9_]*__\b|^(?:\$[A-Za-z_]\w*|\$\{\w+\}|\$\([\w.]+\)|%[A-Z_][A-Z0-9_]+%)$"
)
_NOTATIONS = (
    *(("${{", "}}"), ("${", "}"), ("{{", "}}"), ("#{", "}")),
    *(("__", "__"), ("$(", ")"), ("$", ""), ("%", "%")),
)
_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh")
PATTERN = (
    rf"^(\S*/)?({'|'.join(_SHELLS)})(\s|$)"
    r"|^(?!.*(\$\{\w|\$[A-Z_][A-Z0-9_]*\b|\{(?!port\})[A-Za-z_]\w*\}))"
)
"""The same for editors, as nearly as one pattern can say it: quotes and shell syntax are left."""

_QUOTED = re.compile(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
_LITERAL = re.compile(r"\\.|'[^']*'", re.DOTALL)
_OPERATOR = re.compile(r"(?:[0-9]*|&)(?:>{1,2}|<{1,3})\S*|&&|\|\|?&?|;{1,2}|&|\(|\)")
# What word processors and web pages write for a hyphen, a quote or a space: outside of quotes, at
# the start of a word or anywhere.
_TYPESET = re.compile(
    r"(?<!\S)-?[\u2010-\u2015\u2212]|(?<![^\s=])[\u2018\u201c-\u201e\u00ab]"
    r"|[\u00a0\u00ad\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000\ufeff]"
)
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=\S*")
BUILTINS = frozenset(
    {".", "cd", "eval", "exec", "export", "for", "if", "set", "source", "ulimit", "umask", "while"}
)
"""Words that only a shell understands as the first one of a command."""

_FLAGS = {
    "python": {"-u", "-B", "-O", "-OO", "-I", "-E", "-s", "-S", "-b", "-q", "-v"},
    "node": {"--enable-source-maps", "--no-warnings", "--trace-warnings", "--expose-gc"},
    "ruby": {"-w"},
    "perl": {"-w", "-T"},
    "php": set[str](),
    "shell": {"-e", "-u", "-x", "-eu", "-ex", "-eux", "-l"},
    "dotnet": {"exec"},
    "java": {"-server", "-ea", "-jar"},
}
"""Options of interpreters that take no value; beyond these it is not known where the script is."""

_WRAPPERS: dict[str, frozenset[str]] = {
    "catatonit": frozenset(),
    "dumb-init": frozenset({"-r", "--rewrite"}),
    "ionice": frozenset({"-c", "-n", "--class", "--classdata"}),
    "nice": frozenset({"-n", "--adjustment"}),
    "nohup": frozenset(),
    "setsid": frozenset(),
    "stdbuf": frozenset({"-i", "-o", "-e", "--input", "--output", "--error"}),
    "tini": frozenset({"-p", "-e"}),
    "tini-static": frozenset({"-p", "-e"}),
}
"""Programs that start another one; for each its options whose value is the next word."""

_BACKGROUND = {
    "gunicorn": (r"--daemon|-D", "leave it out"),
    "uwsgi": (r"--daemonize2?(=.*)?|-d|daemonize=.*", "leave it out"),
    "pm2": (r"start|startOrRestart|startOrReload|reload|restart", "write pm2-runtime"),
    "forever": (r"start", "leave it out"),
}
"""Programs that end when they have started another; by which word, and what to write."""


def checked(command: str) -> str:
    """Return the command; ValueError for what only a shell would replace or understand.

    Variables, placeholders that are not `{port}`, and operators such as `&&`. What a shell is given
    in quotes is the shell's to read: `sh -c 'exec ./web --port $PORT'`.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return command  # an open quote, which is refused where the words are needed
    if found := _MARKUP.search(command):
        name = next(group for group in found.groups() if group is not None)
        right = "{port}" if name.strip().lower().endswith("port") else "its value"
        raise ValueError(f"holds {found[0]}, which nothing replaces; write {right}")
    if re.match(r"\S*\\\w", command):
        raise ValueError("begins with a path as Windows writes it; write slashes, like ./web")
    _refuse_syntax(command)
    if words and is_shell(words[0]):
        return command
    for word in words:
        if found := _VARIABLE.search(word):
            name = next(group for group in found.groups() if group)
            is_port = name.lower().endswith("port")
            right = "{port}" if is_port else f"its value, or sh -c 'exec … {found[0]}'"
            raise ValueError(
                f"holds {found[0]}, which no shell replaces: the program would be given these "
                f"characters; write {right}"
            )
        unknown = [name for name in _PLACEHOLDER.findall(word) if name != "port"]
        if unknown:
            raise ValueError(
                f"holds {{{unknown[0]}}}, which nothing replaces; only {{port}} is known: write "
                "the value itself"
            )
    return command


def background(words: tuple[str, ...]) -> str:
    """Return why a command puts a server into the background, and the remedy; or empty."""
    names = [PurePosixPath(word).name for word in words[:3]]
    for name, (pattern, remedy) in _BACKGROUND.items():
        if name in names and "--no-daemon" not in words:
            found = next((word for word in words if re.fullmatch(pattern, word)), "")
            if found:
                return f"{name} {found}; {remedy}"
    return ""


def unreplaced(value: str) -> str:
    """How a variable's value writes another one, which nothing puts in; empty where it has none.

    The notation alone, such as `${…}`: the rest of the value may be a secret.
    """
    found = _UNREPLACED.search(value)
    if not found:
        return ""
    start, end = next(each for each in _NOTATIONS if found[0].startswith(each[0]))
    return f"{start}…{end}"


def _refuse_syntax(command: str) -> None:
    """Raise ValueError for what is typeset, or meant for a shell, outside of quotes."""
    if found := _TYPESET.search(_QUOTED.sub(lambda each: "q" * len(each[0]), command)):
        raise ValueError(
            f"holds U+{ord(found[0][-1]):04X} ({unicodedata.name(found[0][-1]).lower()}), as "
            "word processors and web pages have it, and the program would be given that; type a "
            "plain -, quote or space"
        )
    words = _QUOTED.sub(lambda found: "q" * len(found[0]), command).split()
    if words and (found := _ASSIGNMENT.fullmatch(words[0])):
        raise ValueError(
            f"begins with {found[1]}=, which only a shell understands; write the variable under "
            "`environment:`"
        )
    unquoted = _LITERAL.sub("", command)
    is_replaced = next((each for each in ("$(", "`") if each in unquoted), "")
    if operator := is_replaced or next(filter(None, map(_operator, words, [*words[1:], ""])), ""):
        raise ValueError(
            f"holds {operator}, which only a shell understands, and the command runs without one: "
            "write it into a script of the package, or sh -c '… && exec ./web'; the program's own "
            "words stand in quotes"
        )
    home = next((word for word in words if word == "~" or word.startswith("~/")), "")
    if home:
        raise ValueError(
            f"holds {home}, which no shell replaces; write a path of the package, or an absolute "
            "one on the host"
        )


def _operator(word: str, following: str) -> str:
    """The shell's operator that a word is, or ends with; empty where it is none."""
    if _OPERATOR.fullmatch(word):
        return word
    if following and word.endswith(";") and word.count(";") == 1:
        return ";"
    return "&" if not following and len(word) > 1 and word.endswith("&") else ""


def program_and_script(words: tuple[str, ...]) -> tuple[str, str]:
    """The program that a command starts, through `env` and wrappers, and the file it runs.

    The file is empty where the program is no interpreter, or where it is not known which word it
    is; a runtime's own search for it is not followed.
    """
    first, *rest = _unwrapped(words)
    kind = _kind(PurePosixPath(first).name)
    if kind is None:
        return first, ""
    is_jar = kind != "java"
    for word in rest:
        if not word.startswith("-") and word not in _FLAGS[kind]:
            is_script = is_jar and (kind != "dotnet" or word.endswith(".dll"))
            return first, word if is_script else ""
        is_jar = is_jar or word == "-jar"
        is_known = "=" in word or word in _FLAGS[kind] or re.match(r"-X(mx|ms|ss|X:)|-D", word)
        if not is_known:
            break
    return first, ""


def _unwrapped(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words of the program that wrappers start; a wrapper's own where that is unclear."""
    first, rest = PurePosixPath(words[0]).name, list(words[1:])
    if first == "env":
        while rest and _ASSIGNMENT.fullmatch(rest[0]):
            rest.pop(0)
        is_clear = bool(rest) and not rest[0].startswith("-")
    elif first in _WRAPPERS:
        while rest and rest[0].startswith("-"):
            option = rest.pop(0)
            if option == "--":
                break
            if option in _WRAPPERS[first]:
                del rest[:1]
        is_clear = bool(rest)
    else:
        return words
    return _unwrapped(tuple(rest)) if is_clear else words


def is_shell(program: str) -> bool:
    """Whether a program is a shell, by its name."""
    return PurePosixPath(program).name in _SHELLS


def _kind(name: str) -> str | None:
    """What kind of interpreter a program's name is: python3.11 is `python`."""
    if name in _SHELLS:
        return "shell"
    plain = re.sub(r"[0-9.]+$", "", name)
    plain = "node" if plain == "nodejs" else plain
    return plain if plain in _FLAGS else None
