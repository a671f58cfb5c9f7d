"""The lab's SSH keys: one for the user, one for each host, and the known_hosts that vouches."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from lab.podman import require

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.hosts import Wanted


def make_keys(state: Path, hosts: Iterable[Wanted]) -> None:
    """Make the lab's SSH key, one host key per host, and the known_hosts that vouches for them.

    `state/hosts/<name>/` holds what a host mounts on /lab.
    """
    require("ssh-keygen")
    key = state / "id_ed25519"
    if not key.exists():
        _generate_key(key, "changeover lab")
    lines = []
    for host in hosts:
        folder = state / "hosts" / host.name
        folder.mkdir(parents=True, exist_ok=True)
        host_key = folder / "ssh_host_ed25519_key"
        if not host_key.exists():
            _generate_key(host_key, host.name)
        (folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
        kind, public, *_ = host_key.with_suffix(".pub").read_text().split()
        lines.append(f"{host.address} {kind} {public}\n")
    (state / "known_hosts").write_text("".join(lines))


def console(state: Path, host: str) -> str:
    """Return what a host's console shows of its keys, in the marks of cloud-init."""
    public = (state / "hosts" / host / "ssh_host_ed25519_key.pub").read_text().strip()
    return (
        "[    3.141593] cloud-init[512]: Cloud-init v. 24.4 finished\r\n"
        f"-----BEGIN SSH HOST KEY KEYS-----\r\n{public}\r\n-----END SSH HOST KEY KEYS-----\r\n"
    )


def _generate_key(path: Path, comment: str) -> None:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
