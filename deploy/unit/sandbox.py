"""The sandbox of a unit: what it must have, what may be left out, and how a host tries it. Pure."""

from __future__ import annotations

import base64
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from deploy.errors import nearest
from deploy.unit import syntax

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REMOVABLE = frozenset(
    {
        "CapabilityBoundingSet",
        "LimitCORE",
        "LockPersonality",
        "NoNewPrivileges",
        "PrivateDevices",
        "PrivateTmp",
        "PrivateUsers",
        "ProtectClock",
        "ProtectControlGroups",
        "ProtectHome",
        "ProtectHostname",
        "ProtectKernelLogs",
        "ProtectKernelModules",
        "ProtectKernelTunables",
        "ProtectProc",
        "ProtectSystem",
        "RemoveIPC",
        "RestrictAddressFamilies",
        "RestrictRealtime",
        "RestrictSUIDSGID",
        "SystemCallArchitectures",
        "SystemCallErrorNumber",
        "SystemCallFilter",
    }
)
"""The directives of the default template that the setting `sandbox:` can leave out."""

# What a rehearsal takes over from a unit: who it runs as, where, and within which limits. Not a
# directory that systemd makes and removes, nor what starts, restarts or is waited for.
_TRIED = re.compile(
    r"User|Group|SupplementaryGroups|DynamicUser|WorkingDirectory|Root\w+|MountAPIVFS|MountFlags"
    r"|Private\w+|Protect\w+|Restrict\w+|Bind\w*Paths|\w+Paths|TemporaryFileSystem|SystemCall\w+"
    r"|NoNewPrivileges|LockPersonality|MemoryDenyWriteExecute|KeyringMode|ProcSubset|UMask"
    r"|CapabilityBoundingSet|AmbientCapabilities|SecureBits|Limit(?!NPROC)\w+|Device\w+"
    r"|IPAddress\w+"
    r"|AppArmorProfile|SELinuxContext|SmackProcessLabel|NetworkNamespacePath|IPCNamespacePath"
    r"|LoadCredential\w*|SetCredential\w*|PAMName|Nice|OOMScoreAdjust|CPUScheduling\w+|IOSched\w+"
)
# What a program finds besides, as far as that decides whether it can be executed.
_FOUND = re.compile(r"Environment|EnvironmentFile|PassEnvironment|UnsetEnvironment|ExecSearchPath")
# ExecStart='s first word, after what may stand before it; as root, `+` and `!` say nothing of the
# sandbox.
_PROGRAM = re.compile(r"[@:|-]*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s\"'+!@:|-]\S*)(?=\s|$)")
_HIDES = {"RootDirectory", "RootImage", "InaccessiblePaths", "NoExecPaths"}
_MADE = {
    "StateDirectory": "/var/lib",
    "CacheDirectory": "/var/cache",
    "LogsDirectory": "/var/log",
    "RuntimeDirectory": "/run",
}
_YES, _NO = {"1", "yes", "y", "true", "t", "on"}, {"0", "no", "n", "false", "f", "off"}
_NAMESPACES = frozenset({"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"})
_REHEARSAL_SECONDS = 60


def refusal(name: str) -> str:
    """Say why the setting `sandbox:` cannot leave this directive out; empty where it can."""
    if name == "RestrictNamespaces":
        return (
            "RestrictNamespaces cannot be left out: a service with namespaces of its own could "
            "show another release in place of the one that it runs, and nothing could prove it"
        )
    if name in REMOVABLE:
        return ""
    return f"{name!r} is no directive of the sandbox{nearest(name, REMOVABLE)}"


def checked(name: str) -> str:
    """Return the directive's name.

    Raises:
        ValueError: The setting `sandbox:` cannot leave it out.
    """
    if problem := refusal(name):
        raise ValueError(problem)
    return name


