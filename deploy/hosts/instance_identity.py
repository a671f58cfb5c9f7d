"""Whether a host is the EC2 instance that AWS shows for its address, by the host's own data.

Two networks may use one address, and an address may be taken over: the host key proves that the
machine is a known one, not that it is the one whose target is about to leave the load balancer.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploy import values
from deploy.errors import BadInput
from deploy.hosts.scripts.script import Program, program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.aws.inventory import Host

SOURCES = {
    # Set by the Nitro hypervisor, which the host cannot change (EC2 user guide, "Detect whether
    # a host is an EC2 instance").
    "instance_dmi": "/sys/devices/virtual/dmi/id/board_asset_tag",
    # Written by cloud-init at each boot of a new instance; of a copied disk it may be stale.
    "instance_cloud": "/var/lib/cloud/data/instance-id",
}
"""Files that show an instance's own id, the most reliable first, by the key of their line."""

_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2")
_MOST_BYTES = 64


def question(root: str = "") -> tuple[Program, ...]:
    """Programs that print `<key>=<the file's bytes in hexadecimal>` for each of SOURCES.

    root: what stands in front of the files' paths.
    """
    words = [word for key, path in SOURCES.items() for word in (key, root + path)]
    return program("hex"), program("instance_identity", _MOST_BYTES, *words)


def shown(printed: Mapping[str, Iterable[str]]) -> str | None:
    """The instance id that a host shows; None where it shows none that is well formed.

    printed: of each key, what the host printed.
    """
    for key in SOURCES:
        for value in printed.get(key, ()):
            try:
                text = bytes.fromhex(value).decode("ascii").strip()
            except ValueError:
                continue
            if values.instance_id(text):
                return text
    return None


def is_aws(endpoint_url: str | None) -> bool:
    """Whether EC2 itself was asked: no endpoint of another API is set, here or for botocore."""
    return not endpoint_url and not any(os.environ.get(name) for name in _ENDPOINTS)


def refuse_other(host: Host, output: str, endpoint_url: str | None) -> None:
    """Raise BadInput where the host shows another instance's id than EC2 gives for its address.

    A machine that EC2 gives no instance for is named by the id that it shows.

    output: what `question` printed, among other `key=value` lines.
    """
    printed: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, _, value = line.partition("=")
        printed.setdefault(key, []).append(value)
    own = shown(printed)
    if own in {None, host.instance_id} or not is_aws(endpoint_url):
        return
    if not host.instance_id:
        raise BadInput(
            f"{host} ({host.address}): the machine there is instance {own}, which EC2 does not "
            "have in this account and region; check `aws:` and `hosts:`"
        )
    raise BadInput(
        f"{host} ({host.address}): the machine there is instance {own}, and EC2 gives "
        f"{host.instance_id} for that address; check the network that this address leads to "
        "(VPN, peered VPC, jump host), `aws:` and `hosts:`"
    )
