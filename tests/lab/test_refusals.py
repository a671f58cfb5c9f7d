"""P8 on the lab: what is wrong is said, with what would be right, before the first change."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from lab.fleet import Lab
from lab.project import Project

pytestmark = pytest.mark.hosts(2)

Change = Callable[[Project, Lab], Any]


def environment(**values: Any) -> Change:
    return lambda project, _: project.environment.update(values)


def web(**values: Any) -> Change:
    return lambda project, _: project.web.update(values)


def first_host(command: str) -> Change:
    return lambda _, lab: lab.shell(lab.hosts[0], command)


def known_hosts(project: Project, text: Callable[[str], str]) -> None:
    file = project.folder / "known_hosts"
    file.write_text(text((project.lab.folder / "known_hosts").read_text()))
    project.environment["ssh"] = {"known_hosts": ["known_hosts"]}


def without_first(text: str) -> str:
    return "".join(text.splitlines(keepends=True)[1:])


def all_as_the_last(text: str) -> str:
    lines = text.split("\n")
    key = " ".join([line for line in lines if line][-1].split()[1:])
    return "\n".join(f"{line.split()[0]} {key}" for line in lines if line) + "\n"


def held_port(_: Project, lab: Lab) -> None:
    lab.shell(
        lab.hosts[0],
        "systemd-run --unit legacy-squatter --collect python3 -m http.server 5000 && "
        "for i in $(seq 300); do ss -ltnH 'sport = :5000' | grep -q . && break; sleep 0.1; done",
    )


def key_refused(project: Project, _: Lab) -> None:
    key = project.folder / "other"
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(words, check=True)
    project.environment["ssh"] = {"key_files": [str(key)]}


def tiny_disk(_: Project, lab: Lab) -> None:
    lab.shell(lab.hosts[0], "mkdir -p /srv && mount -t tmpfs -o size=1m,mode=755 none /srv")


REFUSALS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "group absent": (web(target_group="web-nope"), ("'web-nope' does not exist in region",)),
    "group without balancer": (web(target_group="orphan-lab"), ("belongs to no load balancer",)),
    "wrong region": (
        environment(aws={"region": "us-east-1"}),
        ("does not exist in region us-east-1",),
    ),
    "no such profile": (
        environment(aws={"profile": "nobody"}),
        ("AWS profile 'nobody' does not exist",),
    ),
    "expired credentials": (
        lambda _, lab: lab.knobs(api_error="ExpiredToken"),
        ("refuses the credentials", "ExpiredToken"),
    ),
    "tags that nobody has": (
        environment(hosts={"tags": {"Environment": "mars"}}),
        ("no running EC2 instance", "Environment=mars"),
    ),
    "host without instance": (
        environment(hosts=["127.0.0.9"]),
        ("no EC2 instance", "127.0.0.9"),
    ),
    "host without address": (
        environment(hosts=["no-such-host.invalid"]),
        ("'no-such-host.invalid' has no address",),
    ),
    "key refused": (key_refused, ("refuses user 'ec2-user'",)),
    "key file absent": (environment(ssh={"key_files": ["nope"]}), ("nope does not exist",)),
    "unknown host key": (
        lambda project, _: known_hosts(project, without_first),
        ("unknown host key", "aws ec2 get-console-output", " SHA256:", "known_hosts:"),
    ),
    "changed host key": (
        lambda project, _: known_hosts(project, all_as_the_last),
        ("the host key is not the known one", "ssh-keygen -R"),
    ),
    "no sudo": (
        first_host("mv /etc/sudoers.d /etc/sudoers.away; mkdir /etc/sudoers.d"),
        ("sudo without a password does not work",),
    ),
    "no space": (tiny_disk, ("no space for the release", "MiB needed")),
    "port held": (held_port, ("port 5000 of web is held by legacy-squatter.service (pid ",)),
    "no package": (web(package="packages/nope.*.zip"), ("packages/nope.*.zip",)),
    "broken template": (web(template="nope.j2"), ("nope.j2",)),
    "environment file absent": (
        web(environment_file="/etc/nope.env"),
        ("environment_file /etc/nope.env does not exist",),
    ),
}
UNDO = (
    "systemctl stop legacy-squatter.service 2>/dev/null; umount /srv 2>/dev/null; "
    "[ -d /etc/sudoers.away ] && rm -rf /etc/sudoers.d && mv /etc/sudoers.away /etc/sudoers.d; "
    "true"
)


@pytest.mark.parametrize("name", REFUSALS)
def test_p8_bad_input_stops_at_the_door(project: Project, lab: Lab, name: str) -> None:
    change, words = REFUSALS[name]
    project.build("1.0.0")
    change(project, lab)
    project.configure()
    seen = lab.events()[-1]["seq"]
    try:
        ran = project.inv("deploy", "--env", "lab", "--batch", "100%", "--yes")
        assert ran.code == 2, ran.output
        for text in words:
            assert text in ran.output
        assert "Traceback" not in ran.output
        assert not any(event["to"] == "draining" for event in lab.events(seen))
        assert "absent" in lab.shell(lab.hosts[1], "[ -e /srv/web ] || echo absent")
    finally:
        lab.knobs(api_error=None)
        lab.shell(lab.hosts[0], UNDO)


def test_the_lab_that_does_not_run_is_said(project: Project) -> None:
    project.environment["from"] = str(project.folder / ".lab" / "environment.yaml")
    project.configure()
    ran = project.inv("status", "--env", "lab")
    assert ran.code == 2
    assert "start it with `inv lab.up`" in ran.output


def test_an_api_that_does_not_answer_is_said(project: Project) -> None:
    project.environment["aws"] = {"endpoint_url": "http://127.0.0.1:9"}
    project.configure()
    ran = project.inv("status", "--env", "lab")
    assert ran.code == 2, ran.output
    assert "the AWS API at http://127.0.0.1:9 does not answer" in ran.output