def missing(text: str, slot: str, current: str) -> tuple[str, ...]:
    """Give the lines, as a template has them, that a rendered unit needs and lacks.

    A process is proven by the release that is mounted at `current`; the mount counts only where
    the service can make no namespaces, in which it could mount another.
    """
    said = syntax.assignments(text, "Service")
    mounts = syntax.words([value for name, value in said if name == "BindReadOnlyPaths"])
    lines = []
    if not any(re.fullmatch(rf"{re.escape(f'{slot}:{current}')}(:n?o?rbind)?", m) for m in mounts):
        lines.append("BindReadOnlyPaths={{ slot }}:{{ current }}")
    if allowed_namespaces(value for name, value in said if name == "RestrictNamespaces") & {
        "user",
        "mnt",
    }:
        lines.append("RestrictNamespaces=yes")
    return tuple(lines)


def allowed_namespaces(values: Iterable[str]) -> frozenset[str]:
    """Give the kinds of namespaces that a service may make, by its RestrictNamespaces= lines.

    As systemd reads them: yes allows none, no and nothing all; a list allows what it names, with
    ~ all but that; a further list adds or takes away; an empty value begins anew.
    """
    allowed: frozenset[str] | None = None
    for value in values:
        names = frozenset(value.removeprefix("~").split())
        if not value:
            allowed = None
        elif value.lower() in _YES:
            allowed = frozenset()
        elif value.lower() in _NO:
            allowed = _NAMESPACES
        elif not names <= _NAMESPACES:
            continue  # systemd reports such a line and ignores it
        elif value.startswith("~"):
            allowed = (_NAMESPACES if allowed is None else allowed) - names
        else:
            allowed = (allowed or frozenset()) | names
    return _NAMESPACES if allowed is None else allowed


@cache
def _check() -> str:
    """The check of a program, as StandardInputData= takes it."""
    text = (resources.files(__package__) / "check_program.sh").read_bytes()
    return base64.b64encode(text).decode()


def _checkable(said: Sequence[tuple[str, str]]) -> str:
    """Give the program that a unit starts, as ExecStart= names it; empty where none can be checked.

    That is where it runs as root, where it may be made by the commands before it, and where its
    name alone is searched for in folders of the unit's own.
    """
    starts: list[str] = []
    for name, value in said:
        if name == "ExecStart":
            starts = [*starts, value] if value else []
    found = _PROGRAM.match(starts[0]) if starts else None
    program = found.group(1) if found else ""
    names = {name for name, _ in said}
    is_made = "ExecStartPre" in names and not re.search(r"/current/|/usr/", program)
    is_searched = "/" not in program and "ExecSearchPath" in names
    return "" if is_made or is_searched else program


def rehearsal(text: str, slot: str, staged: str, *, checks_program: bool = False) -> str:
    """Give a unit that runs /bin/true within the sandbox of the unit with this text.

    slot, staged: the link that the unit mounts, and the release on the host that it will point
    to; checks_program: whether it finds out as well that the unit's program can be executed there,
    of which no line is run. Each assignment is one line, so that a host can leave single ones out.
    """
    said = syntax.assignments(text, "Service")
    program = _checkable(said) if checks_program else ""
    made = [
        re.escape(f"{_MADE[name]}/{word.partition(':')[0]}")
        for name, value in said
        if name in _MADE
        for word in value.split()
    ]
    lines = []
    for name, value in said:
        if not (_TRIED.fullmatch(name) or (program and _FOUND.fullmatch(name))):
            continue
        tried = re.sub(rf"{re.escape(slot)}(?![\w.-])", lambda _: staged, value)
        if made and (name.endswith("Paths") or name == "WorkingDirectory"):
            # Such a directory is made when the service starts; here it may still be missing.
            tried = re.sub(rf"(^|\s)({'|'.join(made)})(?=[/:\s]|$)", r"\1-\2", tried)
        lines.append(f"{name}={tried}")
    if any(name in _HIDES for name, _ in said):
        lines.append("SuccessExitStatus=203")  # all is set up, and what is tried is not there
    return "\n".join(
        (
            "[Unit]",
            "Description=Changeover tries the sandbox of a unit",
            "[Service]",
            "Type=oneshot",
            f"TimeoutStartSec={_REHEARSAL_SECONDS}",
            f"ExecStart=/bin/sh -s -- {program}" if program else "ExecStart=/bin/true",
            *(("StandardInput=data", f"StandardInputData={_check()}") if program else ()),
            *lines,
            *(("UnsetEnvironment=LD_PRELOAD LD_AUDIT",) if program else ()),
            "",
        )
    )
