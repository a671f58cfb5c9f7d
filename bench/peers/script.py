"""The way of many a post: a shell script of ssh and scp, and boto3's waiters."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.job import NEW
from bench.peers import commands, seed

if TYPE_CHECKING:
    from bench.job import Ground

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Script:
    """rolling.sh, which calls target.py."""

    def begin(self, ground: Ground) -> None:
        """1.0.0 by the bench's own hand."""
        seed.install(ground)

    def deploy(self, ground: Ground) -> None:
        """The script, with the hosts on its stdin."""
        folder = ground.lab.folder
        environ = commands.environment(
            ground.lab,
            TARGET=f"{sys.executable} {HERE / 'target.py'}",
            SSH_OPTIONS=f"-i {folder}/id_ed25519 -o UserKnownHostsFile={folder}/known_hosts",
        )
        hosts = "".join(f"{host.address} {host.instance_id}\n" for host in ground.lab.hosts)
        commands.run(
            ["sh", str(HERE / "rolling.sh"), str(ground.package(NEW)), NEW], environ, hosts
        )
