"""One table of exit codes in the code, one in the docs: they say the same."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from deploy import errors
from deploy.run.report import MEANINGS, STATUS_MEANINGS, ExitCode

DOCS = Path(__file__).parent.parent / "docs" / "exit-codes.md"


def test_the_docs_hold_the_codes_table() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    of_status = {
        code: f"; for `inv status`: {text}"
        for code, text in STATUS_MEANINGS.items()
        if text != MEANINGS[code]
    }
    assert [(int(code), meaning) for code, meaning in rows] == [
        (int(code), MEANINGS[code] + of_status.get(code, "")) for code in ExitCode
    ]


def test_every_code_has_a_meaning_and_errors_use_them() -> None:
    assert set(MEANINGS) == set(ExitCode)
    assert errors.DeployError.exit_code == ExitCode.FAILED
    assert errors.BadInput.exit_code == ExitCode.BAD_INPUT
    assert errors.Locked.exit_code == ExitCode.LOCKED


def test_signals_have_the_shells_codes() -> None:
    for number, code in (
        (signal.SIGHUP, ExitCode.HANGUP),
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.TERMINATED),
    ):
        assert int(code) == 128 + number
