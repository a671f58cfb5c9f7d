"""P7 on the lab: what another user could change on a host is refused before it is read."""

from __future__ import annotations

import pytest

from lab.fleet import Lab
from lab.project import Project

PLANTED = "/srv/web/records/units/9.9.9-aaaaaaaaaaaa.aaaaaaaaaaaa.web@5000.service"


def test_h3_a_folder_of_the_services_is_refused_and_the_command_repairs_it(
    project: Project, lab: Lab
) -> None:
    first = lab.hosts[0]
    project.install()
    assert project.inv("status", "--env", "lab").code == 0  # control: a deploy's own is right
    lab.shell(first, f"chown web: /srv/web && install -o web -m 600 /dev/null {PLANTED}")
    for words in (("rollback", "--yes"), ("deploy", "--package", "1.0.0", "--yes"), ("repair",)):
        ran = project.inv(*words, "--env", "lab")
        assert ran.code, ran.output
        assert "/srv/web is owned by uid" in ran.output
        assert "sudo chown root:root /srv/web" in ran.output
        assert "records/units/9.9.9-aaaaaaaaaaaa" in ran.output
        assert "Traceback" not in ran.output
    lab.shell(first, f"rm {PLANTED}; chown root:root /srv/web")
    assert project.inv("status", "--env", "lab").code == 0


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (
            "mkdir -p /var/lib/web && ln -s /root/secret /var/lib/web/app.env",
            "environment_file /var/lib/web/app.env is a link",
        ),
        (
            "useradd -r web; mkdir -p /var/lib/web; cp /root/secret /var/lib/web/app.env; "
            "chmod 600 /var/lib/web/app.env; chown web /var/lib/web",
            "/var/lib/web is owned by uid",
        ),
    ],
    ids=["a link", "a folder of the service's"],
)
def test_m7_an_environment_file_that_the_service_may_exchange_is_refused(
    project: Project, lab: Lab, prepare: str, said: str
) -> None:
    lab.shell(lab.hosts[0], f"echo SECRET=1 > /root/secret; chmod 600 /root/secret; {prepare}")
    project.build("1.0.0")
    project.web["environment_file"] = "/var/lib/web/app.env"
    project.configure()
    ran = project.inv("deploy", "--env", "lab", "--yes")
    assert ran.code == 2, ran.output
    assert said in ran.output


def test_m11_an_app_named_like_a_group_of_the_system_is_refused(project: Project, lab: Lab) -> None:
    apps = project.settings["deploy"]["apps"]
    apps["disk"] = apps.pop("web") | {"package": "packages/disk.*"}
    project.build("1.0.0", "disk")
    project.configure()
    ran = project.inv("deploy", "--env", "lab", "--yes")
    assert ran.code == 2, ran.output
    assert "group disk exists without a user disk" in ran.output
    assert "absent" in lab.shell(lab.hosts[0], "[ -e /srv/disk ] || echo absent")
