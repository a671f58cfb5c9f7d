"""Connections that break in the middle of a deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faults.ground import later
from lab.project import called

if TYPE_CHECKING:
    from faults.ground import Ground

CUT = "pkill -KILL -f '[s]shd: ec2-user' || true"  # and not the shell that says so
STEPS = {
    "at connect": "look",
    "in an upload": "upload",
    "in a command": "daemon-reload",
    "in a drain": "drain",
    "in a proof": "prove",
}


def connections(ground: Ground) -> None:
    """A connection that breaks is made again, and the step finds out how far it came."""
    for where, step in STEPS.items():
        version = ground.build(size_mb=5)
        with ground.trial(f"SSH cut {where}", on=version) as trial:
            running = ground.deploy(version)
            running.until(f"@ {called(ground.first)}: {step}" if step != "look" else "@ look")
            ground.lab.shell(ground.first, CUT)
            trial.ended(running.wait(), 0)
            trial.said = "made again"
    version = ground.build()
    with ground.trial("sshd restarted on every host", on=version) as trial:
        running = ground.deploy(version)
        running.until("@ batch 1")
        for host in ground.lab.hosts:
            ground.lab.shell(host, "systemctl restart ssh")
        trial.ended(running.wait(), 0)
    version = ground.build()
    with ground.trial("sshd away for 8 s, connections cut", on=version) as trial:
        running = ground.deploy(version)
        running.until(f"@ {called(ground.first)}: drain")
        ground.lab.shell(ground.first, f"systemctl stop ssh.service ssh.socket; {CUT}")
        later(8, lambda: ground.lab.shell(ground.first, "systemctl start ssh"))
        trial.ended(running.wait(), 0)
        trial.said = "waited for, made again"
