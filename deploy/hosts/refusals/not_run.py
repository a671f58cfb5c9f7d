"""What to say where a script did not begin: sudo, the login shell or a forced command printed."""

from __future__ import annotations

import re

from deploy.folding import DETAIL
from deploy.foreign_text import visible, word

MOST_CHARACTERS = 300
NOT_FOUND = 127
"""The exit code of a shell that does not find a command (POSIX, "Command Search")."""
_OTHER_USER = re.compile(r"""[Ll]ogin as the user ["']?([a-z_][a-z0-9_-]{0,31})["']? rather""")
"""What cloud-init has root's key answer (`disable_root_opts`, in its documentation)."""


def refusal(who: str, user: str, code: int, stdout: str, stderr: str) -> list[str]:
    """Return the lines: what is wrong with the SSH user, and what to do.

    who: the machine, as the message begins; user: empty where the settings name none; code: what
    the command ended with.
    """
    printed = [" ".join(line.split()) for line in (*stderr.split("\n"), *stdout.split("\n"))]
    lines = [line for line in printed if line]
    ours = [line for line in lines if line.startswith("sudo:")]
    said = visible((ours or lines or [f"exit code {code}"])[-1], MOST_CHARACTERS)
    whose = f"user {user!r}" if user else "the SSH user"
    if other := _OTHER_USER.search(" ".join(lines)):
        return [f"{who}: {whose} may not log in: {said}; set `ssh: user: {other[1]}`"]
    sudo = next((line for line in lines if re.search(r"\bsudo\b", line)), "")
    # csh has another code for it.
    if sudo and (code == NOT_FOUND or "command not found" in sudo.lower()):
        remedy = "install sudo there, or set `ssh: user: root`"
        return [f"{who}: {whose} has no sudo: {visible(sudo, MOST_CHARACTERS)}; {remedy}"]
    if ours:
        name = word(user or "USER")
        return [
            f"{who}: sudo without a password does not work for {whose}: {said}",
            f"{DETAIL}allow it in /etc/sudoers.d: {name} ALL=(ALL) NOPASSWD: ALL",
            f"{DETAIL}if sudo wants a terminal, add: Defaults:{name} !requiretty",
        ]
    return [
        f"{who}: the login shell of {whose} did not run the command: {said}; give the user a shell "
        "that runs commands"
    ]
