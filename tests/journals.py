"""A journal on this machine: a file of lines, and a `journalctl` that shows them as systemd's does.

It knows the options that Changeover gives it, and ends with an error for others.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """\
#!{python}
import json, sys, time
from pathlib import Path

journal, asked = Path({journal!r}), Path({asked!r})
with asked.open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
options, matches, units = {{}}, [], set()
for word in sys.argv[1:]:
    name, _, value = word.partition("=")
    if name == "--unit":
        units.add(value)
    elif name.startswith("--"):
        options[name] = value
    else:
        matches.append(value)
known = {{"--quiet", "--no-pager", "--all", "--output", "--output-fields", "--lines", "--since"}}
known |= {{"--after-cursor", "--grep", "--follow", "--no-tail", "--field"}}
if set(options) - known:
    sys.exit(f"unrecognized option {{set(options) - known}}")


def lines():
    return [json.loads(line) for line in journal.read_text().splitlines()]


def place(cursor):
    return int(cursor.split(";")[1][2:], 16)


if "--field" in options:
    print("\\n".join({{each.get(options["--field"], "") for each in lines()}}))
    sys.exit()
if options.get("--grep") == "(":
    sys.exit('Bad pattern "(": missing closing parenthesis')
after = place(options["--after-cursor"]) if "--after-cursor" in options else 0
since = float(options["--since"][1:]) * 1e6 if "--since" in options else 0


def new():
    global after
    found = [
        each
        for each in lines()
        if place(each["__CURSOR"]) > after
        and int(each["__REALTIME_TIMESTAMP"]) >= since
        and each["_SYSTEMD_UNIT"] in units
        and options.get("--grep", "") in each["MESSAGE"]
        and (not matches or each.get("CHANGEOVER_RELEASE") in matches)
    ]
    after = max([after, *(place(each["__CURSOR"]) for each in found)])
    return found


found = new()
if "--lines" in options and "--no-tail" not in options:
    found = found[max(0, len(found) - int(options["--lines"])):]
while True:
    for each in found:
        print(json.dumps(each), flush=True)
    if "--follow" not in options:
        break
    time.sleep(0.02)
    found = new()
"""


class Journal:
    """One host's journal."""

    def __init__(self, folder: Path) -> None:
        """Put `journalctl` into the folder's `bin`."""
        self._file, self._asked = folder / "journal", folder / "journal.asked"
        self._file.touch()
        self._asked.touch()
        self._count = 0
        program = folder / "bin" / "journalctl"
        program.write_text(
            PROGRAM.format(python=sys.executable, journal=str(self._file), asked=str(self._asked))
        )
        program.chmod(0o755)

    def write(self, message: str, at: float | None = None, release: str = "", **more: Any) -> None:
        """Add a line; at: unix seconds, now where it is left out."""
        self._count += 1
        line = {
            "__REALTIME_TIMESTAMP": str(int((time.time() if at is None else at) * 1e6)),
            "__CURSOR": f"s=0f;i={self._count:x};b=0b",
            "_SYSTEMD_UNIT": "web@5000.service",
            "MESSAGE": message,
            **({"CHANGEOVER_RELEASE": release} if release else {}),
            **more,
        }
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")

    @property
    def asked(self) -> list[list[str]]:
        """What journalctl was given, a list for each time."""
        return [json.loads(line) for line in self._asked.read_text().splitlines()]
