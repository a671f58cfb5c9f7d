"""What the default unit's sandbox leaves a service, on real hosts with systemd 247, 252 and 257."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from audit.wall import Attempt, Wall
from deploy.unit import rendering, sandbox, spec
from lab.fleet import FOLDER, Lab
from lab.image import SUITES, SuiteUnavailable
from lab.project import ROOT

if TYPE_CHECKING:
    from lab.fleet import LabHost

MOST_EXPOSED = 1.5
MOST_EXPOSED_OLD_NOTIFY = 1.6
"""With `type: notify` on systemd 247, where ProtectProc= would hide what UseSystemd() looks for."""
KINDS = ("exec", "notify", "simple")
ALL = tuple(sorted(sandbox.REMOVABLE))
UNIT = spec.UnitSpec(
    app="audit",
    port=5999,
    release="1.0.0-0123456789ab",
    description="what the audit measures",
    command=("/bin/sleep", "1"),
    executable_in_package=False,
    user="audit",
    group="audit",
    type="exec",
    environment=(),
    environment_file=None,
    stop_timeout_seconds=45,
    start_timeout_seconds=90,
    restart_seconds=2.0,
)
STAGED = "/srv/audit/releases/1.0.0-0123456789ab"

# Each ends with 0 where root may do it; as root, so that the sandbox alone is in the way.
DEEDS = {
    "write /etc": "echo x > /etc/changeover-audit && rm /etc/changeover-audit",
    "write /usr": "echo x > /usr/changeover-audit && rm /usr/changeover-audit",
    "make a user namespace": "unshare -U true",
    "make a mount namespace": "unshare -m true",
    "make a network namespace": "unshare -n true",
    "mount a file system": "mount -t tmpfs none /mnt && umount /mnt",
    "make a set-user-ID file": "touch /tmp/audit && chmod u+s /tmp/audit && rm /tmp/audit",
    "change an owner": "touch /tmp/audit && chown 1234 /tmp/audit && rm /tmp/audit",
    "rename the host": 'hostname "$(hostname)"',
    "see process 1": "ls -l /proc/1/exe",
    "read a foreign environment": "cat /proc/1/environ > /dev/null",
    "leave a core": '[ "$(ulimit -c)" != 0 ]',
}


@dataclass(frozen=True)
class Measured:
    """What was seen with one unit: scores by systemd and type, and deeds that succeeded."""

    scores: dict[str, float]
    done: tuple[str, ...]
    tried: int


def exposures(lab: Lab, host: LabHost, texts: dict[str, str]) -> dict[str, float]:
    """Give systemd's own figure for units by the names of their kinds, from 0 to 10."""
    folder = "/run/systemd/system"
    script = [f"trap 'rm -f {folder}/audit-*' EXIT"]
    script += [
        f"cat > {folder}/audit-{n}.service <<'END'\n{text}\nEND" for n, text in texts.items()
    ]
    names = " ".join(f"audit-{name}.service" for name in texts)
    script += ["systemctl daemon-reload", f"systemd-analyze security --no-pager {names}"]
    shown = lab.shell(host, "\n".join(script))
    found = re.findall(r"exposure level for audit-(\w+)\.service: ([0-9.]+)", shown)
    if len(found) != len(texts):
        raise ValueError(f"{host.name}: no exposure level in {shown[-200:]!r}")
    return {name: float(score) for name, score in found}


def deeds(lab: Lab, host: LabHost, text: str) -> list[str]:
    """Give the deeds that succeed as root in the sandbox of a unit with this text."""
    unit = sandbox.rehearsal(text, "/srv/audit/slots/5999", STAGED)
    unit = re.sub(r"^(User|Group)=.*$", r"\1=root", unit, flags=re.MULTILINE)
    program = "; ".join(f"({deed}) && echo done: {name}" for name, deed in DEEDS.items())
    quoted = f"{program}; true".replace('"', '\\"').replace("$", "$$")
    unit = unit.replace("ExecStart=/bin/true", f'ExecStart=/bin/sh -c "{quoted}"')
    shown = lab.shell(
        host,
        f"mkdir -p {STAGED} /srv/audit/current; u=changeover-audit-$$.service\n"
        "trap 'rm -rf /run/systemd/system/$u /srv/audit' EXIT\n"
        f"cat > /run/systemd/system/$u <<'END'\n{unit}\nEND\n"
        "systemctl start $u && echo started; journalctl --sync\n"
        "journalctl -q -o cat --no-pager -u $u",
    )
    if "started" not in shown:
        raise ValueError(f"{host.name}: the unit did not start: {shown[-200:]!r}")
    return re.findall(r"^done: (.*)$", shown, re.MULTILINE)


def measure(
    lab: Lab, removed: tuple[str, ...] = (), namespaces: str = "RestrictNamespaces=yes"
) -> Measured:
    """Measure the default unit on every host; removed: directives that are left out."""
    scores: dict[str, float] = {}
    done: list[str] = []
    for host in lab.hosts:
        systemd = SUITES[host.suite]
        texts = {
            kind: rendering.render(
                None, replace(UNIT, type=kind, removed=removed), systemd
            ).text.replace("RestrictNamespaces=yes", namespaces)
            for kind in KINDS
        }
        found = exposures(lab, host, texts)
        scores |= {f"{systemd} {kind}": score for kind, score in found.items()}
        done += [f"systemd {systemd}: {deed}" for deed in deeds(lab, host, texts["exec"])]
    return Measured(scores, tuple(done), len(scores) + len(lab.hosts) * len(DEEDS))


def judged(measured: Measured) -> Attempt:
    """Judge what was measured: a score above the limit and a deed that succeeded are findings."""
    findings = list(measured.done)
    for key, score in measured.scores.items():
        most = MOST_EXPOSED_OLD_NOTIFY if key == "247 notify" else MOST_EXPOSED
        if score > most:
            findings.append(f"systemd {key}: the score is {score:g}, above {most:g}")
    figure = ", ".join(f"{key} {score:g}" for key, score in measured.scores.items())
    return Attempt(measured.tried, tuple(findings), f"score {figure}")


@lru_cache(maxsize=1)
def measured() -> tuple[Attempt, Attempt]:
    """Measure the default unit, and it without a sandbox, in a lab of the audit's own."""
    root = ROOT / FOLDER / "audit"
    root.mkdir(parents=True, exist_ok=True)
    suites = list(SUITES)
    lab: Lab | None = None
    while lab is None:
        with suppress(SuiteUnavailable):
            lab = Lab.up(root, len(suites), suites)
        suites = suites if lab else suites[1:]  # the oldest suite's mirror goes first
    try:
        return judged(measure(lab)), judged(measure(lab, ALL, "RestrictNamespaces=no"))
    finally:
        lab.down()


WALLS = (
    Wall(
        "sandbox of the default unit",
        lambda: measured()[0],
        lambda: measured()[1],
        needs_lab=True,
    ),
)
