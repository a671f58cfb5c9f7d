"""A unit's sandbox tried on its host, with /bin/true in place of the service. Pure.

Before the first drain: a sandbox that the host's kernel or systemd cannot set up would otherwise
end the new release after the old one has stopped. The trial is a unit of its own under
/run/systemd/system, which is gone afterwards; nothing is reloaded for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.hosts.scripts import change
from deploy.unit import sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

"""The script's exit code where a sandbox does not work on the host."""

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
_FIXED = ("Description", "Type", "TimeoutStartSec", "ExecStart", "User", "Group")


def script(app: str, sizes: Sequence[int]) -> tuple[str, ...]:
    """Give the lines of a script that tries units, whose texts of these sizes come from stdin.

    Within a script with a folder `$d` of its own and a function `drop` that undoes what it did.
    Exit code 81 prints the trial's result, systemd's words, and the one directive without which
    the trial works, if there is one.
    """
    kept = " ".join(f"-e '^{name}='" for name in _FIXED)
    folder, name = "/run/systemd/system", f"changeover-rehearsal.{app}"
    return (
        f"n=0; rm -f {folder}/{name}.*",
        f'try() {{ n=$((n + 1)); u="{name}.${{d##*.}}.$n.service"; cat > "{folder}/$u"',
        '  systemctl --no-ask-password start "$u" > /dev/null 2>&1; }',
        f'forget() {{ systemctl reset-failed "$u" 2>/dev/null || true; rm -f "{folder}/$u"; }}',
        *(
            line
            for size in sizes
            for line in (
                f'head -c {size} > "$d/trial"',
                'if ! try < "$d/trial"; then',
                '  systemctl show "$u" -p Result -p ExecMainCode -p ExecMainStatus',
                "  journalctl --sync 2>/dev/null || true",
                '  journalctl -q -u "$u" -o cat --no-pager 2>/dev/null | grep -m 1 Failed '
                "| cut -c 1-300 | sed 's/^/Words=/'; forget",
                f'  for k in $(grep "^[A-Z]" "$d/trial" | grep -v {kept} | cut -d= -f1 | sort -u)',
                '  do grep -v "^$k=" "$d/trial" > "$d/without"',
                '    if try < "$d/without"; then echo "Directive=$k"; forget; break; fi; forget',
                f'  done; drop; exit {change.SANDBOX_REFUSED}; fi; rm -f "{folder}/$u"',
            )
        ),
    )


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
    ended = _ended(said.get("ExecMainCode", ""), said.get("ExecMainStatus", ""))
    because = f" because of {found}=" if found else ""
    problem = f"the sandbox of {unit_name} does not work here{because}: {ended}"
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
