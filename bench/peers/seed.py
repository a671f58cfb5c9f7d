"""The peers' beginning: 1.0.0 on every host, laid out as their playbook and script go on with."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from bench.job import OLD

if TYPE_CHECKING:
    from bench.job import Ground
    from lab.fleet import LabHost

UNIT = Path(__file__).with_name("web@5000.service")
# /lab on a host is its folder in the lab's state, read only.
INSTALL = f"""\
set -e
useradd --system --no-create-home --shell /usr/sbin/nologin web
install -d /srv/web/releases/{OLD}
unzip -q /lab/package.zip -d /srv/web/releases/{OLD}
ln -sfn releases/{OLD} /srv/web/current
install -m 0644 /lab/{UNIT.name} /etc/systemd/system/{UNIT.name}
systemctl daemon-reload
systemctl enable --quiet --now {UNIT.name}
"""


def install(ground: Ground) -> None:
    """On all hosts at once; they are registered already, and turn healthy."""
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(_install, ground, host) for host in ground.lab.hosts]:
            done.result()


def _install(ground: Ground, host: LabHost) -> None:
    shared = ground.lab.folder / "hosts" / host.name
    package = shared / "package.zip"
    shutil.copy(UNIT, shared)
    shutil.copy(ground.package(OLD), package)
    try:
        ground.lab.shell(host, INSTALL)
    finally:
        package.unlink()
        (shared / UNIT.name).unlink()
