"""The lab's hosts are what they claim to be: systemd, sshd, sandboxing, faults, no leftovers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from deploy.errors import BadInput
from lab import checkout, hosts, image, packages
from lab.fleet import Lab, LabHost
from lab.podman import as_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.lab

UNAVAILABLE: dict[str, str] = {}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of its own: this lab runs beside whatever other lab there is."""
    return tmp_path_factory.mktemp("checkout")


@pytest.fixture(scope="module")
def lab(root: Path) -> Iterator[Lab]:
    """One host of every suite whose image can be had; Debian 11's mirror may be gone any day."""
    suites = []
    for suite in image.SUITES:
        try:
            image.ensure(suite)
            suites.append(suite)
        except image.SuiteUnavailable as error:
            if suite != "bullseye":
                raise
            UNAVAILABLE[suite] = str(error)
    try:
        yield Lab.up(root, len(suites), suites)
    finally:
        checkout.take_down(root)


@pytest.fixture(params=image.SUITES)
def host(lab: Lab, request: pytest.FixtureRequest) -> LabHost:
    for each in lab.hosts:
        if each.suite == request.param:
            return each
    pytest.skip(UNAVAILABLE[request.param])


def until(claim: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether the claim comes true in time."""
    deadline = time.monotonic() + seconds
    tick = threading.Event()
    while not claim():
        if time.monotonic() > deadline:
            return False
        tick.wait(0.1)
    return True


def ssh(lab: Lab, host: LabHost, command: str, *more: str) -> subprocess.CompletedProcess[str]:
    """OpenSSH's own client, with the lab's key and known_hosts and nothing of this user's."""
    options = ["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    options += ["-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]
    options += ["-o", f"UserKnownHostsFile={lab.folder / 'known_hosts'}"]
    options += ["-i", str(lab.folder / "id_ed25519"), *more, f"ec2-user@{host.address}"]
    return subprocess.run(
        ["ssh", *options, command], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_host_boots_its_own_systemd_with_nothing_failed(lab: Lab, host: LabHost) -> None:
    version = lab.shell(host, "systemctl --version | head -n 1").split()[1]
    assert int(version) == image.SUITES[host.suite]
    assert lab.shell(host, "systemctl is-system-running").strip() == "running"
    assert lab.shell(host, "systemctl list-units --failed --no-legend") == ""


def test_ssh_takes_the_labs_key_under_a_known_host_key_and_sudo_asks_nothing(
    lab: Lab, host: LabHost
) -> None:
    done = ssh(lab, host, "id -un; sudo -n id -u")
    assert (done.returncode, done.stdout) == (0, "ec2-user\n0\n"), done.stderr
    refused = ssh(lab, host, "true", "-o", "PubkeyAuthentication=no")
    assert refused.returncode == 255
    assert "Permission denied (publickey)" in refused.stderr


def test_every_host_has_a_key_of_its_own(lab: Lab) -> None:
    lines = (lab.folder / "known_hosts").read_text().splitlines()
    assert {line.split()[0] for line in lines} == {host.address for host in lab.hosts}
    assert len({line.split()[2] for line in lines}) == len(lab.hosts)


def test_sandboxing_is_in_force(lab: Lab, host: LabHost) -> None:
    """The control: a unit that writes /etc is stopped, and only because it is sandboxed."""
    write = "systemd-run --wait --quiet --collect {} touch /etc/written; echo $?"
    assert lab.shell(host, write.format("-p ProtectSystem=strict")).strip() != "0"
    assert lab.shell(host, "ls /etc/written", check=False) == ""
    assert lab.shell(host, write.format("")).strip() == "0"
    assert lab.shell(host, "rm -v /etc/written")


def test_the_sample_service_runs_on_the_hosts_own_python(
    lab: Lab, host: LabHost, tmp_path: Path
) -> None:
    package = packages.build(tmp_path, "web", "1.0.0", form="tar.gz", notify=True)
    done = subprocess.run(
        [*as_root(), "podman", "exec", "-i", host.name, "tar", "-xz", "-C", "/srv"],
        input=package.read_bytes(),
        check=True,
        capture_output=True,
    )
    assert done.returncode == 0
    lab.shell(host, "systemd-run --quiet --unit=sample -p Type=notify /srv/web --port 5000")
    said = json.loads(lab.shell(host, "curl -sS http://127.0.0.1:5000/"))
    assert (said["version"], said["port"]) == ("1.0.0", 5000)
    lab.shell(host, "systemctl stop sample")
    assert "stopped" in lab.shell(host, "journalctl --unit=sample --no-pager")
    assert lab.shell(host, "systemctl is-failed sample", check=False).strip() != "failed"


def test_a_paused_host_hangs_and_goes_on(lab: Lab) -> None:
    host = lab.hosts[0]
    lab.pause(host)
    assert not hosts.greets(host.address)
    lab.unpause(host)
    assert until(lambda: hosts.greets(host.address))


def test_a_killed_host_comes_back_by_a_restart_with_its_files_and_its_key(
    lab: Lab, host: LabHost
) -> None:
    lab.shell(host, "echo kept > /srv/file")
    lab.kill(host)
    assert not hosts.greets(host.address)
    lab.restart(host)
    link = lab.shell(host, "cat /sys/class/net/eth0/address").strip()
    assert link == hosts.mac(host.address), "our kernel's ARP entry would be wrong for 40 s"
    assert ssh(lab, host, "cat /srv/file").stdout == "kept\n"


def test_a_reset_leaves_what_the_image_had(lab: Lab) -> None:
    host, other = lab.hosts[0], lab.hosts[-1]
    lab.shell(
        host,
        "useradd --system web; mkdir -p /srv/web /var/lib/web; touch /etc/web.env /home/ec2-user/x;"
        "printf '[Service]\\nExecStart=/bin/sleep 1000\\n[Install]\\nWantedBy=multi-user.target\\n'"
        " > /etc/systemd/system/web@5000.service; systemctl daemon-reload;"
        "systemctl enable --quiet --now web@5000; rm /etc/sudoers.d/ec2-user;"
        "echo DisableForwarding yes > /etc/ssh/sshd_config.d/a.conf; systemctl reload ssh",
    )
    lab.kill(other)
    lab.knobs(time_divisor=10)
    lab.reset()
    gone = "/srv/web /var/lib/web /etc/web.env /home/ec2-user/x /etc/ssh/sshd_config.d/a.conf"
    assert lab.shell(host, f"ls -d {gone} 2>/dev/null", check=False) == ""
    assert lab.shell(host, "getent passwd web", check=False) == ""
    assert lab.shell(host, "systemctl list-units --all --no-legend 'web*'") == ""
    assert ssh(lab, host, "sudo -n true").returncode == 0
    assert hosts.greets(other.address)
    assert lab.knobs()["time_divisor"] == 1
    assert set(lab.health("web-lab")) == {each.name for each in lab.hosts}


def test_up_keeps_a_lab_that_has_what_is_asked_for(lab: Lab) -> None:
    lab.kill(lab.hosts[0])
    again = Lab.up(lab.root, 1, (lab.hosts[0].suite,))
    assert (again.pid, again.hosts) == (lab.pid, lab.hosts)
    assert hosts.greets(lab.hosts[0].address)
    assert Lab.attach(lab.root).hosts == lab.hosts


def test_what_a_dead_lab_left_is_recognised_and_cleared(tmp_path: Path) -> None:
    """Its server is gone, a stranger has its process id, a container is dead, the socket stale."""
    said: list[str] = []
    try:
        dead = Lab.up(tmp_path, 2)
        os.kill(dead.pid, signal.SIGKILL)
        dead.kill(dead.hosts[0])
        with pytest.raises(BadInput, match=r"inv lab\.up"):
            Lab.attach(tmp_path)
        state = tmp_path / ".lab" / "state.json"
        facts = json.loads(state.read_text())
        state.write_text(json.dumps({**facts, "pid": os.getpid()}))
        alive = Lab.up(tmp_path, 1, say=said.append)
        assert any("dead lab left: 2 containers" in line for line in said), said
        assert [each.state for each in hosts.containers(alive.id)] == ["running"]
        assert hosts.greets(alive.hosts[0].address)
    finally:
        checkout.take_down(tmp_path)
    assert hosts.containers(dead.id) == ()
    assert not hosts.has_network(dead.id)
    left = {path.name for path in (tmp_path / ".lab").iterdir()}
    assert not left & {"state.json", "environment.yaml", "server.json"}


def test_a_network_that_is_taken_is_passed_by(tmp_path: Path) -> None:
    first = checkout.identity(tmp_path)
    second = f"{int(first, 16) + 25600:06x}"[-6:]  # the same first guess
    try:
        taken = hosts.make_network(first)
        assert hosts.make_network(second) != taken
    finally:
        hosts.remove_all(first)
        hosts.remove_all(second)


@pytest.mark.parametrize(
    ("count", "suites", "words"),
    [
        (0, ("bookworm",), "0 hosts"),
        (1000, ("bookworm",), "1000 hosts"),
        (1, ("bookwurm",), "did you mean 'bookworm'"),
    ],
)
def test_a_lab_that_cannot_be_is_refused(
    tmp_path: Path, count: int, suites: tuple[str, ...], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        Lab.up(tmp_path, count, suites)


def test_the_server_leaves_nothing_listening(tmp_path: Path) -> None:
    try:
        lab = Lab.up(tmp_path, 1)
        ports = [int(url.rsplit(":", 1)[1]) for url in (lab.api, lab.control)]
        lab.down()
        for port in [*ports, *(port for node in lab.ports.values() for port in node.values())]:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=2)
    finally:
        checkout.take_down(tmp_path)
