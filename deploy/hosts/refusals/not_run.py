"""Explains why a script did not begin: what sudo, the login shell or a forced command printed."""

from __future__ import annotations

import re

from deploy.folding import DETAIL
from deploy.foreign_text import visible, word
from deploy.hosts.scripts.script import TAKEN_OVER

MOST_CHARACTERS = 300
NOT_FOUND = 127
"""The exit code of a shell that does not find a command (POSIX, "Command Search")."""
_OTHER_USER = re.compile(r"""[Ll]ogin as the user ["']?([a-z_][a-z0-9_-]{0,31})["']? rather""")
"""What cloud-init has root's key answer (`disable_root_opts`, in its documentation)."""
_OF_SUDO = re.compile(r"^sudo:|\bsudoers\b|/sh -c read -r n\b")
"""Its own words, in any language: it names a refused command by its path and without quotes."""
_EXPIRED = re.compile(r"password has expired|password change required", re.IGNORECASE)
_TAKEN = (TAKEN_OVER, "_most_characters=")
"""Of the script, in an error of a shell that read it as its own commands."""
_EATEN = "head: invalid number of bytes"
"""What is printed where a line of the input was read before the command could read it."""


def refusal(who: str, user: str, code: int, stdout: str, stderr: str) -> list[str]:
    """Return the lines: what is wrong with the SSH user, and what to do.

    who: the machine, as the message begins; user: empty where the settings name none; code: what
    the command ended with.
    """
    printed = [" ".join(line.split()) for line in (*stderr.split("\n"), *stdout.split("\n"))]
    lines = [line for line in printed if line]
    ours = [line for line in lines if _OF_SUDO.search(line)]
    last = [text for text in (_last(stderr), _last(stdout)) if text]
    said = visible(ours[-1] if ours else "; ".join(last) or f"exit code {code}", MOST_CHARACTERS)
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
    if _EXPIRED.search(" ".join(lines)):
        name = word(user or "USER")
        remedy = f"set a new one there, or let it not expire: chage -M -1 {name}"
        return [f"{who}: the password of {whose} has expired: {said}; {remedy}"]
    if why := _misread(" ".join(lines)):
        return [
            f"{who}: the login shell of {whose} did not run the command: a start-up file of it",
            f"{DETAIL}(such as ~/.bashrc) {why};",
            f"{DETAIL}let it do so in interactive shells alone",
        ]
    return [
        f"{who}: the login shell of {whose} did not run the command: {said}; give the user a shell "
        "that runs commands"
    ]


def _last(printed: str) -> str:
    """The last line that is not empty."""
    lines = [" ".join(line.split()) for line in printed.split("\n")]
    return next((line for line in reversed(lines) if line), "")


def _misread(printed: str) -> str:
    """What a start-up file did with the input of the command; empty where it was nothing."""
    if _EATEN in printed:
        return "reads the input, which is the command's"
    if any(sign in printed for sign in _TAKEN):
        return "starts another shell, which reads the command's input"
    return ""
