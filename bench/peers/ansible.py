"""Ansible, from PyPI, in an environment of its own in `.lab/ansible`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.job import NEW, PORT, NotMeasured
from bench.peers import commands, seed
from lab.project import ROOT

if TYPE_CHECKING:
    from bench.job import Ground

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.lock"
PLAYBOOK = HERE / "playbook.yaml"
CONFIGURATION = HERE / "ansible.cfg"
_FROM_THE_LOCK = (
    "--disable-pip-version-check",
    "--require-hashes",
    "--only-binary=:all:",
    "--requirement",
)


@dataclass(frozen=True)
class Ansible:
    """A playbook with `serial`, and community.aws for the load balancer."""

    serial: str

    def begin(self, ground: Ground) -> None:
        """1.0.0 by the bench's own hand; the playbook's work is what is measured."""
        installed()
        seed.install(ground)

    def deploy(self, ground: Ground) -> None:
        """ansible-playbook, with connections that were not open before."""
        inventory = ground.folder / "inventory.ini"
        inventory.write_text(_inventory(ground))
        # A folder of its own for the sockets of the kept connections; short, for their length.
        with tempfile.TemporaryDirectory(prefix="bench-") as home:
            environ = commands.environment(
                ground.lab,
                ANSIBLE_CONFIG=str(CONFIGURATION),
                ANSIBLE_HOME=home,
                ANSIBLE_SSH_CONTROL_PATH_DIR=home,
            )
            words = [str(_home() / "bin" / "ansible-playbook"), f"--inventory={inventory}"]
            variables = {
                "batch": self.serial,
                "version": NEW,
                "package": ground.package(NEW),
                "slot": PORT,
                "unit": seed.UNIT,
            }
            words += [f"--extra-vars={name}={value}" for name, value in variables.items()]
            commands.run([*words, str(PLAYBOOK)], environ)


def _inventory(ground: Ground) -> str:
    folder = ground.lab.folder
    lines = ["[web]"]
    lines += [
        f"{host.name} ansible_host={host.address} instance_id={host.instance_id}"
        for host in ground.lab.hosts
    ]
    lines += [
        "[web:vars]",
        "ansible_user=ec2-user",
        "ansible_python_interpreter=/usr/bin/python3",
        f"ansible_ssh_private_key_file={folder / 'id_ed25519'}",
        f"ansible_ssh_common_args='-o UserKnownHostsFile={folder / 'known_hosts'}'",
    ]
    return "\n".join(lines) + "\n"


def _home() -> Path:
    return ROOT / ".lab" / "ansible"


def installed() -> None:
    """Make the environment where it is not, which takes minutes; NotMeasured where it cannot be."""
    stamp = _home() / "installed.txt"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing Ansible into .lab/ansible", flush=True)
    venv.create(_home(), clear=True, with_pip=True)
    words = [str(_home() / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = subprocess.run(
        [*words, *_FROM_THE_LOCK, str(REQUIREMENTS)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise NotMeasured(f"Ansible cannot be installed: {why}")
    stamp.write_text(wanted)
