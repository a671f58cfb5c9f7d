"""Whatever is typed, a command runs or refuses it in one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.cli import tasks
from deploy.cli.options import EXAMPLES, OPTIONS, SHORT
from guard import damage, examples, projects
from guard.command import check, run

if TYPE_CHECKING:
    from invoke.parser import Argument

    from guard.conftest import Ground


def _flags(argument: Argument) -> list[str]:
    return [f"{'-' if len(name) == 1 else '--'}{name.replace('_', '-')}" for name in argument.names]


SAFE = (
    *("deploy", "rollback", "restart", "repair", "status", "observe", "logs", "history", "report"),
    *("promote", "abort", "lock.status", "lock.break", "watch"),
)
LOOKING = {
    "status",
    "watch",
    "logs",
    "history",
    "report",
    "promote",
    "abort",
    "lock.status",
    "lock.break",
}
VALUES = (
    *(
        "lab",
        "web",
        "lab",
        "web",
        "web-1.example.com",
        "web-1.example.com,",
        ",",
        ",,",
        " ",
        "''",
        "--",
        "-",
    ),
    *(
        "1",
        "25%",
        "1,50%",
        "0",
        "101%",
        "1,,2",
        "-1",
        "1.5",
        "²",
        "٣",
        "٣%",
        "10%%",
        "%",
        "90s",
        "15m",
        "2h",
    ),
    *(
        "9" * 30 + "h",
        "1d",
        "1h30m",
        "-5s",
        "∞",
        "packages/web.1.2.3.zip",
        "packages",
        "1.2.3",
        "1.2.3-x+y",
    ),
    *(
        "2.0.0",
        "web.1.2.3.zip",
        "/dev/null",
        "/etc",
        "1.2.3-0123456789ab",
        "..",
        "fabric.yaml",
        "more.yaml",
    ),
    *(
        "*",
        "?",
        "[a",
        "i-00000000000000005",
        "web-1.example.com/i-0",
        "WEB",
        "wbe",
        "x" * 3000,
        "\udcff",
        "é",
    ),
    *(
        "\x1b[2J",
        "a\nb",
        "::error::x",
        "##[error]x",
        "$(id)",
        "${HOME}",
        "{port}",
        "%s",
        "--yes",
        "-y",
        "=x",
    ),
    *damage.WORDS,
)
"""\\udcff is what Python makes of a byte that is no UTF-8; a command line holds no NUL."""
VALUE = st.sampled_from([value for value in VALUES if "\0" not in value])
FLAGS = [f"--{name.replace('_', '-')}" for name in OPTIONS] + [
    f"-{each}" for each in SHORT.values()
]
OWN_FLAGS = {
    name: [flag for argument in tasks.namespace[name].get_arguments() for flag in _flags(argument)]
    for name in SAFE
}
SWITCHES = {name for name, option in OPTIONS.items() if option.default is False} | {"y", "n", "f"}
OTHER_FLAGS = (
    *(
        "--help",
        "-h",
        "--nonsense",
        "-x",
        "--env=",
        "--env=lab",
        "-e=lab",
        "-elab",
        "--no-yes",
        "---",
    ),
    *(
        "--dry",
        "-R",
        "-T",
        "--command-timeout",
        "--list",
        "--list-format",
        "--list-depth",
        "-l",
        "-F",
    ),
    *("--version", "-V", "--complete", "--print-completion-script", "--prompt-for-sudo-password="),
)


@st.composite
def words(draw: st.DrawFn) -> list[str]:
    """A command line: most often a command with its environment, then options and values."""
    line = [draw(st.sampled_from(SAFE))]
    if draw(st.integers(0, 3)):
        line += ["--env", "lab"]
    if line[0] not in LOOKING and draw(st.integers(0, 3)):
        line += ["--dry-run"]
    for _ in range(draw(st.integers(0, 3))):
        flag = draw(st.sampled_from(OWN_FLAGS[line[0]]))
        takes_value = flag.lstrip("-").replace("-", "_") not in SWITCHES
        piece = [flag, draw(VALUE)] if takes_value else [flag]
        odd = draw(st.integers(0, 9))
        if odd == 0:
            piece = [draw(st.sampled_from(OTHER_FLAGS))]
        elif odd == 1:
            piece = [draw(VALUE)]
        elif odd == 2:
            piece = [f"{flag}={draw(VALUE)}"]
        elif odd == 3:
            piece = [draw(st.sampled_from(FLAGS)), draw(VALUE)]
        line += piece
    return line if draw(st.integers(0, 9)) else draw(st.permutations(line))


@examples.of_each
@given(line=words())
def test_odd_options_are_taken_or_refused(ground: Ground, line: list[str]) -> None:
    projects.lay_out(ground, projects.LEAST)
    ended = check(run(*line))
    assert ended.code in {0, 1, 2, 3, 5, 6}


NOBODY = "~nobody-of-this-name/x"
OF_NOBODY = [
    (name, flag)
    for name, flags in OWN_FLAGS.items()
    for flag in flags
    if flag.startswith("--") and flag.lstrip("-").replace("-", "_") not in SWITCHES
]


@pytest.mark.parametrize(("name", "flag"), OF_NOBODY, ids=map(" ".join, OF_NOBODY))
def test_a_home_of_nobody_is_refused_under_every_option(
    ground: Ground, name: str, flag: str
) -> None:
    projects.lay_out(ground, projects.LEAST)
    own = OWN_FLAGS[name]
    needed = ["--env", "lab"] if "--env" in own else []
    dry = ["--dry-run"] if "--dry-run" in own else []
    check(run(name, *needed, *dry, flag, NOBODY))


def test_an_events_file_of_nobody_is_refused_in_words(ground: Ground) -> None:
    projects.lay_out(ground, projects.LEAST)
    ended = check(run("report", "--file", NOBODY))
    assert ended.code == 2
    assert f"{NOBODY}: there is no user whose home that would be" in ended.err


def test_control_a_valid_command_line_is_run(ground: Ground) -> None:
    projects.lay_out(ground, projects.LEAST)
    ended = check(run("deploy", "--env", "lab", "--dry-run", "--allow-downtime", "--batch", "1"))
    assert ended.code == 0
    others = {"check", "init"}  # which ask for more than is on paper
    assert set(SAFE) == set(EXAMPLES) - others
