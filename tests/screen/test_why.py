"""Of a journal the one line that says why; what is chosen for real services' last words."""

from __future__ import annotations

import pytest

from deploy.screen.run import why

AT = "2026-11-22T23:04:03+0000 host-1"
STARTED = f"{AT} systemd[1]: Started web@5000.service - web on port 5000."
EXITED = f"{AT} systemd[1]: web@5000.service: Main process exited, code=exited, status=1/FAILURE"
FAILED = f"{AT} systemd[1]: web@5000.service: Failed with result 'exit-code'."

JOURNALS: dict[str, tuple[list[str], str]] = {
    "ASP.NET Core": (
        [
            STARTED,
            f"{AT} web[660]: Unhandled exception. System.InvalidOperationException: no database",
            f"{AT} web[660]:  ---> Npgsql.NpgsqlException (0x80004005): Failed to connect",
            f"{AT} web[660]:    at Npgsql.Internal.NpgsqlConnector.Open()",
            f"{AT} web[660]:    --- End of inner exception stack trace ---",
            f"{AT} web[660]:    at Program.Main(String[] args)",
            EXITED,
            FAILED,
        ],
        "23:04:03 web[660]:  ---> Npgsql.NpgsqlException (0x80004005): Failed to connect",
    ),
    ".NET without ICU, whose stack trace stands below": (
        [
            STARTED,
            f"{AT} web[5322]: Process terminated. Couldn't find a valid ICU package installed on "
            "the system. Please install libicu and try again.",
            f"{AT} web[5322]:    at System.Environment.FailFast(System.String)",
            "(31 lines left out)",
            f"{AT} web[5322]:    at Program.Main(System.String[])",
            f"{AT} systemd[1]: web@5000.service: Main process exited, code=killed, status=6/ABRT",
        ],
        "23:04:03 web[5322]: Process terminated. Couldn't find a valid ICU package installed on "
        "the system. Please install libicu and try again.",
    ),
    "Go": (
        [
            STARTED,
            f"{AT} web[7]: panic: no database",
            f"{AT} web[7]: ",
            f"{AT} web[7]: goroutine 1 [running]:",
            "(90 lines left out)",
            EXITED,
        ],
        "23:04:03 web[7]: panic: no database",
    ),
    "Python": (
        [
            f"{AT} web[7]: Traceback (most recent call last):",
            f'{AT} web[7]:   File "/srv/web/current/app.py", line 3, in <module>',
            f"{AT} web[7]:     raise ValueError('no key')",
            f"{AT} web[7]: ValueError: no key",
            EXITED,
        ],
        "23:04:03 web[7]: ValueError: no key",
    ),
    "Node.js": (
        [
            f"{AT} web[7]: node:internal/modules/cjs/loader:1143",
            f"{AT} web[7]: Error: Cannot find module '/srv/web/current/server.js'",
            f"{AT} web[7]:     at Module._resolveFilename (node:internal/modules:1140:15)",
            f"{AT} web[7]: Node.js v20.9.0",
            EXITED,
        ],
        "23:04:03 web[7]: Error: Cannot find module '/srv/web/current/server.js'",
    ),
    "a port in use": (
        [f"{AT} web[7]: listen tcp :5000: bind: address already in use", EXITED, FAILED],
        "23:04:03 web[7]: listen tcp :5000: bind: address already in use",
    ),
    "nothing but systemd": (
        [STARTED, EXITED, FAILED],
        "23:04:03 systemd[1]: web@5000.service: Main process exited, code=exited, status=1/FAILURE",
    ),
    "no sign of an error": (
        [STARTED, f"{AT} web[7]: warming up", f"{AT} web[7]: listening on port 5000"],
        "23:04:03 web[7]: listening on port 5000",
    ),
    "another format": (["boom: it broke"], "boom: it broke"),
    "nothing": ([], ""),
    "blank lines": (["", " "], ""),
}


@pytest.mark.parametrize("name", JOURNALS)
def test_the_line_that_says_why_is_found(name: str) -> None:
    journal, expected = JOURNALS[name]
    assert why.line(journal) == expected
