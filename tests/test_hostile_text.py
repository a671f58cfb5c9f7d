"""Nothing that others wrote acts: not on a terminal, not on a CI runner, not on rich."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import hostile
import pytest
from inspect_output import acting, runner_commands

from deploy import ci_system
from lab import terminal

PROGRAM = "import hostile; hostile.main()"
# The same program with the wall removed: every value and stream as it is.
CONTROL = """
import json
from deploy import foreign_text
as_it_is = lambda value, most=0: str(value)
foreign_text.visible = foreign_text.line = foreign_text.lines = as_it_is
foreign_text.Lines.guarded = lambda self, text: text
foreign_text.json_text = lambda body: json.dumps(body, indent=2, ensure_ascii=False)
import sys
sys.stdout.reconfigure(errors="surrogatepass")
sys.stderr.reconfigure(errors="surrogatepass")
import hostile
out = sys.stdout
for name, source in hostile.SOURCES.items():
    for number in hostile.SOME:
        hostile.SOURCES = {name: source}
        try:
            hostile.main((hostile.TEXTS[number],))
        except Exception as error:
            print("raised", type(error).__name__)
        sys.stdout = sys.stderr = out
"""


def in_log(program: str, **more: str) -> str:
    """What a CI step's log gets of a program: both streams."""
    clean = {key: value for key, value in os.environ.items() if key not in ci_system.VARIABLES}
    own = clean | {"PYTHONPATH": f"{terminal.ROOT}:{terminal.ROOT / 'tests'}", **more}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=terminal.ROOT,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=120,
    )
    return ended.stdout.decode(errors="surrogateescape").replace("\ufffd", "")


def on_terminal(program: str, **more: str) -> str:
    """The bytes that a terminal gets of a program."""
    with terminal.Session(program, environ=more) as session:
        session.wait(120)
        return session.output


def findings(output: str, *, of_rich: bool) -> list[str]:
    """What in some output acts, hides or forges a line."""
    found = [f"{character} reached it" for character in acting(output, of_rich=of_rich)]
    found += [f"obeyed: {command}" for command in (runner_commands(output) if not of_rich else ())]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output) if of_rich else output
    found += re.findall(r"(?:\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x09\x0b-\x1f\x7f-\x9f])EVIL", output)
    found += [f"forged: {line[:40]}" for line in plain.split("\n") if line.startswith("EVIL")]
    return found


@pytest.fixture(scope="module")
def log() -> str:
    return in_log(PROGRAM)


@pytest.fixture(scope="module")
def screen() -> str:
    return on_terminal(PROGRAM, COLUMNS="200")


def test_every_source_was_seen_to_its_end(log: str, screen: str) -> None:
    for output in (log, screen):
        for name in hostile.SOURCES:
            assert output.count(f"@ {name}") == len(hostile.TEXTS)
        assert "@ end" in output
        assert "Traceback" not in output
        assert "MarkupError" not in output


def test_a_ci_log_holds_nothing_that_acts_and_no_runners_command(log: str) -> None:
    # What is printed by a library keeps its own line breaks; ours never does.
    ours, _, strays = log.partition("@ stray")
    assert findings(ours, of_rich=False) == []
    assert acting(strays) == []
    assert runner_commands(strays) == []


def test_a_terminal_gets_no_sequence_that_is_not_richs_own(screen: str) -> None:
    ours, _, strays = screen.partition("@ stray")
    assert findings(ours, of_rich=True) == []
    assert acting(strays, of_rich=True) == []


def test_a_value_is_cut_and_its_message_is_not(log: str) -> None:
    ours = log.partition("@ stray")[0]
    longest = max(len(found) for found in re.findall("z+", ours))
    assert 1000 < longest <= 4096
    assert "… (20,000 characters)" in ours
    assert re.search(r"z… \(20,\d\d\d characters\); if that lasts, check `ssh: user:`", ours)


def test_control_without_the_wall_each_source_is_found_out() -> None:
    output = in_log(CONTROL)
    for name in hostile.SOURCES:
        said = "".join(re.findall(rf"^@ {name}$(.*?)^@ ", output, re.MULTILINE | re.DOTALL))
        assert findings(said, of_rich=False) or "raised" in said, name


def test_control_a_terminal_without_the_wall_obeys() -> None:
    output = on_terminal(CONTROL)
    for name in ("survey_row", "ssh_peer", "lock_holder", "journal", "stray"):
        said = "".join(re.findall(rf"^@ {name}\r$(.*?)^@ ", output, re.MULTILINE | re.DOTALL))
        assert findings(said, of_rich=True), name
