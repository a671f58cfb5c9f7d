"""Tries a unit's sandbox on its host, and whether its program can be executed there. Pure.

Before the first drain: a sandbox that the host's kernel or systemd cannot set up, or a program that
lacks a library, would otherwise end the new release after the old one has stopped. The trial is a
unit of its own under /run/systemd/system, which is gone afterwards; nothing is reloaded for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.script import Program, program
from deploy.unit import sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

# systemd's names for the steps of a start, by the exit status of one that failed (systemd.exec).
_STEPS = {
    200: "CHDIR",
    201: "NICE",
    203: "EXEC",
    205: "LIMITS",
    206: "OOM_ADJUST",
    210: "CHROOT",
    212: "IOPRIO",
    214: "SETSCHEDULER",
    216: "GROUP",
    217: "USER",
    218: "CAPABILITIES",
    224: "PAM",
    225: "NETWORK",
    226: "NAMESPACE",
    227: "NO_NEW_PRIVILEGES",
    228: "SECCOMP",
    229: "SELINUX_CONTEXT",
    231: "APPARMOR_PROFILE",
    232: "ADDRESS_FAMILIES",
    241: "CONFIGURATION_DIRECTORY",
    243: "CREDENTIALS",
}


NO_PROGRAM = "Failed to execute "
"""How the check of a program begins what it found."""


def trials(app: str, sizes: Sequence[int]) -> Program:
    """Return the program that tries units, whose texts of these sizes come from stdin.

    A part of `upload.stage_units`. Exit code 81 (SANDBOX_REFUSED) prints the trial's result,
    systemd's words, and the one directive without which the trial works, if there is one.
    """
    return program("rehearse", values.checked(values.name, app), *sizes)


def explain(unit_name: str, answer: str) -> str:
    """Say in one sentence what a host's answer means, and what to do; the unit's name is ours."""
    said: dict[str, str] = {}
    for line in answer.splitlines():
        key, equals, value = line.partition("=")
        if equals:
            said.setdefault(key, value.strip())
    words = re.sub(r"^[\w@.:-]+\.service: ", "", said.get("Words", ""))
    directive = said.get("Directive", "")
    found = directive if re.fullmatch(r"[A-Z][A-Za-z]{1,40}", directive) else ""
    is_program = said.get("Words", "").startswith(NO_PROGRAM)  # systemd's own name the unit first
    ended = _ended(said.get("ExecMainCode", ""), said.get("ExecMainStatus", ""))
    ended = "the program cannot be executed" if is_program else ended
    because = f" because of {found}=" if found else ""
    problem = f"the sandbox of {unit_name} does not work here{because}: {ended}"
    if is_program and not found:
        return (
            f"the program of {unit_name} cannot be executed here: {words}; repair the package, the "
            "host or `command:`, or do not try it with `rehearse: sandbox`"
        )
    if words:
        problem += f" ({words})"
    if found in sandbox.REMOVABLE:
        return f"{problem}; repair the host, or leave it out with `sandbox: {{{found}: false}}`"
    if found:
        return f"{problem}; repair the host, or change {found}= in the template"
    return f"{problem}; no single directive is the cause; repair the host, or change the sandbox"


def _ended(code: str, status: str) -> str:
    """Say how /bin/true ended, from waitid's code and the status."""
    number = int(status) if re.fullmatch(r"[0-9]{1,3}", status) else 0
    if code in {"2", "3"}:
        return f"/bin/true was ended by signal {number}"
    if number:
        name = _STEPS.get(number)
        return f"systemd failed with status {number}{f'/{name}' if name else ''}"
    return "systemd could not start /bin/true"
