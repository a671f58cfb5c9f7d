"""P7: what a service or a host says about itself decides nothing; its kernel and systemd do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from lab.project import called

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.fleet import Lab
    from lab.project import Project

START_UP = "/home/ec2-user/.bashrc"

# Overwrites the environment that /proc/<pid>/environ shows with a release of its own choice.
FORGE_ENVIRONMENT = """
fields = open("/proc/self/stat").read().rpartition(")")[2].split()
start, end = int(fields[47]), int(fields[48])
text = b"CHANGEOVER_RELEASE=../../../../etc/victim.conf\\0"
with open("/proc/self/mem", "r+b", 0) as memory:
    memory.seek(start)
    memory.write(text.ljust(end - start, b"\\0")[: end - start])
"""

# Takes a name that reads as a line of the survey: 15 bytes, a newline among them.
FORGE_NAME = """
import ctypes
ctypes.CDLL(None).prctl(15, b"x\\nweb.release=", 0, 0, 0)
"""


@pytest.fixture
def start_up(lab: Lab) -> Iterator[tuple[str, ...]]:
    """The hosts whose SSH user's shell has a start-up file, put back afterwards."""
    names = tuple(host.name for host in lab.hosts)
    for name in names:
        lab.shell(name, f"cp {START_UP} /root/bashrc")
    yield names
    for name in names:
        lab.shell(name, f"cp /root/bashrc {START_UP}")


def hostile(project: Project, version: str, code: str) -> Path:
    """A package of the sample service that runs this code before it serves."""
    folder = project.build(version, form="folder")
    program = (folder / "web").read_text()
    first, _, rest = program.partition("\n")
    head, future, tail = rest.partition("from __future__ import annotations\n")
    text = f"{first}\n{head}{future}{code}{tail}" if future else f"{first}\n{code}{rest}"
    (folder / "web").write_text(text)
    return folder


@pytest.mark.hosts(2)
def test_p7_what_a_shell_prints_at_start_up_is_no_answer(
    start_up: tuple[str, ...], lab: Lab, project: Project
) -> None:
    """A terminal title without a newline took a host out of service."""
    project.install()
    texts = ("\\033]0;prod\\007", "Welcome to prod\\nrunning=1.0.0\\n")
    for host, text in zip(start_up, texts, strict=True):
        lab.shell(host, f"sed -i '1i printf \"{text}\"' {START_UP}")
    project.build("2.0.0")
    ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    assert "\x1b" not in ran.output
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.hosts(2)
def test_p7_a_release_is_proven_by_its_mount_whatever_the_process_writes(
    lab: Lab, project: Project
) -> None:
    """`inv rollback` overwrote the file of root that the process named as its release."""
    project.install()
    hostile(project, "2.0.0", FORGE_ENVIRONMENT)
    ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    for host in lab.hosts:
        lab.shell(host, "echo untouched > /etc/victim.conf")
    pid = "$(systemctl show -p MainPID --value web@5000.service)"
    forged = lab.shell(lab.hosts[0], f"tr '\\0' '\\n' < /proc/{pid}/environ")
    assert "victim.conf" in forged, "the attack works, so that the test can fail"
    assert set(project.releases().values()) == {"2.0.0"}
    back = project.inv("rollback", "--env", "lab", "--app", "web", "--yes")
    assert back.code == 0, back.output
    assert set(project.releases().values()) == {"1.0.0"}
    for host in lab.hosts:
        assert lab.shell(host, "cat /etc/victim.conf") == "untouched\n"


@pytest.mark.hosts(2)
def test_p7_a_process_name_is_no_line_of_the_survey(lab: Lab, project: Project) -> None:
    """A name that read as an empty release had all releases removed."""
    project.web["keep_releases"] = 2
    project.configure()
    project.install()
    hostile(project, "2.0.0", FORGE_NAME)
    ran = project.deploy("2.0.0")
    assert ran.code == 0, ran.output
    pid = "$(systemctl show -p MainPID --value web@5000.service)"
    name = lab.shell(lab.hosts[0], f"cat /proc/{pid}/comm")
    assert name == "x\nweb.release=\n", "the attack works, so that the test can fail"
    for version in ("3.0.0", "4.0.0"):
        hostile(project, version, FORGE_NAME)
        ran = project.deploy(version, "--batch", "100%", "--allow-downtime")
        assert ran.code == 0, ran.output
    for host in lab.hosts:
        left = lab.shell(host, "ls /srv/web/releases").split()
        assert [release.partition("-")[0] for release in left] == ["2.0.0", "3.0.0", "4.0.0"]


