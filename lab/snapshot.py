"""What a deploy left on the lab's hosts, kept there, and put back later on hosts that were reset.

Tests begin with the same first install a hundred times. The first one is a deploy; after that its
files, users and units are put back as it left them, and the units started.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.fleet import Lab

# What the lab's reset removes (see host-reset) is what is kept.
SAVE = """\
set -e; first=/usr/lib/lab; mkdir -p $first/kept; cd /
new=$(ls -A var/lib | grep -vxF -f $first/var-lib | sed 's|^|var/lib/|' || true)
accounts=$(ls -d etc/passwd etc/group etc/shadow etc/gshadow etc/subuid etc/subgid)
tar -cpf $first/kept/{key}.tar srv etc/systemd $accounts $new
"""
RESTORE = """\
set -e; first=/usr/lib/lab; cd /
[ -z "$(ls -A srv)" ]
tar -xpf $first/kept/{key}.tar
systemctl daemon-reload
wants=/etc/systemd/system/multi-user.target.wants
systemctl start $(ls -A $wants | while read -r unit; do
    [ -L $first$wants/$unit ] || echo $unit; done)
"""


def save(lab: Lab, key: str) -> None:
    """Keep what lies on every host under a key; HostError where that fails."""
    _everywhere(lab, SAVE.format(key=key))
    lab.kept.add(key)


def restore(lab: Lab, key: str) -> None:
    """Put back what was kept under the key; HostError where a host is not as after a reset."""
    _everywhere(lab, RESTORE.format(key=key))


def _everywhere(lab: Lab, script: str) -> None:
    with ThreadPoolExecutor(max_workers=len(lab.hosts)) as pool:
        list(pool.map(lambda host: lab.shell(host, script), lab.hosts))
