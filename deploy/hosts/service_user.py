"""The user that a service runs as: its own system user, or one that the settings name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.hosts.scripts.script import Program, program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.aws.inventory import Host
    from deploy.settings.app import App

FIRST_PERSON = 1000
"""UIDs from here up belong to people (login.defs(5): SYS_UID_MAX 999, UID_MIN 1000)."""

PRIVILEGED = frozenset(
    {
        *("root", "sudo", "wheel", "adm", "disk", "shadow", "docker", "podman", "lxd"),
        *("incus-admin", "libvirt", "kmem", "kvm", "staff", "systemd-journal", "ssh_keys"),
    }
)
"""Groups whose members read other users' secrets, or become root.

Others that sudoers(5) names, such as Ubuntu's admin, are seen by what sudo says of the user.
"""

_NO_LOGIN = re.compile(r"(/usr)?/s?bin/(nologin|false)")
_PLAIN = re.compile(r"[A-Za-z0-9_./@+-]{1,64}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_FIELDS = 7  # passwd(5)
_MOST_BYTES = 4096


def question(app: str, user: str) -> tuple[Program, ...]:
    """Programs that print what the host knows of the user, as `<app>.own.key=value` lines.

    Values are in hexadecimal, but for the number of lines of `sudo -l` that allow something.
    """
    if not _NAME.fullmatch(app) or not _NAME.fullmatch(user):
        raise BadInput(f"app {app!r}, user {user!r}: a name is needed, such as web")
    return program("hex"), program("look_at_user", app, user, _MOST_BYTES)


def decoded(value: str) -> str:
    """Text that was printed in hexadecimal; empty for what is no hexadecimal number.

    Bytes that are not UTF-8 become lone surrogates, as in os.fsdecode.
    """
    try:
        return bytes.fromhex(value).decode(errors="surrogateescape")
    except ValueError:
        return ""


def uid(app: App, parsed: Mapping[str, str]) -> int | None:
    """The user's id on the host; None where there is no such user."""
    words = decoded(parsed.get(f"{app.name}.own.passwd", "")).strip().split(":")
    number = words[2] if len(words) == _FIELDS else ""
    return int(number) if re.fullmatch(r"[0-9]{1,10}", number) else None


def judge(host: Host, app: App, parsed: Mapping[str, str]) -> list[str]:
    """Return the reasons not to run the service as this user; none if `user:` names it.

    parsed: the lines that `question` printed, by key.
    """
    if app.names_user:
        return []
    name, own = app.service_user, f"{app.name}.own"
    passwd = decoded(parsed.get(f"{own}.passwd", "")).strip()
    remedy = f"rename the app, or accept it with `user: {name}` under the app"
    if not passwd:
        if not decoded(parsed.get(f"{own}.group", "")).strip():
            return []
        return [
            f"{host}: group {name} exists without a user {name}, so the service would get what the "
            f"group may do; {remedy}"
        ]
    reasons = _reasons(app, passwd, decoded(parsed.get(f"{own}.groups", "")).split())
    if parsed.get(f"{own}.sudo", "0") != "0":
        reasons.append("may use sudo")
    if not reasons:
        return []
    return [
        f"{host}: user {name} exists and was not made for this service ({', '.join(reasons)}); "
        f"{remedy}"
    ]


def _reasons(app: App, passwd: str, groups: list[str]) -> list[str]:
    words, name = passwd.split(":"), app.service_user
    if len(words) != _FIELDS or words[0] != name or not re.fullmatch(r"[0-9]{1,10}", words[2]):
        return ["its passwd entry cannot be read"]
    number, home, shell = int(words[2]), words[5], words[6]
    reasons: list[str] = []
    if not 0 < number < FIRST_PERSON:
        reasons.append(f"uid {number} is not from 1 to {FIRST_PERSON - 1}")
    if home != f"/var/lib/{app.name}":
        reasons.append(f"home {shown(home)}")
    if not _NO_LOGIN.fullmatch(shell):
        reasons.append(f"login shell {shown(shell)}")
    if groups[:1] != [name]:
        reasons.append(f"primary group {shown(groups[0]) if groups else 'unknown'}")
    reasons += [f"member of {group}" for group in groups if group in PRIVILEGED]
    return reasons


def shown(text: str) -> str:
    """Foreign text where it is plain; what stands for it on a screen otherwise."""
    return text if _PLAIN.fullmatch(text) else ascii(text[:64])