@pytest.mark.hosts(2)
def test_p7_no_token_note_or_path_stands_in_an_argument_list(lab: Lab, project: Project) -> None:
    """Sudo writes every command's arguments into the journal, which others may read."""
    host = lab.hosts[0]
    since = lab.shell(host, "date +%s").strip()
    project.install(anew=True)
    logged = lab.shell(host, f"journalctl --since @{since} -o cat SYSLOG_IDENTIFIER=sudo")
    commands = {
        line.partition("COMMAND=")[2]
        for line in logged.splitlines()
        if "COMMAND=" in line and "ec2-user" in line
    }
    assert len(commands) == 1, commands
    assert "read -r n" in commands.pop()


@pytest.mark.hosts(2)
def test_p7_a_host_that_prints_without_end_is_one_host_that_cannot_be_read(
    start_up: tuple[str, ...], lab: Lab, project: Project
) -> None:
    project.install()
    lab.shell(start_up[0], f"sed -i '1i yes' {START_UP}")
    began = time.monotonic()
    ran = project.inv("status", "--env", "lab", "--json")
    assert time.monotonic() - began < 60
    rows = {row["host"]: row for row in project.status()["hosts"]}
    assert "longer than" in rows[called(lab.hosts[0])]["note"]
    assert {row["release"] for name, row in rows.items() if name != called(lab.hosts[0])} == {
        project.releases()[called(lab.hosts[1])] and rows[called(lab.hosts[1])]["release"]
    }
    assert ran.code == 5


@pytest.mark.hosts(2)
def test_p7_what_runs_is_known_wherever_srv_lies(lab: Lab, project: Project) -> None:
    """A link on one host, and a mount of its own on the other."""
    linked, mounted = (host.name for host in lab.hosts)
    lab.shell(linked, "mkdir -p /data/srv && mv /srv /srv.before && ln -s /data/srv /srv")
    lab.shell(mounted, "mount -t tmpfs -o mode=755 tmpfs /srv")
    try:
        project.install(anew=True)
        project.build("2.0.0")
        ran = project.deploy("2.0.0")
        assert ran.code == 0, ran.output
        assert set(project.releases().values()) == {"2.0.0"}
        assert all(row["current"] for row in project.status()["hosts"])
    finally:
        for host in (linked, mounted):
            lab.shell(host, "systemctl stop 'web@*' || true")
        lab.shell(linked, "rm /srv && mv /srv.before /srv && rm -r /data")
        lab.shell(mounted, "umount -l /srv")


def test_p10_what_was_changed_by_hand_is_seen_and_the_next_deploy_puts_it_right(
    lab: Lab, project: Project
) -> None:
    """A release that was removed, a unit that was edited, a drop-in: none of them is current."""
    project.install()
    first, second, third, _ = (host.name for host in lab.hosts)
    lab.shell(first, "rm -r /srv/web/releases/*")
    lab.shell(second, "sed -i 's/^UMask=.*/UMask=0077/' /etc/systemd/system/web@5000.service")
    drop_in = "/etc/systemd/system/web@5000.service.d"
    lab.shell(third, f"mkdir {drop_in}; printf '[Service]\\nNice=5\\n' > {drop_in}/nice.conf")
    lab.shell(third, "systemctl daemon-reload")
    rows = {row["host"]: row for row in project.status()["hosts"] if row["app"] == "web"}
    assert not rows[called(lab.hosts[0])]["release"]
    assert "restart pending" in rows[called(lab.hosts[1])]["note"]
    assert "drop-ins" in rows[called(lab.hosts[2])]["note"]
    ran = project.deploy("1.0.0")
    assert ran.code == 0, ran.output
    assert "drop-ins change web@5000.service" in ran.output
    after = {row["host"]: row for row in project.status()["hosts"] if row["app"] == "web"}
    assert all(row["release"].startswith("1.0.0-") for row in after.values())
    assert after[called(lab.hosts[0])]["current"]
    assert after[called(lab.hosts[1])]["current"]
