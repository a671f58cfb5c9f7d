"""P7 on the lab: what another user could change on a host is refused before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.aws import inventory
from deploy.errors import BadInput
from deploy.hosts.scripts import upload
from deploy.hosts.ssh.remote import Remote
from deploy.settings.environment import Environment
from deploy.survey import gather
from lab.fleet import Lab
from lab.project import called

KEPT = "/srv/web/records/units"
ANOTHERS = "echo SECRET=1 > /root/secret; chmod 600 /root/secret; mkdir -p /var/lib/web"


def environment(lab: Lab, name: str = "web", **app: Any) -> Environment:
    """The lab's environment with one app."""
    given = {"name": name, "package": "x", "target_group": "web-lab", "ports": [5000], **app}
    keys, known = [str(lab.folder / "id_ed25519")], [str(lab.folder / "known_hosts")]
    return Environment.model_validate(
        {
            "name": "lab",
            "root": Path("/"),
            "apps": [given],
            "hosts": {"tags": {"Environment": "lab"}},
            "aws": {"endpoint_url": "http://127.0.0.1:9"},
            "ssh": {"user": "ec2-user", "key_files": keys, "known_hosts": known},
        }
    )


@pytest.fixture
def remote(lab: Lab) -> Iterator[Remote]:
    """The first host, with the app's user and folders as a deploy makes them."""
    first = lab.hosts[0]
    made = Remote(inventory.Host(called(first), first.address, first.instance_id), environment(lab))
    lab.shell(first, upload.prepare("web", "web").text)
    yield made
    made.close()


@pytest.mark.hosts(1)
def test_h3_m7_m11_what_others_could_change_is_refused_and_the_command_repairs_it(
    lab: Lab, remote: Remote
) -> None:
    def on_host(command: str) -> None:
        lab.shell(lab.hosts[0], command)

    def refused(own: Environment) -> str:
        with pytest.raises(BadInput) as raised:
            gather.look(remote, own)
        return str(raised.value)

    web = environment(lab)
    gather.look(remote, web)  # control: what a deploy makes is right

    # H3: a folder that the service owned before, and a unit that it planted there.
    on_host(f"chown web: /srv/web; install -o web -m 600 /dev/null {KEPT}/9.web@5000.service")
    said = refused(web)
    assert "run there: sudo chown root:root /srv/web" in said
    assert f"{KEPT}/9.web@5000.service is owned by uid" in said
    on_host(f"chown root:root /srv/web; rm {KEPT}/9.web@5000.service")
    gather.look(remote, web)

    # M7: an environment file that is a link to another's secret, or that the service can exchange.
    on_host(f"{ANOTHERS}; ln -s /root/secret /etc/app.env; ln -s /root/secret /var/lib/web/app.env")
    said = refused(environment(lab, environment_file="/etc/app.env"))
    assert "environment_file /etc/app.env is a link" in said
    on_host(
        "rm /var/lib/web/app.env; cp -p /root/secret /var/lib/web/app.env; chown web /var/lib/web"
    )
    said = refused(environment(lab, environment_file="/var/lib/web/app.env"))
    assert "/var/lib/web is owned by uid" in said
    on_host("install -m 600 /root/secret /etc/own.env")
    gather.look(remote, environment(lab, environment_file="/etc/own.env"))

    # M11: names that the system's own users and groups have.
    for name in ("disk", "shadow"):
        assert f"group {name} exists without a user {name}" in refused(environment(lab, name))
    assert "user backup exists and was not made" in refused(environment(lab, "backup"))
    gather.look(remote, environment(lab, "backup", user="backup"))
