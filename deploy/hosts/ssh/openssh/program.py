"""Asks OpenSSH for the options of a name, by `ssh -G`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from deploy.errors import BadInput
from deploy.foreign_text import visible
from deploy.hosts.ssh.openssh import tokens
from deploy.hosts.ssh.openssh.options import DECIDING, LISTS, Answer

SECONDS = 15.0
"""How long ssh may take: it runs `Match exec` and looks names up for CanonicalizeHostname."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")
"""The names that ssh is asked for; none can be an option or a user."""

_UNSET = dict.fromkeys(("proxyjump", "proxycommand", "pkcs11provider"), "none")
_UNSET |= {"identitiesonly": "no"}
_OF_A_FILE = re.compile(r"\bline \d+\b|Bad owner or permissions on|ProxyJump|configuration option")
_NOISE = re.compile(r"^Pseudo-terminal will not|: terminating, \d+ bad configuration")
_LOOP = "jumphost loop"
_MOST_LINES = 3


def is_here() -> bool:
    """Whether OpenSSH can be asked: it is installed, and takes the same home folder as we do.

    ssh finds the user's files by the system's list of users, whatever HOME is (ssh_config(5)).
    """
    if shutil.which("ssh") is None:
        return False
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        own = pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return False
    return os.path.realpath(own) == os.path.realpath(tokens.home())


def ask(name: str, file: str, user: str, port: int | None) -> Answer | None:
    """What ssh answers for a name; None where it cannot answer, for another reason than a file.

    file: the one that is read in place of the user's and the system's, or empty. user, port: of
    the settings, which go before. Raises BadInput with ssh's own words for a configuration that
    it refuses, or where it takes too long.
    """
    if NAME.fullmatch(name) is None:
        return None
    words = ["ssh", "-G"]
    words += ["-F", file] if file else []
    words += ["-l", user] if user else []
    words += ["-p", str(port)] if port else []
    code, stdout, stderr = _run(name, [*words, "--", name])
    if code and _LOOP in stderr:
        # A pattern also matches its own jump host, which is reached without one.
        code, stdout, stderr = _run(name, [*words, "-o", "ProxyJump=none", "--", name])
    answer = _parsed(name, stdout)
    if code == 0 and answer is not None:
        return answer
    if not _OF_A_FILE.search(stderr):
        return None
    said = [visible(line.strip()) for line in stderr.splitlines() if line.strip()]
    said = [line for line in said if not _NOISE.search(line)]
    raise BadInput(
        f"{name}: ssh refuses its configuration: {'; '.join(said[:_MOST_LINES])}; correct it "
        f"(`ssh -G {name}` shows the same), or do without it: `load_ssh_configs: false`"
    )


def _parsed(name: str, stdout: str) -> Answer | None:
    values: dict[str, tuple[str, ...]] = {}
    for line in stdout.split("\n"):
        keyword, _, rest = line.strip("\r").partition(" ")
        option = keyword.lower()
        if option not in DECIDING or _UNSET.get(option) == rest.lower():
            continue
        values[option] = values.get(option, ()) + (separated(rest) if option in LISTS else (rest,))
    return Answer(name, values) if "hostname" in values else None


def separated(text: str) -> tuple[str, ...]:
    """The paths of a list that `ssh -G` prints without quotes: the longest that exist come first.

    A path with spaces that does not exist falls into words that do not exist either.
    """
    words, found = text.split(" "), list[str]()
    while words:
        size = next((n for n in range(len(words), 1, -1) if _is_file(words[:n])), 1)
        found.append(" ".join(words[:size]))
        words = words[size:]
    return tuple(word for word in found if word)


def _is_file(words: list[str]) -> bool:
    try:
        return Path(" ".join(words)).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def _run(name: str, words: list[str]) -> tuple[int, str, str]:
    """Run ssh in a session of its own, so that nothing that it started outlives the deadline."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError:
        return 1, "", ""
    try:
        stdout, stderr = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        raise BadInput(
            f"{name}: `ssh -G {name}` did not end within {SECONDS:g} s; look what takes so long in "
            "your ssh configuration: a `Match exec`, or CanonicalizeHostname with slow DNS"
        ) from None
    return process.returncode, _text(stdout), _text(stderr)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
