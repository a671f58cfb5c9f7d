"""The environment's lock: what hosts and local processes show and hold decides nothing alone."""

from __future__ import annotations

import json
import random
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from audit.wall import Attempt, Wall
from deploy.hosts.lock import holder
from deploy.hosts.lock.holder import Holder
from deploy.hosts.scripts import lock

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 100_000
TOKEN, OTHER = "0123456789abcdef" * 2, "f" * 32
ODD: tuple[Any, ...] = (
    None, True, False, "", [], {}, -1, 0, 1.5, 10**400, 2**53, 2**53 + 1, float("nan"),
    float("inf"), "²", ".*", "\x1b]0;x\x07", "a\nb", "::stop-commands::x", "[/x]", "\u202e",
    "\ud800", "x" * 3000, TOKEN, OTHER, "2026-11-28T00:00:00+00:00", "\u0663" * 32, [TOKEN], 30.0,
)  # fmt: skip
BYTES = (b"\x00", b"\n", b"\xff", b'"', b"{", b"[" * 500, b"}", b"\\u0000", b",", b"NaN", b"\r")


def hostile_lines(count: int) -> list[bytes]:
    """Return so many lock files, each one or more changes away from a real one."""
    chance = random.Random(13)  # noqa: S311 - the same lines each time
    real = json.loads(Holder(TOKEN, "a@b", "2026-11-28T00:00:00+00:00", "deploy", "", 30).as_line())
    lines = []
    for _ in range(count):
        given = dict(real)
        for _ in range(chance.randint(0, 3)):
            given[chance.choice([*real, "more"])] = chance.choice(ODD)
        raw = json.dumps(given).encode()
        for _ in range(chance.randint(0, 2)):
            place = chance.randrange(len(raw) + 1)
            raw = raw[:place] + chance.choice(BYTES) + raw[place + chance.randint(0, 3) :]
        lines.append(raw)
    return lines


def read_lines(parse: Callable[[bytes], Any], count: int = LINES) -> Attempt:
    """Parse hostile lines: each is a holder within the grammar, or None; nothing raises."""
    findings = []
    holders = 0
    for raw in hostile_lines(count):
        try:
            found = parse(raw)
            holders += found is not None
            if found is not None and not is_within(found):
                findings.append(f"outside the grammar: {raw[:80]!r}")
        except Exception as error:  # noqa: BLE001 - whatever a parser raises is a finding
            findings.append(f"{type(error).__name__}: {raw[:80]!r}")
    return Attempt(count, tuple(findings), f"{holders:,} were holders")


def is_within(found: Any) -> bool:
    """Whether a parsed holder is what the hosts, the screen and the arithmetic may be given."""
    texts = (found.author, found.since, found.what, found.run)
    return (
        re.fullmatch(r"[0-9a-f]{32}", found.token) is not None
        and all(isinstance(text, str) and text.isprintable() for text in texts)
        and sum(map(len, texts)) < lock.LINE_BYTES
        and type(found.ttl_seconds) is float
        and 1 <= found.ttl_seconds <= 3600
        and type(found.beat) is int
        and 0 <= found.beat <= 2**53
    )


def naive(raw: bytes) -> Any:
    """Parse as the lock was parsed before there was a grammar."""
    try:
        given = json.loads(raw.decode(errors="replace"))
        return Holder(
            token=str(given["token"]),
            author=str(given["author"]),
            since=str(given["since"]),
            what=str(given["what"]),
            run=str(given["run"]),
            ttl_seconds=float(given["ttl_seconds"]),
            beat=int(given["beat"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


LIVING = Holder(TOKEN, "ana@one", "2026-11-28T00:00:00+00:00", "deploy", "", 30.0, 7)
NEAR = tuple(
    line
    for token in (
        ".*",
        "[0-9a-f]*",
        ".",
        "^",
        "$",
        "",
        OTHER,
        TOKEN[:31],
        "\\(.*\\)",
        TOKEN.upper(),
    )
    for line in (
        json.dumps({**json.loads(LIVING.as_line()), "token": token}),
        json.dumps({**json.loads(LIVING.as_line()), "token": token, "what": TOKEN}),
        json.dumps({"what": TOKEN, "token": token}),
    )
)
"""Lines of other holders that name our token elsewhere, or a pattern in place of their own."""


def take_over(token_of: Callable[[str], str], take: Callable[[str], str]) -> Attempt:
    """Run the real script on a living deploy's lock with what a hostile host names as a token."""
    findings = []

    def one(line: str) -> str:
        with tempfile.TemporaryDirectory(prefix="audit-lock-") as folder:
            locks = Path(folder) / "changeover"
            locks.mkdir()
            file = locks / "lab.lock"
            file.write_text(LIVING.as_line() + "\n")
            try:
                script = take(token_of(line))
            except (ValueError, AttributeError):
                return ""  # no script is built
            moved = script.replace("/var/lib/", f"{folder}/").replace("/run/", f"{folder}/run-")
            subprocess.run(["sh", "-c", moved], capture_output=True, check=False)
            is_same = file.read_text() == LIVING.as_line() + "\n"
            return "" if is_same else f"a living lock was taken over by {line[:60]}"

    with ThreadPoolExecutor(max_workers=4) as pool:
        findings = [found for found in pool.map(one, NEAR) if found]
    return Attempt(len(NEAR), tuple(findings))


NEXT = Holder(OTHER[::-1].replace("f", "e"), "bob@two", LIVING.since, "deploy", "", 30.0)


def taken_today(token: str) -> str:
    """Return the product's script that takes a lock over."""
    return lock.take_lock("lab", NEXT.token, NEXT.as_line(), token).text


def taken_by_pattern(token: str) -> str:
    """Return a script that looks for the token by grep, anywhere in the line."""
    file = quote(lock.lock_file("lab"))
    return f"grep -q -e {quote(token)} {file} && printf '%s\\n' {quote(NEXT.as_line())} > {file}"


def strict_token(line: str) -> str:
    """Return the token of a line, as the product reads it."""
    found = Holder.parse(line)
    if found is None:
        raise ValueError(line)
    return found.token


def any_token(line: str) -> str:
    """Return whatever a line calls its token."""
    return str(json.loads(line)["token"])


WALLS = (
    Wall(
        "holder of a lock",
        attack=partial(read_lines, holder.parsed),
        control=partial(read_lines, naive, LINES // 10),
    ),
    Wall(
        "take-over of a lock",
        attack=partial(take_over, strict_token, taken_today),
        control=partial(take_over, any_token, taken_by_pattern),
    ),
    Wall(
        "take-over of a lock, with any token",
        attack=partial(take_over, any_token, taken_today),
        control=partial(take_over, any_token, taken_by_pattern),
    ),
)
